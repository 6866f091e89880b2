/* The keys of a scenario: a table of the sweep's own, and what each may hold. */
#include "scenarios/sweep/cell.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/os.h"

enum kind { TEXT, EXPECT, WHOLE, SERVERS, SCREENS, DECIMAL, PERCENT, MILLIS, DURATION, IGNORED };

struct sweep_key {
    const char *name;
    enum kind kind;
    size_t offset;        /* of the value in struct cell */
    const char *fallback; /* NULL: the field stays 0 */
    double min, max;
    const char *takes; /* what a value may be, for errors; NULL: of a whole number, min to max */
    bool axis;         /* it may have several values, which name cells */
    const char *const *names; /* of a text: all that it may be; NULL: anything */
};

#define AT(field)  .offset = offsetof(struct cell, field)
#define PERCENTAGE "a percentage, such as 5%"
#define FIGURES                                                                                    \
    "a figure of a row, such as elapsed_ms, connect_ms, cpu_s, gb_per_cpu_s, peak_rss_kb or "      \
    "latency_us_p99"

static const char *const metrics[] = {"elapsed_ms",
                                      "connect_ms",
                                      "cpu_s",
                                      "bytes_per_s",
                                      "gb_per_cpu_s",
                                      "frames_per_s",
                                      "peak_rss_kb",
                                      "connect_us_p50",
                                      "connect_us_p99",
                                      "latency_us_p50",
                                      "latency_us_p99",
                                      "outage_ms_max",
                                      "accept_ms",
                                      "worst_screen_p95_ms",
                                      "screen_ms_p50",
                                      "screen_ms_p95",
                                      "decoded_ms_p50",
                                      "decoded_ms_p95",
                                      "decoded_worst_p95_ms",
                                      "input_ms_p95",
                                      "cpu_us_per_update",
                                      "updates_per_s",
                                      "mbit_per_s",
                                      NULL};

static const char *const after_losses[] = {"stop", "continue", NULL};

static const struct sweep_key sweep_keys[] = {
    {"client", TEXT, AT(client), "fanin-client", .axis = true},
    {"link", TEXT, AT(link_asked), CELL_LOOPBACK, .axis = true},
    {"launcher", TEXT, AT(launcher_asked), "", .axis = true},
    {"hosts", TEXT, AT(hosts_asked), "", .axis = true},
    {"network", TEXT, AT(network), ""},
    {"on-host-loss", TEXT, AT(on_host_loss), "stop", .takes = "stop or continue",
     .names = after_losses},
    {"cpu-share", PERCENT, AT(cpu_share_asked), "100", 1e-9, 1e9,
     "a percentage of one processor, such as 6%", .axis = true},
    {"cpu-period", MILLIS, AT(cpu_period_ms), "40ms", 1, 1000,
     "a time from 1ms to 1s, such as 40ms", .axis = true},
    {"rtt", DURATION, AT(rtt), .takes = "a duration from 0 to 10s, such as 9.9ms", .axis = true},
    {"label", TEXT, AT(label), "", .axis = true},
    {"machine", TEXT, AT(machine), "", .axis = true},
    {"repeat", WHOLE, AT(repeat), "5", 0, CELL_REPEAT_MAX},
    {"metric", TEXT, AT(metric), "elapsed_ms", .takes = FIGURES, .names = metrics},
    {"precision", PERCENT, AT(precision), "5", 0.01, 1000, PERCENTAGE},
    {"seed", WHOLE, AT(seed), NULL, 1, 9007199254740992}, /* 2^53 */
    {"advise", TEXT, AT(advise)},
    {"margin", PERCENT, AT(margin), "5", 0.01, 100, PERCENTAGE},
    {"calibrate", IGNORED, .offset = 0}, /* cells_expand reads it */
    {"target", DECIMAL, AT(target), NULL, 1e-9, 1e15, "a number above 0, such as 2043"},
    {"pause", WHOLE, AT(pause_ms), NULL, 0, 600000},
    {"timeout", WHOLE, AT(timeout_s), "120", 1, 86400},
    {"port", WHOLE, AT(port), "20000", 1, 65535},
    {"expect", EXPECT, AT(failures_expected), .takes = "failures or success"},
    {"row-seconds", DECIMAL, AT(row_seconds), "1", 0.001, 86400, "seconds, such as 1.5"},
    {"servers-program", TEXT, AT(servers_program), "fanin-servers"},
    {"servers", SERVERS, AT(servers), NULL, 1, CELL_SERVERS_MAX, .axis = true},
    {"screens", SCREENS, AT(servers), NULL, 1, CELL_SCREENS_MAX, .axis = true},
    {"fleet.ports-per-address", WHOLE, AT(ports_per_address), NULL, 0, 65535, .axis = true},
    {"title", IGNORED, .offset = 0}, /* for readers of the record */
};

