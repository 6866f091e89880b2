/* Reads servers' first bytes, and says in a failure's reason what they mean. */
#include "client/collector/hints.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void opening_feed(struct opening *opening, const void *data, size_t bytes)
{
    const size_t room = OPENING_BYTES - opening->count;
    const size_t part = bytes < room ? bytes : room;
    memcpy(opening->bytes + opening->count, data, part);
    opening->count += (uint8_t)part;
}

/* Answers to what is no request of HTTP may come without a head. */
static bool is_http(const struct opening *opening)
{
    static const char *const begins[] = {"http/1.", "<html", "<!docty"};
    for (unsigned i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        size_t same = 0;
        while (same < opening->count && tolower(opening->bytes[same]) == begins[i][same])
            same++;
        if (begins[i][same] == '\0')
            return true;
    }
    return false;
}

/* A record begins with its type and a version, 3.0 to 3.4. */
static bool is_tls(const struct opening *opening)
{
    enum { ALERT = 0x15, HANDSHAKE = 0x16, MAJOR = 3, MINOR_MAX = 4 };
    const uint8_t *bytes = opening->bytes;
    return opening->count >= 3 && (bytes[0] == ALERT || bytes[0] == HANDSHAKE) &&
           bytes[1] == MAJOR && bytes[2] <= MINOR_MAX;
}

void hints_count(struct hints *hints, const struct opening *opening, const char *reason)
{
    static const char *const closed[] = {"closed-early", "reset", "login-closed", "login-reset"};
    hints->http += is_http(opening);
    hints->tls += is_tls(opening);
    for (unsigned i = 0; opening->count == 0 && i < sizeof closed / sizeof closed[0]; i++)
        hints->silent += strcmp(reason, closed[i]) == 0;
}

static uint64_t errors_named(const struct row *row, const char *name)
{
    const struct row_tally *errors = row->errors;
    for (unsigned i = 0; i < errors->used; i++)
        if (strcmp(errors->items[i].name, name) == 0)
            return errors->items[i].count;
    return 0;
}

static void add(struct row *row, uint64_t count, const char *format, uint64_t value)
{
    char text[ROW_LINE_BYTES];
    const size_t used = strlen(row->reason);
    if (count == 0)
        return;
    snprintf(text, sizeof text, format, (unsigned long long)value);
    snprintf(row->reason + used, sizeof row->reason - used, "; %s", text);
}

void hints_add(const struct hints *hints, struct row *row)
{
    const bool foreign = row->options->request.given;
    const bool may_end_so =
        foreign && !row->options->close_ends_frame && row->options->verify == VERIFY_NONE;
    const bool counts_bytes = foreign && row->frames == ROW_UNKNOWN && row->frames_per_server > 0;
    add(row, errors_named(row, frame_error_name(FRAME_OVERLONG)),
        "overlong: no end marker within %llu bytes, the limit of --frame-max",
        row->frame_bytes_max);
    add(row, may_end_so ? errors_named(row, frame_error_name(FRAME_TRUNCATED)) : 0,
        "truncated: closed behind a last frame without an end marker, which --close-ends-frame "
        "takes for whole",
        0);
    add(row, hints->http, "%llu answered as HTTP servers do", hints->http);
    add(row, hints->tls, "%llu answered with a TLS record: this client speaks plain TCP",
        hints->tls);
    add(row, foreign ? hints->silent : 0,
        "%llu closed without a byte, as servers that expect TLS may", hints->silent);
    add(row, counts_bytes ? errors_named(row, "stalled") : 0,
        "stalled: bytes alone do not show that %llu frames have come: end it with --for",
        row->frames_per_server);
}
