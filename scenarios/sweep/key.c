#include "scenarios/sweep/key.h"

#include <errno.h>
#include <math.h>
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

static int read_client(const struct pair *pair, struct cell *cell, struct error *error)
{
    (void)error;
    cell->client = pair->value;
    return 0;
}

static int read_servers_program(const struct pair *pair, struct cell *cell, struct error *error)
{
    (void)error;
    cell->servers_program = pair->value;
    return 0;
}

static int read_link(const struct pair *pair, struct cell *cell, struct error *error)
{
    (void)error; /* which names there are is links.conf's to say */
    cell->link_asked = pair->value;
    return 0;
}

static int read_label(const struct pair *pair, struct cell *cell, struct error *error)
{
    (void)error;
    cell->label = pair->value;
    return 0;
}

static int read_repeat(const struct pair *pair, struct cell *cell, struct error *error)
{
    return key_number(pair, 1, CELL_REPEAT_MAX, &cell->repeat, error);
}

static int read_pause(const struct pair *pair, struct cell *cell, struct error *error)
{
    return key_number(pair, 0, 600000, &cell->pause_ms, error);
}

static int read_timeout(const struct pair *pair, struct cell *cell, struct error *error)
{
    return key_number(pair, 1, 86400, &cell->timeout_s, error);
}

static int read_port(const struct pair *pair, struct cell *cell, struct error *error)
{
    return key_number(pair, 1, 65535, &cell->port, error);
}

static int read_seed(const struct pair *pair, struct cell *cell, struct error *error)
{
    return key_number(pair, 1, UINT64_C(1) << 53, &cell->seed, error);
}

static int read_row_seconds(const struct pair *pair, struct cell *cell, struct error *error)
{
    char *end;

    cell->row_seconds = strtod(pair->value, &end);
    if (*end != '\0' || !isfinite(cell->row_seconds) || cell->row_seconds < 0.001 ||
        cell->row_seconds > 86400)
        return error_set(error, &pair->place, "row-seconds = %s: takes seconds, such as 1.5",
                         pair->value);
    return 0;
}

static int read_precision(const struct pair *pair, struct cell *cell, struct error *error)
{
    char *end;
    double percent = strtod(pair->value, &end);

    if (end == pair->value || strcmp(end, *end == '%' ? "%" : "") != 0 || !isfinite(percent) ||
        percent < 0.01 || percent > 1000)
        return error_set(error, &pair->place,
                         "precision = %s: takes percent of the median, such as 5%%", pair->value);
    cell->precision = percent / 100;
    return 0;
}

static int read_metric(const struct pair *pair, struct cell *cell, struct error *error)
{
    static const char *const names[] = {
        "elapsed_ms",     "connect_ms",     "cpu_s",          "bytes_per_s",
        "gb_per_cpu_s",   "frames_per_s",   "peak_rss_kb",    "connect_us_p50",
        "connect_us_p99", "latency_us_p50", "latency_us_p99", "outage_ms_max",
    };

    cell->metric = pair->value;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], pair->value) == 0)
            return 0;
    }
    return error_set(error, &pair->place,
                     "metric = %s: takes a figure of a row, such as elapsed_ms, connect_ms, cpu_s, "
                     "gb_per_cpu_s, peak_rss_kb or latency_us_p99",
                     pair->value);
}

static int read_advise(const struct pair *pair, struct cell *cell, struct error *error)
{
    (void)error; /* which criteria there are is the search's to say */
    cell->advise = pair->value;
    return 0;
}

static int read_margin(const struct pair *pair, struct cell *cell, struct error *error)
{
    char *end;
    double percent = strtod(pair->value, &end);

    if (end == pair->value || strcmp(end, *end == '%' ? "%" : "") != 0 || !isfinite(percent) ||
        percent < 0.01 || percent > 100)
        return error_set(error, &pair->place,
                         "margin = %s: takes percent that make no difference, such as 5%%",
                         pair->value);
    cell->margin = percent / 100;
    return 0;
}

static int read_expect(const struct pair *pair, struct cell *cell, struct error *error)
{
    cell->failures_expected = strcmp(pair->value, "failures") == 0;
    if (!cell->failures_expected && strcmp(pair->value, "success") != 0)
        return error_set(error, &pair->place, "expect = %s: takes failures or success",
                         pair->value);
    return 0;
}

static int read_title(const struct pair *pair, struct cell *cell, struct error *error)
{
    (void)pair, (void)cell, (void)error;
    return 0; /* for whoever reads the scenario's text in the run's record */
}

struct sweep_key {
    const char *name;
    int (*read)(const struct pair *pair, struct cell *cell, struct error *error);
    bool axis;
};

static const struct sweep_key sweep_keys[] = {
    {"client", read_client, true},
    {"link", read_link, true},
    {"label", read_label, true},
    {"repeat", read_repeat, false},
    {"metric", read_metric, false},
    {"precision", read_precision, false},
    {"seed", read_seed, false},
    {"advise", read_advise, false},
    {"margin", read_margin, false},
    {"pause", read_pause, false},
    {"timeout", read_timeout, false},
    {"port", read_port, false},
    {"expect", read_expect, false},
    {"row-seconds", read_row_seconds, false},
    {"servers-program", read_servers_program, false},
    {"title", read_title, false},
};

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
    const struct sweep_key *sweep_key = find_sweep_key(pair->key);

    return sweep_key == NULL ? 0 : sweep_key->read(pair, cell, error);
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
                         "%s is the sweep's to set; servers and port decide it", key);
    if (!key_is_fleets(key) && strchr(key, '.') != NULL)
        return error_set(error, &setting->place,
                         "%s: only \"fleet.\" may stand before a key's name", key);
    if (is_reserved(key, client_own))
        return error_set(error, &setting->place, "%s is the sweep's to set; leave it out", key);
    return 0;
}