enum { SWEEP_KEYS = sizeof sweep_keys / sizeof *sweep_keys };

bool text_is_among(const char *text, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, text) == 0)
            return true;
    }
    return false;
}

static const struct sweep_key *find_sweep_key(const char *key)
{
    for (size_t i = 0; i < SWEEP_KEYS; i++) {
        if (strcmp(sweep_keys[i].name, key) == 0)
            return &sweep_keys[i];
    }
    return NULL;
}

const char *key_fleet_option(const char *key)
{
    static const char prefix[] = KEY_FLEET_PREFIX;
    return strncmp(key, prefix, strlen(prefix)) == 0 ? key + strlen(prefix) : NULL;
}

bool key_passes_on(const char *key)
{
    const struct sweep_key *sweep_key = find_sweep_key(key);
    if (sweep_key != NULL)
        return sweep_key->kind == SERVERS || sweep_key->kind == SCREENS;
    return key_fleet_option(key) == NULL;
}

bool key_names_cells(const char *key)
{
    const struct sweep_key *sweep_key = find_sweep_key(key);
    return sweep_key == NULL || sweep_key->axis;
}

static bool read_whole(const struct sweep_key *key, const char *text, uint64_t *whole)
{
    char *end;
    *whole = strtoull(text, &end, 10); /* what does not fit is above any max */
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *whole >= (uint64_t)key->min &&
           *whole <= (uint64_t)key->max;
}

bool key_duration(const char *text, uint64_t *duration_ns)
{
    enum { DURATION_S_MAX = 10 }; /* that fanin-lan takes */
    return values_quantity_parse(text, values_durations, duration_ns) &&
           *duration_ns <= (uint64_t)DURATION_S_MAX * OS_NS_PER_S;
}

/* "1.5", or with `unit` also "5%". */
static bool read_decimal(const struct sweep_key *key, const char *text, const char *unit,
                         double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && (*end == '\0' || strcmp(end, unit) == 0) && isfinite(*value) &&
           *value >= key->min && *value <= key->max;
}

/* "40", "40ms", "1s". */
static bool read_millis(const struct sweep_key *key, const char *text, uint64_t *millis)
{
    const struct option_spec spec = {
        .name = key->name, .min = (uint64_t)key->min, .max = (uint64_t)key->max};
    char why[ERROR_BYTES];
    return options_millis(&spec, text, millis, why, sizeof why) == 0;
}

/* Reads the text into the key's field. False: it is not what the key takes. */
static bool read_value(const struct sweep_key *key, const char *text, struct cell *cell)
{
    void *field = (char *)cell + key->offset;
    uint64_t duration_ns;
    bool sound;
    switch (key->kind) {
    case TEXT:
        *(const char **)field = text;
        return key->names == NULL || text_is_among(text, key->names);
    case EXPECT:
        *(bool *)field = strcmp(text, "failures") == 0;
        return *(bool *)field || strcmp(text, "success") == 0;
    case SERVERS: /* or a list or @file of servers that are not ours */
        return text[strspn(text, "0123456789")] != '\0' || read_whole(key, text, field);
    case SCREENS:
    case WHOLE:
        return read_whole(key, text, field);
    case DECIMAL:
        return read_decimal(key, text, "", field);
    case PERCENT:
        sound = read_decimal(key, text, "%", field);
        *(double *)field /= 100;
        return sound;
    case MILLIS:
        return read_millis(key, text, field);
    case DURATION:
        *(const char **)field = text;
        return key_duration(text, &duration_ns);
    case IGNORED:
        break;
    }
    return true;
}

