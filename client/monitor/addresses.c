/* The addresses of --listen and --connect. */
#include "client/monitor/addresses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rfb/protocol.h"
#include "base/text.h"

enum { HOST_BYTES = 256, WHY_BYTES = 128, LIST_FILE_BYTES_MAX = 1 << 20 };

#define LIST_TAKES "takes HOST:PORT,HOST:PORT,... or @FILE"

/* ---- one address ----------------------------------------------------------------------------- */

static bool port_read(const char *text, size_t bytes, uint16_t *port)
{
    unsigned value = 0;
    if (bytes == 0 || bytes > 5)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value >= 1 && value <= 65535;
}

/* HOST, HOST:PORT, [HOST]:PORT; of an IPv6 address without brackets all is the host. `port` keeps
 * what it has where the text has none. */
static bool split(const char *text, size_t bytes, char host[HOST_BYTES], uint16_t *port)
{
    const char *const end = text + bytes;
    const char *colon = memchr(text, ':', bytes), *host_end = colon != NULL ? colon : end;
    if (bytes > 0 && text[0] == '[') {
        host_end = memchr(text, ']', bytes);
        if (host_end == NULL || (host_end + 1 < end && host_end[1] != ':'))
            return false;
        colon = host_end + 1 < end ? host_end + 1 : NULL;
        text++;
    } else if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL) {
        colon = NULL;
        host_end = end;
    }
    const size_t host_bytes = (size_t)(host_end - text);
    if (host_bytes == 0 || host_bytes >= HOST_BYTES)
        return false;
    memcpy(host, text, host_bytes);
    host[host_bytes] = '\0';
    return colon == NULL || port_read(colon + 1, (size_t)(end - colon - 1), port);
}

/* Any of its addresses; the first one is taken. */
static int resolve(const char *host, uint16_t port, struct net_address *address, char *why,
                   size_t why_bytes)
{
    struct net_address *all = NULL;
    char words[WHY_BYTES] = "";
    if (net_numeric(host, port, address))
        return 0;
    if (net_resolve(host, &all, words, sizeof words) == 0)
        return why_write(why, why_bytes, "cannot resolve '%s': %s", host, words);
    *address = net_address_at(&all[0], 0, port);
    free(all);
    return 0;
}

static const char *near_host(void)
{
    const char *near = getenv("FANIN_NEAR");
    return near != NULL && near[0] != '\0' ? near : "127.0.0.1";
}

/* ---- listening ------------------------------------------------------------------------------- */

static bool listen_split(const struct monitor_options *options, char host[HOST_BYTES],
                         uint16_t *port)
{
    *port = (uint16_t)options->port;
    return split(options->listen, strlen(options->listen), host, port);
}

int addresses_listen(const struct monitor_options *options, struct net_address *address, char *why,
                     size_t why_bytes)
{
    char host[HOST_BYTES], words[HOST_BYTES + WHY_BYTES];
    uint16_t port;
    if (!listen_split(options, host, &port))
        return why_write(why, why_bytes, "--listen takes ADDR or ADDR:PORT, not '%s'",
                         options->listen);
    const char *name = strcmp(host, ADDRESS_NEAR) == 0 ? near_host() : host;
    if (resolve(name, port, address, words, sizeof words) != 0)
        return why_write(why, why_bytes, "--listen: %s", words);
    return 0;
}

