/* Cells: all combinations of the axes of a scenario's sections, with overrides. */
#ifndef FANIN_CELL_H
#define FANIN_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "scenarios/sweep/factor.h"
#include "scenarios/sweep/scenario.h"

enum {
    CELLS_MAX = 20000,
    CELL_REPEAT_MAX = 1000,
    CELL_SERVERS_MAX = 1000000,
    CELL_SCREENS_MAX = 4096, /* that a viewer takes */
};

/* A value typed as --[SCENARIO.[SECTION.]]KEY=VALUES. */
struct override {
    const char *scenario, *section; /* NULL: every one */
    struct setting setting;
};

struct overrides {
    struct override *items;
    unsigned count;
};

/* A key and the one value that it has in a cell. */
struct pair {
    const char *key, *value;
    struct place place;
    const char *calibration; /* "[SECTION]", which finds the value, and stands for it until
                                calibrations_bind; NULL: the scenario says it */
};

#define CELL_LOOPBACK           "loopback"
#define CELL_FULL_SPEED         1.0  /* as a share of a processor: no quota at all */
#define CELL_CALIBRATION_REPEAT "12" /* runs around what it finds, where its section says nothing */

struct fleet;
struct launcher;
struct link;
struct cpu_share;

/* The duration of one cell's rows so far. */
struct pace {
    double sum_s;
    unsigned count;
};

struct cell {
    const char *scenario, *section;
    const char *name;                /* "workers=4 concurrency=2": the axes' values */
    const struct settings *settings; /* what it was made of: all values of all keys */
    struct pair *pairs;              /* all keys, in the scenario's order, references resolved */
    unsigned pair_count;
    uint64_t digest;             /* of the pairs, in any order: equal cells have equal ones */
    struct place place;          /* of the section */
    const struct factor *factor; /* what its section varies as a calibration; NULL: it has rows */
    const char *calibrated;      /* "KEY=VALUE ..." that calibrations set; "": none */
    const char *calibration_reason; /* why another one is missing; "": none is */

    /* The sweep's own keys. */
    const char *client;          /* program and its leading arguments, separated by blanks */
    const char *servers_program; /* the same for the fleet */
    const char *fleet_options;   /* "fault=refuse:2% backlog=3"; "" for none */
    const char *link_asked;      /* a name of links.conf, or CELL_LOOPBACK; with `rtt` set by
                                    links_plan to the name of the link that it derives */
    const char *rtt;             /* round trip instead of the link's own; NULL: its own */
    const char *launcher_asked; /* a name of launchers.conf; "": the servers are on this computer */
    const char *hosts_asked;    /* names with blanks between them, or their number; "": not said */
    const char *network;        /* "10.1.0.0/16", in which the hosts listen; "": not said */
    const char *on_host_loss;   /* "stop" or "continue" */
    double cpu_share_asked;     /* of one processor, or CELL_FULL_SPEED */
    uint64_t cpu_period_ms;     /* of its quota */
    const char *machine;        /* name of the machine that it stands for; "": this one */
    const char *label;          /* only distinguishes cells; "" for none */
    uint64_t repeat, pause_ms, timeout_s, port, seed; /* seed 0: not said */
    const char *metric;         /* key of a row: the figure that --budget observes */
    double precision;           /* sufficient width of its interval, as a share of the median */
    const char *advise;         /* the criterion of a search over the axes; NULL: no search */
    double margin;              /* the share of difference that it ignores */
    double row_seconds;         /* expected duration of a row, until one was measured */
    double target;              /* of a calibration: what the metric shall be; 0: not said */
    bool failures_expected;     /* exit code 1 is a result here */
    uint64_t servers;           /* of the fleet; 0: foreign servers */
    bool screens;               /* they are screens, and a viewer shows them */
    uint64_t ports_per_address; /* of the fleet's servers; 0: all on one address */

    const struct launcher *launcher; /* set by launchers_plan; NULL: none, and the next two are 0 */
    const char **host_names;         /* NULL: the launcher takes a number */
    unsigned host_count;
    struct link *link;            /* set by links_plan: of the name link_asked; NULL: loopback */
    const char *link_reason;      /* set by links_fall_back: why loopback took its place; or NULL */
    struct cpu_share *cpu_share;  /* set by cpu_shares_plan; NULL: full speed */
    const char *cpu_share_reason; /* set by cpu_shares_fall_back: why full speed took its place */
    const char *skip_reason; /* set by cells_skip_twins: why no row of it is run; NULL: they are */
    struct fleet *fleet;     /* set by fleets_plan; NULL when servers is 0 */
    struct pace pace;
};

