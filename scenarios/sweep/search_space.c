/* Axes and points of a search. */
#include "scenarios/sweep/search_space.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/options.h"

/* What a row is expected to carry where nothing but the machine or the link limits it. */
#define LOOPBACK_BYTES_PER_S 800e6
#define LINK_BYTES_PER_S     12.5e6

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

    return key_passes_on(key) && !text_is_among(key, traffic);
}

static int read_axis(struct search_space *space, const struct settings *settings,
                     struct setting *setting, struct error *error)
{
    for (unsigned i = 0; i < setting->value_count; i++) {
        const struct value *value = &setting->values[i];

        if (value->reference &&
            (setting->value_count > 1 || settings_find(settings, value->text)->value_count > 1))
            return error_set(error, &setting->place, "%s copies %s: a search needs plain values",
                             setting->key, value->text);
    }
    if (setting->value_count == 1)
        return 0;
    if (!may_be_searched(setting->key))
        return error_set(
            error, &setting->place,
            "%s describes the traffic, which a search does not vary: give it one value",
            setting->key);
    space->axes =
        arena_grow(space->arena, space->axes, space->axis_count, sizeof(struct setting *));
    space->axes[space->axis_count++] = setting;
    return 0;
}

/* ---- frames = auto ---- */

static const char *value_of(const struct cell *cell, const char *key)
{
    const struct pair *pair = cell_find(cell, key);

    return pair == NULL ? NULL : pair->value;
}

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

static int set_frames(struct arena *arena, const struct cell *cell, struct error *error)
{
    struct pair *frames = cell_find(cell, "frames");

    if (frames == NULL || strcmp(frames->value, "auto") != 0)
        return 0;
    if (cell->servers == 0)
        return error_set(error, &frames->place,
                         "frames = auto works with fanin's own servers only; give a number");
    frames->value = arena_text(arena, "%llu", (unsigned long long)fitting_frames(cell));
    return 0;
}

int search_read(struct arena *arena, struct cells *cells, struct search_space *space,
                struct error *error)
{
    struct cell *first = cells->items[0];
    const struct settings *settings = first->settings;

    *space = (struct search_space){.arena = arena, .cells = cells};
    if (cells->count > 1)
        return error_set(error, &cells->items[1]->place,
                         "advise searches one section at a time; choose it with --only=SECTION");
    for (unsigned i = 0; i < settings->count; i++) {
        if (read_axis(space, settings, &settings->items[i], error) != 0)
            return -1;
    }
    if (space->axis_count == 0)
        return error_set(
            error, &first->place,
            "nothing to search: no key has several values, such as scheme = chain, slices");
    first->label = LABEL_SEARCH;
    if (set_frames(arena, first, error) != 0)
        return -1;
    for (unsigned axis = 0; axis < space->axis_count; axis++) {
        for (unsigned value = 1; value < space->axes[axis]->value_count; value++)
            search_vary(space, 0, axis, value);
    }
    return 0;
}

/* ---- points ---- */

static bool is_axis(const struct search_space *space, const char *key)
{
    for (unsigned i = 0; i < space->axis_count; i++) {
        if (strcmp(space->axes[i]->key, key) == 0)
            return true;
    }
    return false;
}

/* The index of the cell like `like` with another label, another value of `varied` (NULL: none), and
 * without the axes' keys where it is the defaults'. Adds it unless it exists. */
static unsigned add_once(struct search_space *space, unsigned like, const char *label,
                         const struct setting *varied, const char *value)
{
    struct cells *cells = space->cells;
    struct cell *twin = arena_take(space->arena, sizeof *twin);
    bool defaults = strcmp(label, LABEL_DEFAULTS) == 0;
    const char *name = "";

    *twin = *cells->items[like];
    twin->label = label;
    twin->pace = (struct pace){0};
    twin->pairs = arena_take(space->arena, twin->pair_count * sizeof *twin->pairs);
    twin->pair_count = 0;
    for (unsigned i = 0; i < cells->items[like]->pair_count; i++) {
        struct pair pair = cells->items[like]->pairs[i];
        bool axis = is_axis(space, pair.key);

        if (axis && defaults)
            continue;
        if (varied != NULL && strcmp(pair.key, varied->key) == 0)
            pair.value = value;
        if (axis)
            name = text_join(space->arena, name, pair.key, pair.value);
        twin->pairs[twin->pair_count++] = pair;
    }
    twin->name =
        strcmp(label, LABEL_SEARCH) == 0 ? name : text_join(space->arena, name, "label", label);
    for (unsigned i = 0; i < cells->count; i++) {
        if (strcmp(cells->items[i]->name, twin->name) == 0)
            return i;
    }
    cells->items = arena_grow(space->arena, cells->items, cells->count, sizeof(struct cell *));
    cells->items[cells->count++] = twin;
    return cells->count - 1;
}

unsigned search_vary(struct search_space *space, unsigned cell, unsigned axis, unsigned value)
{
    const struct setting *varied = space->axes[axis];

    assert(axis < space->axis_count && value < varied->value_count);
    return add_once(space, cell, LABEL_SEARCH, varied, varied->values[value].text);
}

unsigned search_final(struct search_space *space, unsigned cell)
{
    return add_once(space, cell, LABEL_FINAL, NULL, NULL);
}

unsigned search_defaults(struct search_space *space)
{
    return add_once(space, 0, LABEL_DEFAULTS, NULL, NULL);
}
