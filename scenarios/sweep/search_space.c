/* Axes and points of a search. */
#include "scenarios/sweep/search_space.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/options.h"
#include "scenarios/sweep/key.h"

/* What a row is expected to carry where nothing but the machine or the link limits it. */
#define LOOPBACK_BYTES_PER_S 800e6
#define LINK_BYTES_PER_S     12.5e6

static const char *value_of(const struct cell *cell, const char *key)
{
    const struct pair *pair = cell_find(cell, key);

    return pair == NULL ? NULL : pair->value;
}

static const struct axis *find_axis(const struct search_space *space, const char *key)
{
    for (unsigned i = 0; i < space->axis_count; i++) {
        if (strcmp(space->axes[i].key, key) == 0)
            return &space->axes[i];
    }
    return NULL;
}

/* ---- axes ---- */

/* The traffic is the question, so it does not vary. */
static bool may_be_searched(const char *key)
{
    static const char *const traffic[] = {
        "servers", "address",    "ports-per-address",
        "frames",  "size",       "rate",
        "source",  "seed",       "verify",
        "login",   "frame-max",  "request",
        "connect", "end-marker", "reconnect",
        NULL,
    };

    for (unsigned i = 0; traffic[i] != NULL; i++) {
        if (strcmp(traffic[i], key) == 0)
            return false;
    }
    return key_passes_on(key) && !key_is_fleets(key);
}

/* The one pair in which a cell differs from the first. */
static const struct pair *difference(const struct cell *cell, const struct cell *first,
                                     struct error *error)
{
    const struct pair *found = NULL;

    for (unsigned i = 0; i < cell->pair_count; i++) {
        const struct pair *pair = &cell->pairs[i];

        if (strcmp(pair->value, first->pairs[i].value) == 0)
            continue;
        if (found != NULL) {
            error_set(error, &pair->place, "%s copies %s: a search needs plain values", pair->key,
                      found->key);
            return NULL;
        }
        found = pair;
    }
    assert(found != NULL);
    return found;
}

static void add_value(struct arena *arena, struct search_space *space, const char *key,
                      const char *first, const char *value)
{
    struct axis *last = space->axis_count == 0 ? NULL : &space->axes[space->axis_count - 1];

    if (last == NULL || strcmp(last->key, key) != 0) {
        space->axes = arena_grow(arena, space->axes, space->axis_count, sizeof(struct axis));
        last = &space->axes[space->axis_count++];
        *last = (struct axis){.key = key};
        last->values = arena_grow(arena, NULL, 0, sizeof(char *));
        last->values[last->count++] = first;
    }
    last->values = arena_grow(arena, last->values, last->count, sizeof(char *));
    last->values[last->count++] = value;
}

static int read_axes(struct arena *arena, const struct cells *cells, struct search_space *space,
                     struct error *error)
{
    const struct cell *first = cells->items[0];

    for (unsigned i = 1; i < cells->count; i++) {
        const struct cell *cell = cells->items[i];
        const struct pair *pair;

        if (strcmp(cell->scenario, first->scenario) != 0 ||
            strcmp(cell->section, first->section) != 0 || cell->pair_count != first->pair_count)
            return error_set(
                error, &cell->place,
                "advise searches one section at a time; choose it with --only=SECTION");
        pair = difference(cell, first, error);
        if (pair == NULL)
            return -1;
        if (!may_be_searched(pair->key))
            return error_set(error, &pair->place,
                             "%s describes the traffic, which a search does not vary: give it one "
                             "value",
                             pair->key);
        add_value(arena, space, pair->key, value_of(first, pair->key), pair->value);
    }
    if (space->axis_count == 0)
        return error_set(error, &first->place,
                         "nothing to search: no key has several values, such as scheme = chain, "
                         "slices");
    return 0;
}

/* ---- frames = auto ---- */

/* A malformed size is left to the client, which explains it. */
static double mean_frame_bytes(const struct cell *cell)
{
    static const struct option_spec spec = {.name = "size"};
    const char *size = value_of(cell, "size");
    struct byte_range range = {256, 100000}; /* the client's default */
    char why[128];

    if (size != NULL && options_range(&spec, size, &range, why, sizeof why) != 0)
        return LOOPBACK_BYTES_PER_S;
    return ((double)range.min + (double)range.max) / 2;
}

static double rate_asked(const struct cell *cell)
{
    static const struct option_spec spec = {.name = "rate"};
    const char *asked = value_of(cell, "rate");
    double rate = 0;
    char why[128];

    return asked == NULL || options_rate(&spec, asked, &rate, why, sizeof why) != 0 ? 0 : rate;
}

bool search_is_rated(const struct cell *cell)
{
    return rate_asked(cell) > 0;
}

