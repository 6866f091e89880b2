/* Turns --servers into a list of servers. Nothing is left out of a list in silence: an entry is a
 * server, or the error that ends the reading. */
#include "client/collector/servers.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { ENTRY_BYTES_MAX = 300, SHOWN_BYTES_MAX = 60, PORT_MAX = 65535, REASON_BYTES_MAX = 400 };

#define LIST_BYTES_MAX ((size_t)1 << 30)

/* In what follows `where` is "--servers" or FILE:LINE and begins `why`. */

/* ---- adding ---------------------------------------------------------------------------------- */

/* Makes room for one more item than `count`. False: no memory. */
static bool grow(void **items, uint32_t count, uint32_t *room, size_t item_bytes)
{
    if (count < *room)
        return true;
    uint32_t longer = 64;
    while (longer <= count)
        longer *= 2;
    void *grown = realloc(*items, longer * item_bytes);
    if (grown == NULL)
        return false;
    *items = grown;
    *room = longer;
    return true;
}

/* False: no memory. Servers before the first one with a name have no name. */
static bool add_route(struct servers *servers, const struct server_route *route)
{
    if (servers->routes == NULL && route->name == 0)
        return true;
    const bool first = servers->routes == NULL;
    if (!grow((void **)&servers->routes, servers->count, &servers->route_room,
              sizeof *servers->routes))
        return false;
    if (first)
        memset(servers->routes, 0, servers->count * sizeof *servers->routes);
    servers->routes[servers->count] = *route;
    return true;
}

/* A server at `address`, or with `route` at a name. */
static int servers_add(struct servers *servers, const struct net_address *address,
                       const struct server_route *route, const char *where, char *why,
                       size_t why_bytes)
{
    if (servers->count == SERVERS_MAX)
        return why_write(why, why_bytes, "%s: more than %d servers", where, SERVERS_MAX);
    if (!grow((void **)&servers->addresses, servers->count, &servers->room,
              sizeof *servers->addresses) ||
        !add_route(servers, route))
        return why_write(why, why_bytes, "%s: no memory for the list", where);
    servers->addresses[servers->count++] = *address;
    return 0;
}

/* Its index + 1; 0: no memory. */
static uint32_t add_name(struct servers *servers, const char *host)
{
    char *copy = strdup(host);
    if (copy == NULL || !grow((void **)&servers->names, servers->name_count, &servers->name_room,
                              sizeof *servers->names)) {
        free(copy);
        return 0;
    }
    servers->names[servers->name_count] =
        (struct server_name){.host = copy, .first = servers->name_count};
    return ++servers->name_count;
}

/* ---- host:port+count ------------------------------------------------------------------------- */

/* What an entry says: `count` servers at ports in a row. */
struct entry {
    char *host; /* in the text that was split */
    unsigned long port, count;
    bool is_range;
};

/* A port, and what may follow it: "+count". */
static bool ports_split(const char *text, struct entry *entry)
{
    char *end;
    entry->count = 1;
    entry->port = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
    if (entry->port < 1 || entry->port > PORT_MAX)
        return false;
    entry->is_range = *end == '+';
    if (entry->is_range)
        entry->count = isdigit((unsigned char)end[1]) ? strtoul(end + 1, &end, 10) : 0;
    return *end == '\0' && entry->count >= 1 && entry->count <= PORT_MAX + 1 - entry->port;
}

/* Splits "host:port" or "host:port+count" in place; an IPv6 address is in brackets. */
static bool entry_split(char *text, struct entry *entry)
{
    char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    *colon = '\0';
    entry->host = text;
    size_t bytes = strlen(text);
    if (bytes > 2 && text[0] == '[' && text[bytes - 1] == ']') {
        text[bytes - 1] = '\0';
        entry->host = text + 1;
    } else if (bytes == 0 || strpbrk(text, ":[] \t/\\@\"'<>|;") != NULL) {
        return false;
    }
    return strchr(entry->host, '+') == NULL && ports_split(colon + 1, entry);
}

static bool add_range(struct servers *servers, uint32_t count)
{
    if (!grow((void **)&servers->ranges, servers->range_count, &servers->range_room,
              sizeof *servers->ranges))
        return false;
    servers->ranges[servers->range_count++] = (struct server_range){servers->count, count};
    return true;
}

static int entry_add(struct servers *servers, const char *text, size_t bytes, const char *where,
                     char *why, size_t why_bytes)
{
    char copy[ENTRY_BYTES_MAX];
    struct entry entry;
    struct net_address address = {.bytes = 0};
    struct server_route route = {.name = 0};
    bool is_split = false;
    if (bytes < sizeof copy) {
        snprintf(copy, sizeof copy, "%.*s", (int)bytes, text);
        is_split = entry_split(copy, &entry);
    }
    if (!is_split)
        return why_write(why, why_bytes,
                         "%s: '%.*s%s' is not host:port or host:port+count with ports from 1 to "
                         "%d; commas separate entries",
                         where, bytes < SHOWN_BYTES_MAX ? (int)bytes : SHOWN_BYTES_MAX, text,
                         bytes < SHOWN_BYTES_MAX ? "" : "...", PORT_MAX);
    const bool is_name = !net_numeric(entry.host, (uint16_t)entry.port, &address);
    if (is_name)
        route.name = add_name(servers, entry.host);
    if ((is_name && route.name == 0) ||
        (entry.is_range && !add_range(servers, (uint32_t)entry.count)))
        return why_write(why, why_bytes, "%s: no memory for the list", where);
    for (unsigned long i = 0; i < entry.count; i++) {
        route.port = (uint16_t)(entry.port + i);
        if (!is_name)
            address = net_address_at(&address, 0, route.port);
        if (servers_add(servers, &address, &route, where, why, why_bytes) != 0)
            return -1;
    }
    return 0;
}

