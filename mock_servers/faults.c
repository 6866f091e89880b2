/* The table of faults, --fault, and which servers get which fault. */
#include "mock_servers/faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- damaged frames ---- */

static uint32_t damage_cut(uint8_t *frame, uint32_t length, const struct protocol_go *go)
{
    return length / 2; /* the header may be cut too, the end marker is always */
}

static uint32_t damage_all(uint8_t *frame, uint32_t length, const struct protocol_go *go)
{
    return 0;
}

/* The new byte is none of the marker's, so that the frame still ends where it did. */
static uint32_t damage_payload(uint8_t *frame, uint32_t length, const struct protocol_go *go)
{
    uint8_t *byte = frame + PROTOCOL_HEADER_BYTES, good = *byte;
    do
        (*byte)++;
    while (*byte == good || memchr(go->marker.bytes, *byte, go->marker.count) != NULL);
    return length;
}

static uint32_t damage_seq(uint8_t *frame, uint32_t length, const struct protocol_go *go)
{
    struct protocol_header header;
    protocol_header_read(frame, &go->marker, &header);
    protocol_frame_write(frame, length, header.seq + 1, header.sent_ns, go->seed, &go->marker);
    return length;
}

static uint32_t damage_marker(uint8_t *frame, uint32_t length, const struct protocol_go *go)
{
    return length - go->marker.count;
}

/* ---- the table ---- */

enum { MILLIS_MAX = 3600 * 1000, MICROS_MAX = 60 * 1000 * 1000 };

static const struct fault_kind kinds[] = {
    {"refuse", NULL, "does not listen: connects are refused", FAULT_AT_PORT, ACTION_STALL, NULL, 0,
     0},
    {"small-backlog", "MS",
     "keeps its accept queue full, so that Linux drops SYNs and\n"
     "      connects hang; accepts normally MS milliseconds after the start\n"
     "      (default: never)",
     FAULT_AT_QUEUE, ACTION_STALL, NULL, 0, MILLIS_MAX},
    {"accept-late", "MS",
     "accepts MS milliseconds late (default 1000); the kernel completes\n"
     "      the connect before that",
     FAULT_AT_ACCEPT, ACTION_CONTINUE, NULL, 1000, MILLIS_MAX},
    {"no-answer", NULL, "accepts and never says anything", FAULT_AT_LINE, ACTION_STALL, NULL, 0, 0},
    {"wrong-login", NULL, "answers NO to any login", FAULT_AT_LOGIN, ACTION_ANSWER_NO, NULL, 0, 0},
    {"close-login", NULL, "closes when a login comes", FAULT_AT_LOGIN, ACTION_FINISH, NULL, 0, 0},
    {"reset-login", NULL, "resets when a login comes", FAULT_AT_LOGIN, ACTION_RESET, NULL, 0, 0},
    {"silent-login", NULL, "never answers a login", FAULT_AT_LOGIN, ACTION_STALL, NULL, 0, 0},
    {"garbage-login", NULL, "answers a login with neither yes nor no", FAULT_AT_LOGIN,
     ACTION_GARBAGE, NULL, 0, 0},
    {"stop-short", "N", "closes normally after N frames", FAULT_AT_FRAME, ACTION_FINISH, damage_all,
     FAULT_HALF, PROTOCOL_FRAMES_MAX},
    {"truncate", "N", "closes normally in the middle of a frame, after N", FAULT_AT_FRAME,
     ACTION_FINISH, damage_cut, FAULT_HALF, PROTOCOL_FRAMES_MAX},
    {"reset", "N", "resets in the middle of a frame, after N", FAULT_AT_FRAME, ACTION_RESET,
     damage_cut, FAULT_HALF, PROTOCOL_FRAMES_MAX},
    {"stall", "N", "stops sending in the middle of a frame, after N", FAULT_AT_FRAME, ACTION_STALL,
     damage_cut, FAULT_HALF, PROTOCOL_FRAMES_MAX},
    {"corrupt", "N", "changes a byte of one frame's payload, after N", FAULT_AT_FRAME,
     ACTION_CONTINUE, damage_payload, FAULT_HALF, PROTOCOL_FRAMES_MAX},
    {"disorder", "N", "numbers one frame as its successor, after N", FAULT_AT_FRAME,
     ACTION_CONTINUE, damage_seq, FAULT_HALF, PROTOCOL_FRAMES_MAX},
    {"overlong", "N",
     "sends a frame that does not end, longer than any limit, after N;\n"
     "      then stays silent",
     FAULT_AT_FRAME, ACTION_FLOOD, damage_marker, FAULT_HALF, PROTOCOL_FRAMES_MAX},
    {"restart", "MS",
     "in the middle of a frame, half-way, the device restarts: resets all its\n"
     "      connections and refuses new ones for MS milliseconds (default 1000)",
     FAULT_AT_DEVICE, ACTION_RESTART, damage_cut, 1000, MILLIS_MAX},
    {"drip", "US", "sends byte by byte, US microseconds apart (default 1000)", FAULT_AT_BYTES,
     ACTION_CONTINUE, NULL, 1000, MICROS_MAX},
};

static const struct fault_kind *kind_at(unsigned index)
{
    return index < sizeof kinds / sizeof *kinds ? &kinds[index] : NULL;
}

static const struct fault_table devices = {kind_at, "servers", false};

/* ---- --help ---- */

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t text_bytes,
                                                         const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, text_bytes - used, format, arguments);
    va_end(arguments);
}

