#include "mock_servers/lan/units.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX_HERE = 64, PERCENT = 100 };

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

static bool within(const struct option_spec *spec, double value)
{
    return value >= (double)spec->min && (spec->max == 0 || value <= (double)spec->max);
}

const char *unit_rate_text(uint64_t bits_per_s, char text[32])
{
    if (bits_per_s == 0)
        return "unlimited";
    if (bits_per_s % 1000000000 == 0)
        snprintf(text, 32, "%g Gbit/s", (double)bits_per_s / 1e9);
    else if (bits_per_s >= 1000000)
        snprintf(text, 32, "%g Mbit/s", (double)bits_per_s / 1e6);
    else
        snprintf(text, 32, "%g kbit/s", (double)bits_per_s / 1e3);
    return text;
}

int unit_bit_rate(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    double value = 0;

    if (strcmp(text, "unlimited") != 0 &&
        (!quantity_parse(text, rates, &value) || value < 1 || !within(spec, value))) {
        char min[32], max[32];
        snprintf(why, why_bytes, "takes a rate from %s to %s, as 100mbit or 1.5gbit, or unlimited",
                 unit_rate_text(spec->min, min), unit_rate_text(spec->max, max));
        return -1;
    }
    *(uint64_t *)field = (uint64_t)value;
    return 0;
}

static const char *duration_text(uint64_t duration_ns, char text[32])
{
    double value = (double)duration_ns;
    int unit = 0;

    while (durations[unit + 1].name != NULL && value >= durations[unit + 1].factor)
        unit++;
    snprintf(text, 32, "%g%s", value / durations[unit].factor, durations[unit].name);
    return text;
}

int unit_duration(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    double value;

    if (!quantity_parse(text, durations, &value) || !within(spec, value)) {
        char min[32], max[32];
        snprintf(why, why_bytes, "takes a duration from %s to %s, as 0.5ms, 250us or 2s",
                 duration_text(spec->min, min), duration_text(spec->max, max));
        return -1;
    }
    *(uint64_t *)field = (uint64_t)llround(value);
    return 0;
}

int unit_share(const struct option_spec *spec, const char *text, void *field, char *why,
               size_t why_bytes)
{
    double value;

    (void)spec;
    if (!quantity_parse(text, shares, &value) || value > 1) {
        snprintf(why, why_bytes, "takes a percentage from 0%% to 100%%, as 0.5%%");
        return -1;
    }
    *(double *)field = value;
    return 0;
}

int unit_queue(const struct option_spec *spec, const char *text, void *field, char *why,
               size_t why_bytes)
{
    enum { DURATION_S_MAX = 10 };
    struct queue_size *queue = field;
    double value;

    if (quantity_parse(text, durations, &value) && value >= 1 && value <= DURATION_S_MAX * 1e9) {
        *queue = (struct queue_size){.duration_ns = (uint64_t)llround(value)};
        return 0;
    }
    if (quantity_parse(text, sizes, &value) && within(spec, value)) {
        *queue = (struct queue_size){.bytes = (uint64_t)llround(value)};
        return 0;
    }
    snprintf(why, why_bytes,
             "takes a time that a full queue takes to drain, up to %ds, as 100ms; or a size from "
             "%llu to %llu bytes, as 256kB",
             DURATION_S_MAX, (unsigned long long)spec->min, (unsigned long long)spec->max);
    return -1;
}

/* One "AT:FOR" of `bytes` characters. */
static bool cut_parse(const char *text, size_t bytes, struct cut *cut)
{
    char copy[TEXT_BYTES_MAX_HERE];
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