bool addresses_local(const struct monitor_options *options, const struct net_address *address)
{
    char host[HOST_BYTES], text[NET_TEXT_BYTES];
    uint16_t port;
    net_address_text(address, text);
    return (listen_split(options, host, &port) && strcmp(host, ADDRESS_NEAR) == 0) ||
           strncmp(text, "127.", 4) == 0 || strncmp(text, "[::1]", 5) == 0;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static int target_add(struct targets *targets, const char *text, size_t bytes, char *why,
                      size_t why_bytes)
{
    char host[HOST_BYTES], words[HOST_BYTES + WHY_BYTES];
    uint16_t port = RFB_PORT;
    struct net_address *room = realloc(targets->all, (targets->count + 1) * sizeof *targets->all);
    if (room == NULL)
        return why_write(why, why_bytes, "--connect: no memory");
    targets->all = room;
    if (!split(text, bytes, host, &port))
        return why_write(why, why_bytes, "--connect " LIST_TAKES ", not '%.*s'", (int)bytes, text);
    if (targets->count == SCREENS_MAX)
        return why_write(why, why_bytes, "--connect takes at most %d screens", SCREENS_MAX);
    if (resolve(host, port, &targets->all[targets->count], words, sizeof words) != 0)
        return why_write(why, why_bytes, "--connect: %s", words);
    targets->count++;
    return 0;
}

/* One line: no comment, perhaps several addresses. */
static int targets_line(struct targets *targets, const char *line, size_t bytes, char *why,
                        size_t why_bytes)
{
    const char *end = line + bytes;
    const char *comment = memchr(line, '#', bytes);
    if (comment != NULL)
        end = comment;
    while (line < end) {
        const char *comma = memchr(line, ',', (size_t)(end - line));
        size_t entry_bytes = (size_t)((comma != NULL ? comma : end) - line);
        const char *entry = text_trim(line, &entry_bytes);
        const bool blank = entry_bytes == 0 && comma == NULL;
        if (!blank && target_add(targets, entry, entry_bytes, why, why_bytes) != 0)
            return -1;
        line = comma != NULL ? comma + 1 : end;
    }
    return 0;
}

static int targets_file(struct targets *targets, const char *path, char *why, size_t why_bytes)
{
    size_t bytes;
    unsigned number = 0;
    char words[WHY_BYTES + HOST_BYTES];
    char *text = text_file(path, LIST_FILE_BYTES_MAX, &bytes);
    if (text == NULL)
        return why_write(why, why_bytes, "--connect: cannot read '%s': %s", path, strerror(errno));
    int result = 0;
    if (!text_check(text, bytes, &number, words, sizeof words))
        result = why_write(why, why_bytes, "--connect: %s:%u %s", path, number, words);
    const char *line = text_start(text), *next;
    for (number = 1; result == 0 && *line != '\0'; number++, line = next) {
        const size_t line_bytes = text_line(line, &next);
        if (targets_line(targets, line, line_bytes, words, sizeof words) != 0)
            result = why_write(why, why_bytes, "%s:%u: %s", path, number, words);
    }
    free(text);
    return result;
}

static int targets_count(struct targets *targets, const struct monitor_options *options, char *why,
                         size_t why_bytes)
{
    struct net_address first;
    char words[HOST_BYTES + WHY_BYTES];
    if (options->port + options->screens - 1 > 65535)
        return why_write(why, why_bytes,
                         "--port: %llu screens from port %llu on reach beyond 65535",
                         (unsigned long long)options->screens, (unsigned long long)options->port);
    if (resolve(options->address, (uint16_t)options->port, &first, words, sizeof words) != 0)
        return why_write(why, why_bytes, "--address: %s", words);
    targets->all = calloc(options->screens, sizeof *targets->all);
    if (targets->all == NULL)
        return why_write(why, why_bytes, "--screens: no memory");
    for (; targets->count < options->screens; targets->count++)
        targets->all[targets->count] =
            net_address_at(&first, 0, (uint16_t)(options->port + targets->count));
    return 0;
}

int addresses_connect(const struct monitor_options *options, struct targets *targets, char *why,
                      size_t why_bytes)
{
    const char *list = options->connect;
    int result;
    *targets = (struct targets){0};
    if (list[0] == '\0')
        result = targets_count(targets, options, why, why_bytes);
    else if (list[0] == '@')
        result = targets_file(targets, list + 1, why, why_bytes);
    else
        result = targets_line(targets, list, strlen(list), why, why_bytes);
    if (result == 0 && targets->count == 0)
        result = why_write(why, why_bytes, "--connect " LIST_TAKES ": it names none");
    if (result != 0)
        targets_free(targets);
    return result;
}

void targets_free(struct targets *targets)
{
    free(targets->all);
    *targets = (struct targets){0};
}
