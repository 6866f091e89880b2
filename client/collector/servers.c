/* Turns --servers into a list of addresses. */
#include "client/collector/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_BYTES_MAX = 300, LINE_BYTES_MAX = 1024, PORT_MAX = 65535, REASON_BYTES_MAX = 400 };

/* In what follows `where` is "--servers" or FILE:LINE and begins `why`. */

static int servers_add(struct servers *servers, const struct net_address *address,
                       const char *where, char *why, size_t why_bytes)
{
    if (servers->count == SERVERS_MAX)
        return why_write(why, why_bytes, "%s: more than %d servers", where, SERVERS_MAX);
    if (servers->count == servers->room) {
        uint32_t room = servers->room > 0 ? 2 * servers->room : 64;
        void *grown = realloc(servers->addresses, room * sizeof *servers->addresses);
        if (grown == NULL)
            return why_write(why, why_bytes, "%s: no memory for the list", where);
        servers->addresses = grown;
        servers->room = room;
    }
    servers->addresses[servers->count++] = *address;
    return 0;
}

/* ---- host:port ------------------------------------------------------------------------------- */

/* Splits "host:port" in place; an IPv6 address is in brackets. Returns the port, or -1. */
static int entry_split(char *entry, char **host)
{
    char *colon = strrchr(entry, ':'), *end;
    if (colon == NULL || !isdigit((unsigned char)colon[1]))
        return -1;
    *colon = '\0';
    *host = entry;
    size_t bytes = strlen(entry);
    if (bytes > 2 && entry[0] == '[' && entry[bytes - 1] == ']') {
        entry[bytes - 1] = '\0';
        *host = entry + 1;
    } else if (bytes == 0 || strchr(entry, ':') != NULL) {
        return -1;
    }
    unsigned long port = strtoul(colon + 1, &end, 10);
    return *end == '\0' && port >= 1 && port <= PORT_MAX ? (int)port : -1;
}

static int entry_add(struct servers *servers, const char *text, size_t bytes, const char *where,
                     char *why, size_t why_bytes)
{
    char entry[ENTRY_BYTES_MAX], reason[REASON_BYTES_MAX], *host;
    struct net_address address;
    int port = -1;
    if (bytes < sizeof entry) {
        snprintf(entry, sizeof entry, "%.*s", (int)bytes, text);
        port = entry_split(entry, &host);
    }
    if (port < 0)
        return why_write(why, why_bytes, "%s: '%.*s' is not host:port with a port from 1 to %d",
                         where, bytes < 60 ? (int)bytes : 60, text, PORT_MAX);
    if (net_resolve(host, (uint16_t)port, &address, reason, sizeof reason) != 0)
        return why_write(why, why_bytes, "%s: %s", where, reason);
    return servers_add(servers, &address, where, why, why_bytes);
}

/* ---- N, LIST, @FILE ------------------------------------------------------------------------- */

/* False at the end of the file. Drops the rest of a line that is too long: only a comment can be
 * that long. */
static bool line_next(FILE *file, char line[LINE_BYTES_MAX])
{
    int byte = 0;
    if (fgets(line, LINE_BYTES_MAX, file) == NULL)
        return false;
    if (strchr(line, '\n') == NULL)
        while (byte != '\n' && byte != EOF)
            byte = fgetc(file);
    return true;
}

static int file_read(struct servers *servers, const char *path, char *why, size_t why_bytes)
{
    char where[REASON_BYTES_MAX], line[LINE_BYTES_MAX];
    FILE *file = fopen(path, "r");
    int result = 0;
    for (unsigned number = 1; file != NULL && result == 0 && line_next(file, line); number++) {
        const char *entry = line + strspn(line, " \t");
        size_t bytes = strcspn(entry, "#\r\n");
        while (bytes > 0 && isblank((unsigned char)entry[bytes - 1]))
            bytes--;
        snprintf(where, sizeof where, "%s:%u", path, number);
        if (bytes > 0)
            result = entry_add(servers, entry, bytes, where, why, why_bytes);
    }
    if (file == NULL || (result == 0 && ferror(file)))
        result =
            why_write(why, why_bytes, "--servers: cannot read '%s': %s", path, strerror(errno));
    else if (result == 0 && servers->count == 0)
        result = why_write(why, why_bytes, "--servers: '%s' names no server", path);
    if (file != NULL)
        fclose(file);
    return result;
}

static int block_read(struct servers *servers, const struct collector_options *options, char *why,
                      size_t why_bytes)
{
    char reason[REASON_BYTES_MAX];
    unsigned long count = strtoul(options->servers, NULL, 10);
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
    struct net_address base;
    if (net_resolve(options->address, (uint16_t)options->port, &base, reason, sizeof reason) != 0)
        return why_write(why, why_bytes, "--address: %s", reason);
    for (uint64_t i = 0; i < count; i++) {
        struct net_address address =
            net_address_at(&base, (uint32_t)(i / each), (uint16_t)(options->port + i % each));
        if (servers_add(servers, &address, "--servers", why, why_bytes) != 0)
            return -1;
    }
    return 0;
}

int servers_read(struct servers *servers, const struct collector_options *options, char *why,
                 size_t why_bytes)
{
    const char *text = options->servers;
    *servers = (struct servers){0};
    if (text[0] == '@')
        return file_read(servers, text + 1, why, why_bytes);
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0')
        return block_read(servers, options, why, why_bytes);
    for (;; text++) {
        size_t bytes = strcspn(text, ",");
        int result = entry_add(servers, text, bytes, "--servers", why, why_bytes);
        text += bytes;
        if (result != 0 || *text == '\0')
            return result;
    }
}

void servers_free(struct servers *servers)
{
    free(servers->addresses);
    *servers = (struct servers){0};
}