/* ---- N, LIST, @FILE ------------------------------------------------------------------------- */

/* "a:1, b:2": the last comma may have nothing behind it. */
static int entries_add(struct servers *servers, const char *text, size_t bytes, const char *where,
                       char *why, size_t why_bytes)
{
    const char *const end = text + bytes;
    for (const char *at = text; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t entry_bytes = (size_t)((comma != NULL ? comma : end) - at);
        const char *entry = text_trim(at, &entry_bytes);
        if (entry_bytes == 0)
            return why_write(why, why_bytes, "%s: an entry is empty; write host:port,host:port,...",
                             where);
        if (entry_add(servers, entry, entry_bytes, where, why, why_bytes) != 0)
            return -1;
        at = comma != NULL ? comma + 1 : end;
        at += strspn(at, " \t");
    }
    return 0;
}

/* `path` NULL: the lines are the option's value, and '#' begins no comment. */
static int lines_add(struct servers *servers, const char *text, size_t text_bytes, const char *path,
                     char *why, size_t why_bytes)
{
    char where[REASON_BYTES_MAX] = "--servers", what[REASON_BYTES_MAX];
    unsigned number;
    if (!text_check(text, text_bytes, &number, what, sizeof what)) {
        if (path == NULL)
            return why_write(why, why_bytes, "--servers: %s", what);
        return why_write(why, why_bytes, "%s:%u: %s", path, number, what);
    }
    text = text_start(text);
    for (number = 1; *text != '\0'; number++) {
        const char *next;
        size_t bytes = text_line(text, &next);
        const char *comment = path != NULL ? memchr(text, '#', bytes) : NULL;
        if (comment != NULL)
            bytes = (size_t)(comment - text);
        text = text_trim(text, &bytes);
        if (path != NULL)
            snprintf(where, sizeof where, "%s:%u", path, number);
        if (entries_add(servers, text, bytes, where, why, why_bytes) != 0)
            return -1;
        text = next;
    }
    return 0;
}

static int file_read(struct servers *servers, const char *path, char *why, size_t why_bytes)
{
    size_t bytes;
    char *text = text_file(path, LIST_BYTES_MAX, &bytes);
    if (text == NULL)
        return why_write(why, why_bytes, "--servers: cannot read '%s': %s", path, strerror(errno));
    int result = lines_add(servers, text, bytes, path, why, why_bytes);
    free(text);
    if (result == 0 && servers->count == 0)
        result = why_write(why, why_bytes, "--servers: '%s' names no server", path);
    return result;
}

static int block_read(struct servers *servers, const struct collector_options *options,
                      const char *digits, char *why, size_t why_bytes)
{
    unsigned long count = strtoul(digits, NULL, 10);
    if (count < 1 || count > SERVERS_MAX)
        return why_write(why, why_bytes, "--servers: takes 1 to %d servers", SERVERS_MAX);
    uint64_t each = options->ports_per_address > 0 ? options->ports_per_address : count;
    if (each > count)
        each = count;
    uint64_t last = options->port + each - 1;
    if (last > PORT_MAX)
        return why_write(
            why, why_bytes,
            "--port: %llu servers from port %llu on would end at %llu, past %d: start lower, "
            "or spread them with --ports-per-address",
            (unsigned long long)each, (unsigned long long)options->port, (unsigned long long)last,
            PORT_MAX);
    servers->is_block = true;
    servers->servers_per_address = (uint32_t)each;
    if (net_numeric(options->address, (uint16_t)options->port, &servers->first)) {
        servers->count = (uint32_t)count;
        return 0;
    }
    const struct net_address unresolved = {.bytes = 0};
    struct server_route route = {.name = add_name(servers, options->address)};
    if (route.name == 0)
        return why_write(why, why_bytes, "--address: no memory for the name");
    for (uint64_t i = 0; i < count; i++) {
        route.steps = (uint32_t)(i / each);
        route.port = (uint16_t)(options->port + i % each);
        if (servers_add(servers, &unresolved, &route, "--servers", why, why_bytes) != 0)
            return -1;
    }
    return 0;
}

int servers_read(struct servers *servers, const struct collector_options *options, char *why,
                 size_t why_bytes)
{
    size_t bytes = strlen(options->servers);
    const char *text = text_trim(options->servers, &bytes);
    *servers = (struct servers){0};
    if (text[0] == '@')
        return file_read(servers, text + 1, why, why_bytes);
    if (bytes > 0 && strspn(text, "0123456789") == bytes)
        return block_read(servers, options, text, why, why_bytes);
    if (lines_add(servers, text, strlen(text), NULL, why, why_bytes) != 0)
        return -1;
    if (servers->count == 0)
        return why_write(why, why_bytes,
                         "--servers: takes N, host:port,host:port+count,... or @FILE, not nothing");
    return 0;
}

void servers_free(struct servers *servers)
{
    for (uint32_t i = 0; i < servers->name_count; i++) {
        free((void *)(uintptr_t)servers->names[i].host);
        free(servers->names[i].addresses);
        free(servers->names[i].words);
    }
    free(servers->names);
    free(servers->ranges);
    free(servers->routes);
    free(servers->addresses);
    *servers = (struct servers){0};
}