void key_defaults(struct cell *cell)
{
    for (size_t i = 0; i < SWEEP_KEYS; i++) {
        if (sweep_keys[i].fallback != NULL)
            read_value(&sweep_keys[i], sweep_keys[i].fallback, cell);
    }
}

int key_read(const struct pair *pair, struct cell *cell, struct error *error)
{
    const struct sweep_key *key = find_sweep_key(pair->key);
    if (key == NULL || read_value(key, pair->value, cell))
        return 0;
    if (key->takes != NULL)
        return error_set(error, &pair->place, "%s = %s: takes %s", pair->key, pair->value,
                         key->takes);
    return error_set(error, &pair->place, "%s = %s: takes a whole number from %.0f to %.0f",
                     pair->key, pair->value, key->min, key->max);
}

int key_check(const struct setting *setting, struct error *error)
{
    static const char *const fleet_own[] = {"count", "port", "ready-file", "dry-run", "help", NULL};
    static const char *const client_own[] = {"json", "link-rate", "dry-run",
                                             "help", "version",   NULL};
    const char *key = setting->key, *option = key_fleet_option(key);
    if (!key_names_cells(key) && setting->value_count > 1)
        return error_set(error, &setting->place, "%s takes one value, not a list%s", key,
                         setting->tight ? "; a fraction has a point, as 1.5" : "");
    if (option != NULL && text_is_among(option, fleet_own))
        return error_set(error, &setting->place,
                         "%s is set by the sweep from servers (or screens) and port; remove it",
                         key);
    if (option == NULL && strchr(key, '.') != NULL)
        return error_set(error, &setting->place, "%s: only \"fleet.\" may precede a key's name",
                         key);
    if (text_is_among(key, client_own))
        return error_set(error, &setting->place, "%s is set by the sweep; remove it", key);
    return 0;
}

/* ---- what a list may have been meant for ---- */

/* Whether "1,5" may be one number: of a key that takes fractions, with a unit ("1,5s"), or with
 * thousands ("10,000", whose second value is not written like a number). */
static bool may_be_one_number(const struct setting *setting)
{
    static const char digits[] = "0123456789";
    if (!setting->tight || setting->value_count != 2 || setting->values[0].reference)
        return false;
    const char *first = setting->values[0].text, *second = setting->values[1].text;
    const size_t whole = strspn(second, digits);
    if (first[strspn(first, digits)] != '\0' || whole == 0)
        return false;
    return strcmp(setting->key, "rate") == 0 || second[whole] != '\0' ||
           (second[0] == '0' && second[1] != '\0');
}

static bool may_be_one_list(const struct setting *setting)
{
    if (strcmp(setting->key, "servers") != 0 || setting->value_count < 2)
        return false;
    for (unsigned i = 0; i < setting->value_count; i++)
        if (strchr(setting->values[i].text, ':') == NULL)
            return false;
    return true;
}

const char *key_hint(struct arena *arena, const struct setting *setting)
{
    const char *key = setting->key, *first = setting->values[0].text;
    if (may_be_one_number(setting))
        return arena_text(arena,
                          "%s = %s,%s is two values, %s and %s; in one number a fraction has a "
                          "point, and thousands have no sign",
                          key, first, setting->values[1].text, first, setting->values[1].text);
    if (may_be_one_list(setting))
        return arena_text(arena,
                          "%s has %u values, each for cells of its own; one list of servers "
                          "stands in quotes: %s = \"%s,%s\"",
                          key, setting->value_count, key, first, setting->values[1].text);
    return NULL;
}
