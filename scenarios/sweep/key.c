/* The keys of a scenario: a table of the sweep's own, and what each may hold. */
#include "scenarios/sweep/key.h"

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

enum kind { TEXT, WHOLE, SECONDS, PERCENT, METRIC, EXPECT, IGNORED };

struct sweep_key {
    const char *name;
    enum kind kind;
    size_t offset; /* of the value in struct cell */
    double min, max;
    bool axis; /* it may have several values, which name cells */
};

#define AT(field) offsetof(struct cell, field)

static const struct sweep_key sweep_keys[] = {
    {"client", TEXT, AT(client), 0, 0, true},
    {"link", TEXT, AT(link_asked), 0, 0, true},
    {"label", TEXT, AT(label), 0, 0, true},
    {"repeat", WHOLE, AT(repeat), 1, CELL_REPEAT_MAX, false},
    {"metric", METRIC, AT(metric), 0, 0, false},
    {"precision", PERCENT, AT(precision), 0.01, 1000, false},
    {"seed", WHOLE, AT(seed), 1, 9007199254740992, false}, /* 2^53 */
    {"advise", TEXT, AT(advise), 0, 0, false},
    {"margin", PERCENT, AT(margin), 0.01, 100, false},
    {"pause", WHOLE, AT(pause_ms), 0, 600000, false},
    {"timeout", WHOLE, AT(timeout_s), 1, 86400, false},
    {"port", WHOLE, AT(port), 1, 65535, false},
    {"expect", EXPECT, AT(failures_expected), 0, 0, false},
    {"row-seconds", SECONDS, AT(row_seconds), 0.001, 86400, false},
    {"servers-program", TEXT, AT(servers_program), 0, 0, false},
    {"title", IGNORED, 0, 0, 0, false}, /* for readers of the record */
};

/* "1.5", or with `unit` "5%". */
static bool read_decimal(const char *text, const char *unit, const struct sweep_key *key,
                         double *value)
{
    char *end;

    *value = strtod(text, &end);
    return end != text && (*end == '\0' || strcmp(end, unit) == 0) && isfinite(*value) &&
           *value >= key->min && *value <= key->max;
}

static int read_percent(const struct sweep_key *key, const struct pair *pair, double *share,
                        struct error *error)
{
    double percent;

    if (!read_decimal(pair->value, "%", key, &percent))
        return error_set(error, &pair->place, "%s = %s: takes a percentage, such as 5%%", pair->key,
                         pair->value);
    *share = percent / 100;
    return 0;
}

static int read_seconds(const struct sweep_key *key, const struct pair *pair, double *seconds,
                        struct error *error)
{
    if (!read_decimal(pair->value, "", key, seconds))
        return error_set(error, &pair->place, "%s = %s: takes seconds, such as 1.5", pair->key,
                         pair->value);
    return 0;
}

static int read_metric(const struct pair *pair, const char **metric, struct error *error)
{
    static const char *const names[] = {
        "elapsed_ms",     "connect_ms",     "cpu_s",          "bytes_per_s",
        "gb_per_cpu_s",   "frames_per_s",   "peak_rss_kb",    "connect_us_p50",
        "connect_us_p99", "latency_us_p50", "latency_us_p99", "outage_ms_max",
    };

    *metric = pair->value;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], pair->value) == 0)
            return 0;
    }
    return error_set(error, &pair->place,
                     "metric = %s: takes a figure of a row, such as elapsed_ms, connect_ms, cpu_s, "
                     "gb_per_cpu_s, peak_rss_kb or latency_us_p99",
                     pair->value);
}

static int read_expect(const struct pair *pair, bool *failures, struct error *error)
{
    *failures = strcmp(pair->value, "failures") == 0;
    if (!*failures && strcmp(pair->value, "success") != 0)
        return error_set(error, &pair->place, "expect = %s: takes failures or success",
                         pair->value);
    return 0;
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

    if (key == NULL)
        return 0;
    switch (key->kind) {
    case TEXT:
        *(const char **)field = pair->value;
        return 0;
    case WHOLE:
        return key_number(pair, (uint64_t)key->min, (uint64_t)key->max, field, error);
    case SECONDS:
        return read_seconds(key, pair, field, error);
    case PERCENT:
        return read_percent(key, pair, field, error);
    case METRIC:
        return read_metric(pair, field, error);
    case EXPECT:
        return read_expect(pair, field, error);
    case IGNORED:
        return 0;
    }
    return 0;
}

static bool is_reserved(const char *key, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, key) == 0)
            return true;
    }
    return false;
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
    if (key_is_fleets(key) && is_reserved(key + strlen(KEY_FLEET_PREFIX), fleet_own))
        return error_set(error, &setting->place,
                         "%s is set by the sweep from servers and port; remove it", key);
    if (!key_is_fleets(key) && strchr(key, '.') != NULL)
        return error_set(error, &setting->place, "%s: only \"fleet.\" may precede a key's name",
                         key);
    if (is_reserved(key, client_own))
        return error_set(error, &setting->place, "%s is set by the sweep; remove it", key);
    return 0;
}