struct cells {
    struct cell **items;
    unsigned count;
};

/* override_parse: `argument` is what follows the dashes: "KEY=VALUES", with a scope or without.
 * The scopes are checked by overrides_check once the scenarios are known. 0, or -1 with an
 * error. */
int override_parse(struct arena *arena, const char *argument, struct overrides *overrides,
                   struct error *error);

/* overrides_check: every scope names a scenario (and section) that is there. */
int overrides_check(const struct overrides *overrides, struct scenario *const *scenarios,
                    unsigned scenario_count, struct error *error);

/* override_is_for: whether it sets a key of the section. */
bool override_is_for(const struct override *override, const struct scenario *scenario,
                     const struct section *section);

/* cells_expand: appends the scenario's cells to `cells`, duplicates dropped. `only` is "SECTION" or
 * "SCENARIO.SECTION", or NULL for all. A section with the key `advise` has only its first cell:
 * search_read adds others. Sections with the key `calibrate` have one cell, whatever `only` says,
 * which calibrations_take takes out. 0, or -1 with an error that names file and line. */
int cells_expand(struct arena *arena, const struct scenario *scenario,
                 const struct overrides *overrides, const char *only, struct cells *cells,
                 struct error *error);

/* cells_only: whether `only` (as above) is this section. */
bool cells_only(struct arena *arena, const char *only, const char *scenario, const char *section);

/* cell_read: reads the cell's pairs anew. What was planned for it (link, fleet) is gone. 0, or -1
 * with an error. */
int cell_read(struct arena *arena, struct cell *cell, struct error *error);

/* cell_find: the pair of a key, NULL if the cell has none. */
struct pair *cell_find(const struct cell *cell, const char *key);

/* cell_place: where the key was set; the section if the cell has none. */
struct place cell_place(const struct cell *cell, const char *key);

/* text_join: `list` with one more "KEY=VALUE", behind a blank if it is not the first. */
const char *text_join(struct arena *arena, const char *list, const char *key, const char *value);

/* cell_row_s: the expected seconds of a row of the cell, with the pause before it: from those so
 * far, else from the scenario. */
double cell_row_s(const struct cell *cell);

/* cell_title: scenario, section and name, without those that are empty. */
const char *cell_title(struct arena *arena, const struct cell *cell);

/* cell_equals: the same scenario and section, and the same values of all keys but those in
 * `but_for`, which ends with NULL. */
bool cell_equals(const struct cell *a, const struct cell *b, const char *const *but_for);

/* cells_skip_twins: where a link, a share of a processor or the value of a calibration could not be
 * had (links_fall_back, cpu_shares_fall_back, calibrations_bind), a cell that now equals another
 * one gets a skip_reason. */
void cells_skip_twins(struct arena *arena, const struct cells *cells);

/* ---- the keys of a scenario: the sweep's own, the fleet's and the client's ---- */

#define KEY_FLEET_PREFIX "fleet."

bool text_is_among(const char *text, const char *const *names); /* NULL-terminated */

/* key_fleet_option: the option of fanin-servers that the key sets; NULL: none. */
const char *key_fleet_option(const char *key);

/* key_passes_on: whether the key is an option of the client program. */
bool key_passes_on(const char *key);

/* key_duration: "0.5ms", "250us", "2s", at most 10s, in nanoseconds. False: it is none. */
bool key_duration(const char *text, uint64_t *duration_ns);

/* key_names_cells: whether its value tells one cell from another; not so a number of repeats or an
 * expected duration. */
bool key_names_cells(const char *key);

/* key_check: whether the setting may stand in a scenario. 0, or -1 with an error. */
int key_check(const struct setting *setting, struct error *error);

/* key_hint: what to tell of a setting that is right but may not mean what it looks like: "rate =
 * 1,5 is two values ..."; NULL: nothing. */
const char *key_hint(struct arena *arena, const struct setting *setting);

/* key_defaults: sets the cell's fields to the defaults of the sweep's own keys. */
void key_defaults(struct cell *cell);

/* key_read: reads one of the sweep's own keys into the cell; others are left alone. 0, or -1 with
 * an error. */
int key_read(const struct pair *pair, struct cell *cell, struct error *error);

#endif