/* As many as a row of row-seconds takes. */
static uint64_t fitting_frames(const struct cell *cell)
{
    double rate = rate_asked(cell);

    if (rate == 0)
        rate = (cell->link == NULL ? LOOPBACK_BYTES_PER_S : LINK_BYTES_PER_S) /
               fmax(mean_frame_bytes(cell), 1);
    return (uint64_t)fmax(1, ceil(rate * cell->row_seconds / (double)cell->servers));
}

static int set_frames(struct arena *arena, struct cell *cell, struct error *error)
{
    struct pair *pairs = arena_take(arena, cell->pair_count * sizeof *pairs);

    memcpy(pairs, cell->pairs, cell->pair_count * sizeof *pairs);
    for (unsigned i = 0; i < cell->pair_count; i++) {
        if (strcmp(pairs[i].key, "frames") != 0 || strcmp(pairs[i].value, "auto") != 0)
            continue;
        if (cell->servers == 0)
            return error_set(error, &pairs[i].place,
                             "frames = auto works with fanin's own servers only; give a number");
        pairs[i].value = arena_text(arena, "%llu", (unsigned long long)fitting_frames(cell));
    }
    cell->pairs = pairs;
    return 0;
}

int search_read(struct arena *arena, const struct cells *cells, struct search_space *space,
                struct error *error)
{
    assert(cells->count > 0);
    *space = (struct search_space){0};
    if (read_axes(arena, cells, space, error) != 0)
        return -1;
    for (unsigned i = 0; i < cells->count; i++) {
        cells->items[i]->label = LABEL_SEARCH;
        if (set_frames(arena, cells->items[i], error) != 0)
            return -1;
    }
    return 0;
}

/* ---- points ---- */

static const char *name_of(struct arena *arena, const struct search_space *space,
                           const struct cell *cell)
{
    const char *name = "";

    for (unsigned i = 0; i < cell->pair_count; i++) {
        const struct pair *pair = &cell->pairs[i];

        if (find_axis(space, pair->key) != NULL)
            name = arena_text(arena, "%s%s%s=%s", name, *name == '\0' ? "" : " ", pair->key,
                              pair->value);
    }
    if (strcmp(cell->label, LABEL_SEARCH) == 0)
        return name;
    return arena_text(arena, "%s%slabel=%s", name, *name == '\0' ? "" : " ", cell->label);
}

/* Returns its index; adds it unless it exists. */
static unsigned add_once(struct arena *arena, const struct search_space *space, struct cells *cells,
                         struct cell *fresh)
{
    fresh->name = name_of(arena, space, fresh);
    for (unsigned i = 0; i < cells->count; i++) {
        if (strcmp(cells->items[i]->name, fresh->name) == 0)
            return i;
    }
    cells->items = arena_grow(arena, cells->items, cells->count, sizeof(struct cell *));
    cells->items[cells->count++] = fresh;
    return cells->count - 1;
}

static struct cell *twin_of(struct arena *arena, const struct cell *cell, struct pair **pairs)
{
    struct cell *twin = arena_take(arena, sizeof *twin);

    *twin = *cell;
    *pairs = arena_take(arena, cell->pair_count * sizeof **pairs);
    memcpy(*pairs, cell->pairs, cell->pair_count * sizeof **pairs);
    twin->pairs = *pairs;
    return twin;
}

unsigned search_vary(struct arena *arena, const struct search_space *space, struct cells *cells,
                     unsigned cell, unsigned axis, unsigned value)
{
    const struct axis *varied = &space->axes[axis];
    struct pair *pairs;
    struct cell *twin = twin_of(arena, cells->items[cell], &pairs);

    assert(axis < space->axis_count && value < varied->count);
    for (unsigned i = 0; i < twin->pair_count; i++) {
        if (strcmp(pairs[i].key, varied->key) == 0)
            pairs[i].value = varied->values[value];
    }
    return add_once(arena, space, cells, twin);
}

unsigned search_final(struct arena *arena, const struct search_space *space, struct cells *cells,
                      unsigned cell)
{
    struct pair *pairs;
    struct cell *twin = twin_of(arena, cells->items[cell], &pairs);

    twin->label = LABEL_FINAL;
    return add_once(arena, space, cells, twin);
}

unsigned search_defaults(struct arena *arena, const struct search_space *space, struct cells *cells)
{
    struct pair *pairs;
    struct cell *twin = twin_of(arena, cells->items[0], &pairs);
    unsigned kept = 0;

    for (unsigned i = 0; i < twin->pair_count; i++) {
        if (find_axis(space, pairs[i].key) == NULL)
            pairs[kept++] = pairs[i];
    }
    twin->pair_count = kept;
    twin->label = LABEL_DEFAULTS;
    return add_once(arena, space, cells, twin);
}
