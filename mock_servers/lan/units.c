/* Parses rates, durations, shares, queue sizes and cuts. */
#include "mock_servers/lan/units.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_servers/lan/address.h"
#include "mock_servers/lan/shaper.h"

enum {
    CUT_TEXT_BYTES_MAX = 64,
    PERCENT = 100,
};

struct unit {
    const char *name;
    double factor;
};

static const struct unit rates[] = {
    {"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};
static const struct unit durations[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};
static const struct unit shares[] = {{"%", 1.0 / PERCENT}, {NULL, 0}};
static const struct unit sizes[] = {{"kB", 1e3}, {"MB", 1e6},    {"KiB", 1024}, {"MiB", 1 << 20},
                                    {"k", 1024}, {"M", 1 << 20}, {"B", 1},      {NULL, 0}};

/* A decimal number and a unit of the list; a lone 0 needs none. strtod alone would take
 * hexadecimal, "inf", "nan" and signs. */
static bool quantity_parse(const char *text, const struct unit *units, double *value)
{
    char *end;

    if (!isdigit((unsigned char)text[0]) || text[strspn(text, "0123456789.")] == 'e' ||
        tolower((unsigned char)text[1]) == 'x')
        return false;
    double number = strtod(text, &end);
    for (; units->name != NULL; units++)
        if (strcasecmp(end, units->name) == 0)
            break;
    if (units->name == NULL && (*end != '\0' || number != 0))
        return false;
    *value = number * (units->name == NULL ? 0 : units->factor);
    return isfinite(*value);
}

static bool quantity_take(const char *text, const struct unit *units, double min, double max,
                          double *value)
{
    return quantity_parse(text, units, value) && *value >= min && *value <= max;
}

static int refuse(char *why, size_t why_bytes, const char *right)
{
    snprintf(why, why_bytes, "takes %s", right);
    return -1;
}

int unit_bit_rate(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    double value = 0;

    (void)spec;
    if (strcmp(text, "unlimited") != 0 && !quantity_take(text, rates, 8e3, 100e9, &value))
        return refuse(why, why_bytes,
                      "a rate from 8kbit to 100gbit, as 100mbit or 1.5gbit, or unlimited");
    *(uint64_t *)field = (uint64_t)value;
    return 0;
}

static int duration_parse(const char *text, double min_ns, double max_ns, uint64_t *field)
{
    double value;

    if (!quantity_take(text, durations, min_ns, max_ns, &value))
        return -1;
    *field = (uint64_t)llround(value);
    return 0;
}

int unit_duration(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    (void)spec;
    return duration_parse(text, 0, 10e9, field) == 0
               ? 0
               : refuse(why, why_bytes, "a duration from 0 to 10s, as 0.5ms, 250us or 2s");
}

int unit_timeout(const struct option_spec *spec, const char *text, void *field, char *why,
                 size_t why_bytes)
{
    (void)spec;
    return duration_parse(text, 1e6, 3600e9, field) == 0
               ? 0
               : refuse(why, why_bytes, "a duration from 1ms to 3600s, as 500ms or 30s");
}

int unit_share(const struct option_spec *spec, const char *text, void *field, char *why,
               size_t why_bytes)
{
    (void)spec;
    return quantity_take(text, shares, 0, 1, field)
               ? 0
               : refuse(why, why_bytes, "a percentage from 0% to 100%, as 0.5%");
}

int unit_queue(const struct option_spec *spec, const char *text, void *field, char *why,
               size_t why_bytes)
{
    struct queue_size *queue = field;
    uint64_t duration_ns;
    double bytes;

    (void)spec;
    if (duration_parse(text, 1, 10e9, &duration_ns) == 0) {
        *queue = (struct queue_size){.duration_ns = duration_ns};
        return 0;
    }
    if (quantity_parse(text, sizes, &bytes) && bytes >= WIRE_BYTES_MAX &&
        bytes <= SHAPER_QUEUE_BYTES_MAX) {
        *queue = (struct queue_size){.bytes = (uint64_t)llround(bytes)};
        return 0;
    }
    snprintf(why, why_bytes,
             "takes the time that a full queue takes to drain, up to 10s, as 100ms; or a size from "
             "%dB to %dMiB, as 256kB",
             WIRE_BYTES_MAX, SHAPER_QUEUE_BYTES_MAX >> 20);
    return -1;
}

/* One "AT:FOR" of `bytes` characters. */
static bool cut_parse(const char *text, size_t bytes, struct cut *cut)
{
    char copy[CUT_TEXT_BYTES_MAX];
    double from, duration;

    if (bytes >= sizeof copy)
        return false;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    char *colon = strchr(copy, ':');
    if (colon == NULL)
        return false;
    *colon = '\0';
    if (!quantity_parse(copy, durations, &from) || !quantity_parse(colon + 1, durations, &duration))
        return false;
    if (duration < 1 || from + duration > (double)INT64_MAX)
        return false;
    cut->from_ns = (uint64_t)llround(from);
    cut->until_ns = cut->from_ns + (uint64_t)llround(duration);
    return true;
}

int unit_cuts(const struct option_spec *spec, const char *text, void *field, char *why,
              size_t why_bytes)
{
    struct cut_list *list = field;
    struct cut_list read = {0};

    (void)spec;
    for (;;) {
        size_t bytes = strcspn(text, ",");
        struct cut *cut = &read.cuts[read.count];
        if (read.count == CUTS_MAX || !cut_parse(text, bytes, cut) ||
            (read.count > 0 && cut->from_ns <= cut[-1].until_ns))
            break;
        read.count++;
        text += bytes;
        if (*text++ == '\0') {
            *list = read;
            return 0;
        }
    }
    snprintf(why, why_bytes,
             "takes up to %d times AT:FOR in order, as 2s:500ms or 2s:500ms,10s:1s, that do not "
             "overlap",
             CUTS_MAX);
    return -1;
}
