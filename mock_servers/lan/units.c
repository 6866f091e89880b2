/* Parses rates, durations, shares, queue sizes and cuts. */
#include "mock_servers/lan/units.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/values.h"
#include "mock_servers/lan/address.h"
#include "mock_servers/lan/shaper.h"

static const uint64_t duration_max_ns = 10ULL * OS_NS_PER_S;
static const double share_steps = 1e11; /* of 1: shares are read as whole numbers of steps */

enum { CUTS_TEXT_BYTES_MAX = 1024 };

static const struct unit rates[] = {{"bit", 1},        {"kbit", 1000},       {"mbit", 1000000},
                                    {"Mbit", 1000000}, {"gbit", 1000000000}, {"Gbit", 1000000000},
                                    {NULL, 0}};
static const struct unit durations[] = {
    {"ns", 1}, {"us", 1000}, {"ms", OS_NS_PER_MS}, {"s", OS_NS_PER_S}, {NULL, 0}};
static const struct unit shares[] = {{"%", 1000000000}, {NULL, 0}};

/* A lone 0 needs no unit. */
static bool quantity_take(const char *text, const struct unit *units, uint64_t min, uint64_t max,
                          uint64_t *value)
{
    *value = 0;
    if (strcmp(text, "0") != 0 && !values_quantity_parse(text, units, value))
        return false;
    return *value >= min && *value <= max;
}

int unit_bit_rate(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    uint64_t value = 0;

    if (strcmp(text, "unlimited") != 0 && !quantity_take(text, rates, 8000, 100000000000, &value))
        return why_write(why, why_bytes,
                         "takes a rate from 8kbit to 100gbit, as 100mbit or 1.5gbit, or unlimited");
    *(uint64_t *)field = value;
    return 0;
}

int unit_duration(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    if (quantity_take(text, durations, 0, duration_max_ns, field))
        return 0;
    return why_write(why, why_bytes, "takes a duration from 0 to 10s, as 0.5ms, 250us or 2s");
}

int unit_share(const struct option_spec *spec, const char *text, void *field, char *why,
               size_t why_bytes)
{
    uint64_t steps;

    if (!quantity_take(text, shares, 0, (uint64_t)share_steps, &steps))
        return why_write(why, why_bytes, "takes a percentage from 0%% to 100%%, as 0.5%%");
    *(double *)field = (double)steps / share_steps;
    return 0;
}

int unit_queue(const struct option_spec *spec, const char *text, void *field, char *why,
               size_t why_bytes)
{
    static const struct option_spec sizes = {.min = WIRE_BYTES_MAX, .max = SHAPER_QUEUE_BYTES_MAX};
    struct queue_size queue = {0, 0};

    if (!quantity_take(text, durations, 1, duration_max_ns, &queue.duration_ns)) {
        queue.duration_ns = 0;
        if (options_bytes(&sizes, text, &queue.bytes, why, why_bytes) != 0)
            return why_write(
                why, why_bytes,
                "takes the time that a full queue takes to drain, up to 10s, as 100ms; or a "
                "size from %dB to %dMiB, as 256kB",
                WIRE_BYTES_MAX, SHAPER_QUEUE_BYTES_MAX >> 20);
    }
    *(struct queue_size *)field = queue;
    return 0;
}

/* Takes one "AT:FOR" apart, which lies behind the cut before it. */
static bool cut_take(char *text, struct cut_list *list)
{
    char *at = strsep(&text, ":");
    uint64_t earliest_ns = list->count > 0 ? list->cuts[list->count - 1].until_ns + 1 : 0;
    uint64_t from_ns, duration_ns;

    if (list->count == CUTS_MAX || text == NULL ||
        !quantity_take(at, durations, earliest_ns, INT64_MAX, &from_ns) ||
        !quantity_take(text, durations, 1, INT64_MAX, &duration_ns))
        return false;
    list->cuts[list->count++] = (struct cut){from_ns, from_ns + duration_ns};
    return true;
}

int unit_cuts(const struct option_spec *spec, const char *text, void *field, char *why,
              size_t why_bytes)
{
    char copy[CUTS_TEXT_BYTES_MAX], *rest = copy;
    struct cut_list list = {0};
    bool good = snprintf(copy, sizeof copy, "%s", text) < CUTS_TEXT_BYTES_MAX;

    while (good && rest != NULL)
        good = cut_take(strsep(&rest, ","), &list);
    if (!good)
        return why_write(
            why, why_bytes,
            "takes up to %d times AT:FOR in order, as 2s:500ms or 2s:500ms,10s:1s, that do "
            "not overlap",
            CUTS_MAX);
    *(struct cut_list *)field = list;
    return 0;
}
