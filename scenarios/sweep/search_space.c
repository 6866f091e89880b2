/* Axes and points of a search. */
#include "scenarios/sweep/search_space.h"

#include <math.h>
#include <string.h>

#include "base/options.h"

/* What a row is expected to carry where nothing but the machine or the link limits it. */
#define LOOPBACK_BYTES_PER_S 800e6
#define LINK_BYTES_PER_S     12.5e6

/* ---- axes ---- */

/* They describe the traffic, which is the question, so it does not vary. */
static const char *const traffic[] = {
    "servers", "address",   "connect",           "reconnect", "request", "login",
    "frames",  "frame-max", "end-marker",        "size",      "rate",    "source",
    "seed",    "verify",    "ports-per-address", NULL};

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
    if (!key_passes_on(setting->key) || text_is_among(setting->key, traffic))
        return error_set(error, &setting->place,
                         "%s describes the traffic, which a search does not vary: give it one "
                         "value",
                         setting->key);
    space->axes = arena_grow(space->arena, space->axes, space->axis_count, sizeof *space->axes);
    space->axes[space->axis_count++] = setting;
    return 0;
}

/* ---- frames = auto ---- */

/* A key's value as the client reads it. False: there is none, or a malformed one, which the client
 * will explain. */
static bool read_value(const struct cell *cell, const char *key, option_parser *parse, void *field)
{
    const struct option_spec spec = {.name = key};
    const struct pair *pair = cell_find(cell, key);
    char why[128];
    return pair != NULL && parse(&spec, pair->value, field, why, sizeof why) == 0;
}

double search_rate(const struct cell *cell)
{
    double rate;
    return read_value(cell, "rate", options_rate, &rate) ? rate : 0;
}

/* As many as a row of row-seconds takes. */
static int set_frames(struct arena *arena, const struct cell *cell, struct error *error)
{
    struct pair *frames = cell_find(cell, "frames");
    struct byte_range size = {256, 100000}; /* the client's default */
    double rate = search_rate(cell);
    if (frames == NULL || strcmp(frames->value, "auto") != 0)
        return 0;
    if (cell->servers == 0)
        return error_set(error, &frames->place,
                         "frames = auto works with fanin's own servers only; give a number");
    read_value(cell, "size", options_range, &size);
    if (rate == 0)
        rate = (cell->link == NULL ? LOOPBACK_BYTES_PER_S : LINK_BYTES_PER_S) /
               fmax(((double)size.min + (double)size.max) / 2, 1);
    rate = fmax(1, ceil(rate * cell->row_seconds / (double)cell->servers));
    frames->value = arena_text(arena, "%.0f", rate);
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
        return error_set(error, &first->place,
                         "nothing to search: no key has several values, such as scheme = chain, "
                         "slices");
    first->label = LABEL_SEARCH;
    if (set_frames(arena, first, error) != 0)
        return -1;
    for (unsigned axis = 0; axis < space->axis_count; axis++) {
        for (unsigned value = 1; value < space->axes[axis]->value_count; value++)
            search_point(space, 0, LABEL_SEARCH, space->axes[axis], value);
    }
    return 0;
}

/* ---- points ---- */

unsigned search_point(struct search_space *space, unsigned like, const char *label,
                      const struct setting *axis, unsigned value)
{
    struct cells *cells = space->cells;
    struct cell *twin = arena_take(space->arena, sizeof *twin);
    const char *name = "";
    *twin = *cells->items[like];
    twin->label = label;
    twin->pace = (struct pace){0};
    twin->pairs = arena_take(space->arena, twin->pair_count * sizeof *twin->pairs);
    twin->pair_count = 0;
    for (unsigned i = 0; i < cells->items[like]->pair_count; i++) {
        struct pair pair = cells->items[like]->pairs[i];
        if (axis != NULL && strcmp(pair.key, axis->key) == 0)
            pair.value = axis->values[value].text;
        if (settings_find(twin->settings, pair.key)->value_count > 1) {
            if (strcmp(label, LABEL_DEFAULTS) == 0)
                continue;
            name = text_join(space->arena, name, pair.key, pair.value);
        }
        twin->pairs[twin->pair_count++] = pair;
    }
    if (strcmp(label, LABEL_SEARCH) != 0)
        name = text_join(space->arena, name, "label", label);
    twin->name = name;
    for (unsigned i = 0; i < cells->count; i++) {
        if (strcmp(cells->items[i]->name, name) == 0)
            return i;
    }
    cells->items = arena_grow(space->arena, cells->items, cells->count, sizeof(struct cell *));
    cells->items[cells->count++] = twin;
    return cells->count - 1;
}
