/* The keys of a scenario: a table of the sweep's own, and what each may hold. */
#include "scenarios/sweep/cell.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int key_number(const struct pair *pair, uint64_t min, uint64_t max, uint64_t *number,
               struct error *error)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(pair->value, &end, 10);
    if (pair->value[0] < '0' || pair->value[0] > '9' || *end != '\0' || errno != 0 || value < min ||
        value > max)
        return error_set(error, &pair->place, "%s = %s: takes a whole number from %llu to %llu",
                         pair->key, pair->value, (unsigned long long)min, (unsigned long long)max);
    *number = value;
    return 0;
}

enum kind { TEXT, WHOLE, DECIMAL, PERCENT, METRIC, EXPECT, IGNORED };

struct sweep_key {
    const char *name;
    enum kind kind;
    size_t offset; /* of the value in struct cell */
    double min, max;
    bool axis; /* it may have several values, which name cells */
    const char *takes;
};

#define AT(field) offsetof(struct cell, field)
#define FIGURES                                                                                    \
    "a figure of a row, such as elapsed_ms, connect_ms, cpu_s, gb_per_cpu_s, peak_rss_kb or "      \
    "latency_us_p99"

static const struct sweep_key sweep_keys[] = {
    {"client", TEXT, AT(client), 0, 0, true, NULL},
    {"link", TEXT, AT(link_asked), 0, 0, true, NULL},
    {"label", TEXT, AT(label), 0, 0, true, NULL},
    {"repeat", WHOLE, AT(repeat), 1, CELL_REPEAT_MAX, false, NULL},
    {"metric", METRIC, AT(metric), 0, 0, false, FIGURES},
    {"precision", PERCENT, AT(precision), 0.01, 1000, false, "a percentage, such as 5%"},
    {"seed", WHOLE, AT(seed), 1, 9007199254740992, false, NULL}, /* 2^53 */
    {"advise", TEXT, AT(advise), 0, 0, false, NULL},
    {"margin", PERCENT, AT(margin), 0.01, 100, false, "a percentage, such as 5%"},
    {"pause", WHOLE, AT(pause_ms), 0, 600000, false, NULL},
    {"timeout", WHOLE, AT(timeout_s), 1, 86400, false, NULL},
    {"port", WHOLE, AT(port), 1, 65535, false, NULL},
    {"expect", EXPECT, AT(failures_expected), 0, 0, false, "failures or success"},
    {"row-seconds", DECIMAL, AT(row_seconds), 0.001, 86400, false, "seconds, such as 1.5"},
    {"servers-program", TEXT, AT(servers_program), 0, 0, false, NULL},
    {"title", IGNORED, 0, 0, 0, false, NULL}, /* for readers of the record */
};

bool text_is_among(const char *text, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, text) == 0)
            return true;
    }
    return false;
}

/* "1.5", or with `unit` "5%". */
static bool read_decimal(const struct sweep_key *key, const char *text, const char *unit,
                         double *value)
{
    char *end;

    *value = strtod(text, &end);
    return end != text && (*end == '\0' || strcmp(end, unit) == 0) && isfinite(*value) &&
           *value >= key->min && *value <= key->max;
}

static bool read_percent(const struct sweep_key *key, const char *text, double *share)
{
    bool sound = read_decimal(key, text, "%", share);

    *share /= 100;
    return sound;
}

static bool read_metric(const char *text, const char **metric)
{
    static const char *const names[] = {
        "elapsed_ms",
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
        NULL,
    };

    *metric = text;
    return text_is_among(text, names);
}

static bool read_expect(const char *text, bool *failures)
{
    *failures = strcmp(text, "failures") == 0;
    return *failures || strcmp(text, "success") == 0;
}

static const struct sweep_key *find_sweep_key(const char *key)
{
    for (size_t i = 0; i < sizeof sweep_keys / sizeof *sweep_keys; i++) {
        if (strcmp(sweep_keys[i].name, key) == 0)
            return &sweep_keys[i];
    }
    return NULL;
}

bool key_is_fleets(const char *key)
{
    return strncmp(key, KEY_FLEET_PREFIX, strlen(KEY_FLEET_PREFIX)) == 0;
}

bool key_passes_on(const char *key)
{
    return find_sweep_key(key) == NULL && !key_is_fleets(key);
}

bool key_names_cells(const char *key)
{
    const struct sweep_key *sweep_key = find_sweep_key(key);

    return sweep_key == NULL || sweep_key->axis;
}

int key_read(const struct pair *pair, struct cell *cell, struct error *error)
{
    const struct sweep_key *key = find_sweep_key(pair->key);
    void *field = key == NULL ? NULL : (char *)cell + key->offset;
    bool sound = true;

    if (key == NULL || key->kind == IGNORED)
        return 0;
    if (key->kind == WHOLE)
        return key_number(pair, (uint64_t)key->min, (uint64_t)key->max, field, error);
    if (key->kind == TEXT)
        *(const char **)field = pair->value;
    else if (key->kind == DECIMAL)
        sound = read_decimal(key, pair->value, "", field);
    else if (key->kind == PERCENT)
        sound = read_percent(key, pair->value, field);
    else if (key->kind == METRIC)
        sound = read_metric(pair->value, field);
    else
        sound = read_expect(pair->value, field);
    if (sound)
        return 0;
    return error_set(error, &pair->place, "%s = %s: takes %s", pair->key, pair->value, key->takes);
}

int key_check(const struct setting *setting, struct error *error)
{
    static const char *const fleet_own[] = {"count", "port", "ready-file", "dry-run", "help", NULL};
    static const char *const client_own[] = {"json", "link-rate", "dry-run",
                                             "help", "version",   NULL};
    const char *key = setting->key;
    const struct sweep_key *sweep_key = find_sweep_key(key);

    if (sweep_key != NULL && !sweep_key->axis && setting->value_count > 1)
        return error_set(error, &setting->place, "%s takes one value, not a list", key);
    if (key_is_fleets(key) && text_is_among(key + strlen(KEY_FLEET_PREFIX), fleet_own))
        return error_set(error, &setting->place,
                         "%s is set by the sweep from servers and port; remove it", key);
    if (!key_is_fleets(key) && strchr(key, '.') != NULL)
        return error_set(error, &setting->place, "%s: only \"fleet.\" may precede a key's name",
                         key);
    if (text_is_among(key, client_own))
        return error_set(error, &setting->place, "%s is set by the sweep; remove it", key);
    return 0;
}