/* The name has a line of its own: --help keeps no columns within a line. */
void faults_describe(const struct fault_table *table, char *text, size_t text_bytes)
{
    const struct fault_kind *kind;
    text[0] = '\0';
    for (unsigned i = 0; (kind = table->kind(i)) != NULL; i++)
        append(text, text_bytes, "  %s%s%s%s\n      %s\n", kind->name,
               table->all_by_default ? "[:SHARE]" : ":SHARE", kind->argument ? ":" : "",
               kind->argument ? kind->argument : "", kind->help);
}

void faults_help(char *text, size_t text_bytes)
{
    faults_describe(&devices, text, text_bytes);
}

/* ---- --fault ---- */

static int share_read(char *text, struct fault *fault)
{
    char *end = text + strlen(text);
    fault->is_percent = end - text > 1 && end[-1] == '%';
    if (fault->is_percent)
        end[-1] = '\0';
    const char *allowed = fault->is_percent ? "0123456789." : "0123456789";
    if (*text == '\0' || text[strspn(text, allowed)] != '\0')
        return -1;
    fault->share = strtod(text, &end);
    return *end == '\0' && fault->share <= (fault->is_percent ? 100 : UINT32_MAX) ? 0 : -1;
}

static int argument_read(const char *text, struct fault *fault, char *why, size_t why_bytes)
{
    const struct fault_kind *kind = fault->kind;
    fault->argument = kind->argument_default;
    if (text == NULL)
        return 0;
    if (kind->argument == NULL)
        return why_write(why, why_bytes, "takes no third part for %s: %s:SHARE", kind->name,
                         kind->name);
    char *end;
    fault->argument = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || fault->argument > kind->argument_max)
        return why_write(why, why_bytes, "takes a whole number up to %llu as %s of %s:SHARE:%s",
                         (unsigned long long)kind->argument_max, kind->argument, kind->name,
                         kind->argument);
    return 0;
}

/* NULL, with `why`: the table has no such kind. */
static const struct fault_kind *kind_named(const struct fault_table *table, const char *name,
                                           char *why, size_t why_bytes)
{
    const struct fault_kind *kind;
    for (unsigned i = 0; (kind = table->kind(i)) != NULL; i++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    why_write(why, why_bytes, "takes KIND%s[:ARG], KIND one of",
              table->all_by_default ? "[:SHARE]" : ":SHARE");
    for (unsigned i = 0; (kind = table->kind(i)) != NULL; i++)
        append(why, why_bytes, "%s %s", i > 0 ? "," : "", kind->name);
    return NULL;
}

static int fault_read(const struct fault_table *table, char *text, struct fault *fault, char *why,
                      size_t why_bytes)
{
    char all[] = "100%", *share = strchr(text, ':'), *argument = NULL;
    if (share != NULL)
        *share++ = '\0';
    if (share != NULL && (argument = strchr(share, ':')) != NULL)
        *argument++ = '\0';
    fault->kind = kind_named(table, text, why, why_bytes);
    if (fault->kind == NULL)
        return -1;
    if (share == NULL && table->all_by_default)
        share = all;
    if (share == NULL || share_read(share, fault) < 0)
        return why_write(why, why_bytes,
                         "takes a number of %s or a percentage behind %s:, as in %s:2%%",
                         table->things, text, text);
    return argument_read(argument, fault, why, why_bytes);
}

int faults_read(const struct fault_table *table, const char *text, struct fault_list *list,
                char *why, size_t why_bytes)
{
    char copy[128];
    for (size_t bytes;; text += bytes + 1) {
        bytes = strcspn(text, ",");
        if (list->count == FAULTS_MAX || bytes >= sizeof copy)
            return why_write(why, why_bytes, "takes at most %d faults, each short", FAULTS_MAX);
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
        if (fault_read(table, copy, &list->items[list->count], why, why_bytes) < 0)
            return -1;
        list->count++;
        if (text[bytes] == '\0')
            return 0;
    }
}

int faults_option(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    return faults_read(&devices, text, field, why, why_bytes);
}

/* ---- which servers ---- */

static uint64_t servers_of(const struct fault *fault, uint64_t count)
{
    if (!fault->is_percent)
        return (uint64_t)fault->share;
    uint64_t servers = (uint64_t)(fault->share * (double)count / 100 + 0.5);
    return servers == 0 && fault->share > 0 ? 1 : servers; /* a small share of few servers is one */
}

/* Of `left` servers that are still good, `wanted` go bad: the i-th does when i * wanted / left
 * steps up. */
static void spread_one(const struct fault *fault, uint64_t wanted, uint64_t left, uint64_t count,
                       const struct fault **by_server)
{
    for (uint64_t server = 0, good = 0; server < count; server++) {
        if (by_server[server] != NULL)
            continue;
        if ((good + 1) * wanted / left > good * wanted / left)
            by_server[server] = fault;
        good++;
    }
}

int faults_spread(const struct fault_list *faults, uint64_t count, const struct fault **by_server,
                  char *why, size_t why_bytes)
{
    uint64_t left = count;
    if (by_server != NULL)
        memset(by_server, 0, count * sizeof *by_server);
    for (unsigned i = 0; i < faults->count; i++) {
        uint64_t wanted = servers_of(&faults->items[i], count);
        if (wanted > left)
            return why_write(
                why, why_bytes,
                "--fault %s wants %llu servers, but only %llu of %llu have no other fault",
                faults->items[i].kind->name, (unsigned long long)wanted, (unsigned long long)left,
                (unsigned long long)count);
        if (wanted > 0 && by_server != NULL)
            spread_one(&faults->items[i], wanted, left, count, by_server);
        left -= wanted;
    }
    return 0;
}
