/* From settings to cells:
 *
 *   common keys -> section's keys -> overrides    merge_settings: later ones replace in place, so
 *        |                                         the axes keep the scenario's order
 *        v
 *   one value of each key for each cell           cross_axes: the last axis changes fastest; a
 *        |                                         search crosses them itself
 *        v
 *   references resolved, the sweep's own keys read, duplicates dropped */
#include "scenarios/sweep/cell.h"

#include <assert.h>
#include <string.h>

#include "base/options.h"

static void put_all(struct arena *arena, struct settings *merged, const struct settings *more)
{
    for (unsigned i = 0; i < more->count; i++)
        settings_put(arena, merged, &more->items[i]);
}

static struct settings *merge_settings(struct arena *arena, const struct scenario *scenario,
                                       const struct section *section,
                                       const struct overrides *overrides)
{
    const struct section *base = &scenario->sections[section->base];
    struct settings *merged = arena_take(arena, sizeof *merged);
    put_all(arena, merged, &scenario->common);
    put_all(arena, merged, &base->settings);
    if (section != base)
        put_all(arena, merged, &section->settings);
    /* An override for one section wins over one for its scenario, and that over one for all. */
    for (unsigned scope = 0; scope < 3; scope++) {
        for (unsigned i = 0; i < overrides->count; i++) {
            const struct override *override = &overrides->items[i];
            if ((override->scenario != NULL) + (override->section != NULL) == (int)scope &&
                override_is_for(override, scenario, section))
                settings_put(arena, merged, &override->setting);
        }
    }
    return merged;
}

/* ---- one cell ---- */

/* The value of the setting at index `at`, copies followed. NULL with an error. */
static const struct value *resolve(const struct settings *settings, const unsigned *choice,
                                   unsigned at, struct error *error)
{
    const struct setting *asked = &settings->items[at];
    const struct value *value = &asked->values[choice[at]];
    for (unsigned step = 0; value->reference; step++) {
        const struct setting *other = settings_find(settings, value->text);
        if (other == NULL)
            error_set(error, &asked->place, "%s = =%s: there is no key %s to copy", asked->key,
                      value->text, value->text);
        else if (step == settings->count)
            error_set(error, &asked->place, "%s = =%s: the copies form a cycle", asked->key,
                      asked->values[choice[at]].text);
        if (other == NULL || step == settings->count)
            return NULL;
        value = &other->values[choice[other - settings->items]];
    }
    return value;
}

const char *text_join(struct arena *arena, const char *list, const char *key, const char *value)
{
    return arena_text(arena, "%s%s%s=%s", list, *list == '\0' ? "" : " ", key, value);
}

struct pair *cell_find(const struct cell *cell, const char *key)
{
    for (unsigned i = 0; i < cell->pair_count; i++) {
        if (strcmp(cell->pairs[i].key, key) == 0)
            return &cell->pairs[i];
    }
    return NULL;
}

struct place cell_place(const struct cell *cell, const char *key)
{
    const struct pair *pair = cell_find(cell, key);
    return pair == NULL ? cell->place : pair->place;
}

double cell_row_s(const struct cell *cell)
{
    return cell->pace.count == 0 ? cell->row_seconds + (double)cell->pause_ms / 1000
                                 : cell->pace.sum_s / cell->pace.count;
}

const char *cell_title(struct arena *arena, const struct cell *cell)
{
    return arena_text(arena, "%s%s%s%s%s", cell->scenario, *cell->section == '\0' ? "" : " ",
                      cell->section, *cell->name == '\0' ? "" : " ", cell->name);
}

/* The settings in `named` are part of the cell's name, as its axes are. */
/* FNV-1a, of the text with its NUL. */
static uint64_t digest_text(uint64_t digest, const char *text)
{
    do
        digest = (digest ^ (unsigned char)*text) * 0x100000001b3;
    while (*text++ != '\0');
    return digest;
}

static struct cell *make_cell(struct arena *arena, const struct settings *settings,
                              const struct settings *named, const unsigned *choice,
                              struct error *error)
{
    struct cell *cell = arena_take(arena, sizeof *cell);
    cell->settings = settings;
    cell->pairs = arena_take(arena, settings->count * sizeof *cell->pairs);
    cell->pair_count = settings->count;
    cell->name = cell->fleet_options = cell->calibrated = cell->calibration_reason = "";
    for (unsigned i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->items[i];
        const struct value *value = resolve(settings, choice, i, error);
        if (value == NULL)
            return NULL;
        cell->pairs[i] =
            (struct pair){.key = setting->key, .value = value->text, .place = setting->place};
        cell->digest += digest_text(digest_text(0xcbf29ce484222325, setting->key), value->text);
        if (value->calibration)
            cell->pairs[i].calibration = value->text;
        if (setting->value_count > 1 ||
            (settings_find(named, setting->key) != NULL && key_names_cells(setting->key)))
            cell->name = text_join(arena, cell->name, setting->key, value->text);
    }
    return cell;
}

/* A collection that ends by time takes that long. */
static int read_duration(struct cell *cell, struct error *error)
{
    enum { MS_PER_S = 1000 };
    static const struct option_spec spec = {.name = "for"};
    const struct pair *pair = cell_find(cell, "for");
    char why[ERROR_BYTES];
    uint64_t for_ms;
    if (pair == NULL || options_millis(&spec, pair->value, &for_ms, why, sizeof why) != 0)
        return 0; /* the client says what is wrong with it */
    if (for_ms >= cell->timeout_s * MS_PER_S)
        return error_set(error, &pair->place,
                         "for = %s: a row would be stopped before, after timeout = %llu s; raise "
                         "timeout",
                         pair->value, (unsigned long long)cell->timeout_s);
    if (cell_find(cell, "row-seconds") == NULL && for_ms > cell->row_seconds * MS_PER_S)
        cell->row_seconds = (double)for_ms / MS_PER_S;
    return 0;
}

/* What a cell is about: servers that one client collects from, or screens that one viewer shows. */
static int read_servers(struct cell *cell, struct error *error)
{
    const struct pair *servers = cell_find(cell, "servers");
    const struct pair *screens = cell_find(cell, "screens");
    if (servers == NULL && screens == NULL)
        return error_set(error, &cell->place,
                         "the key servers is missing; for example servers = 200, or of a viewer "
                         "screens = 7");
    if (servers != NULL && screens != NULL)
        return error_set(error, &screens->place,
                         "screens is of a viewer, and servers of a collector; remove one of them");
    cell->screens = screens != NULL;
    return 0;
}

static int read_pairs(struct arena *arena, struct cell *cell, struct error *error)
{
    key_defaults(cell);
    for (unsigned i = 0; i < cell->pair_count; i++) {
        const struct pair *pair = &cell->pairs[i];
        const char *option = key_fleet_option(pair->key);
        if (pair->value == pair->calibration)
            continue;
        if (key_read(pair, cell, error) != 0)
            return -1;
        if (option != NULL)
            cell->fleet_options = text_join(arena, cell->fleet_options, option, pair->value);
    }
    return read_servers(cell, error) != 0 ? -1 : read_duration(cell, error);
}

int cell_read(struct arena *arena, struct cell *cell, struct error *error)
{
    *cell = (struct cell){
        .scenario = cell->scenario,
        .section = cell->section,
        .name = cell->name,
        .settings = cell->settings,
        .pairs = cell->pairs,
        .pair_count = cell->pair_count,
        .place = cell->place,
        .factor = cell->factor,
        .calibrated = cell->calibrated,
        .calibration_reason = cell->calibration_reason,
        .fleet_options = "",
    };
    return read_pairs(arena, cell, error);
}

static bool is_part_of(const struct cell *part, const struct cell *whole,
                       const char *const *but_for)
{
    for (unsigned i = 0; i < part->pair_count; i++) {
        const struct pair *pair = &part->pairs[i], *other = cell_find(whole, pair->key);
        if (!text_is_among(pair->key, but_for) &&
            (other == NULL || strcmp(pair->value, other->value) != 0))
            return false;
    }
    return true;
}

bool cell_equals(const struct cell *a, const struct cell *b, const char *const *but_for)
{
    return strcmp(a->scenario, b->scenario) == 0 && strcmp(a->section, b->section) == 0 &&
           is_part_of(a, b, but_for) && is_part_of(b, a, but_for);
}

/* Values of one key differ, so only a copied value or a [+] can repeat a cell. */
static bool may_repeat(const struct settings *settings)
{
    for (unsigned i = 0; i < settings->count; i++) {
        for (unsigned j = 0; j < settings->items[i].value_count; j++) {
            if (settings->items[i].values[j].reference)
                return true;
        }
    }
    return false;
}

/* The cells of a section by their digests: twice as many places as it may have cells, each with the
 * first cell whose digest leads there and whose neighbours before are taken. */
struct cell_index {
    const struct cell **places;
    size_t mask;
};

/* The place of an equal cell, or of none. */
static const struct cell **index_find(const struct cell_index *index, const struct cell *cell)
{
    static const char *const none[] = {NULL};
    size_t at = cell->digest & index->mask;
    while (index->places[at] != NULL && (index->places[at]->digest != cell->digest ||
                                         !cell_equals(index->places[at], cell, none)))
        at = (at + 1) & index->mask;
    return &index->places[at];
}

/* With room for `more` beside those that the section has, which are adjacent, the last of all. */
static struct cell_index index_make(struct arena *arena, const struct cells *cells,
                                    const char *section, uint64_t more)
{
    unsigned first = cells->count;
    while (first > 0 && cells->items[first - 1]->section == section)
        first--;
    size_t size = 1;
    while (size < 2 * (cells->count - first + more))
        size *= 2;
    struct cell_index index = {arena_take(arena, size * sizeof *index.places), size - 1};
    for (unsigned i = first; i < cells->count; i++)
        *index_find(&index, cells->items[i]) = cells->items[i];
    return index;
}

/* The last axis changes fastest. False after the last combination. */
static bool next_choice(const struct settings *settings, unsigned *choice)
{
    for (unsigned i = settings->count; i-- > 0;) {
        if (++choice[i] < settings->items[i].value_count)
            return true;
        choice[i] = 0;
    }
    return false;
}

/* 1 for a search. Above CELLS_MAX it may be any number above it. */
static uint64_t count_choices(const struct settings *settings)
{
    uint64_t count = 1;
    if (settings_find(settings, "advise") != NULL)
        return count;
    for (unsigned i = 0; i < settings->count && count <= CELLS_MAX; i++)
        count *= settings->items[i].value_count;
    return count;
}

/* ---- a section's cells ---- */

static int refuse_many(const struct section *section, struct error *error)
{
    return error_set(error, &section->place, "more than %d cells; give fewer values", CELLS_MAX);
}

static int put_text(struct arena *arena, struct settings *settings, const char *key,
                    const char *text, const struct place *place, struct error *error)
{
    struct setting setting;
    if (setting_parse(arena, place, key, arena_text(arena, "\"%s\"", text), &setting, error) != 0)
        return -1;
    settings_put(arena, settings, &setting);
    return 0;
}

/* Whether a repeat is said for this section alone. */
static bool repeats_itself(const struct scenario *scenario, const struct section *section,
                           const struct overrides *overrides)
{
    bool said = settings_find(&section->settings, "repeat") != NULL;
    for (unsigned i = 0; i < overrides->count; i++) {
        const struct override *override = &overrides->items[i];
        said = said || (override->section != NULL && override_is_for(override, scenario, section) &&
                        strcmp(override->setting.key, "repeat") == 0);
    }
    return said;
}

/* Makes the section a calibration, if it has the key for it: its factor begins at FROM. */
static int set_factor(struct arena *arena, const struct section *section, struct settings *settings,
                      const struct factor **factor, struct error *error)
{
    const struct setting *calibrate = settings_find(settings, "calibrate");
    const struct setting *target = settings_find(settings, "target");
    *factor = NULL;
    if (calibrate == NULL && target != NULL)
        return error_set(error, &target->place,
                         "target is of a calibration; add calibrate = KEY "
                         "FROM..TO to its section, or remove it");
    if (calibrate == NULL)
        return 0;
    struct factor *parsed = arena_take(arena, sizeof *parsed);
    if (factor_parse(arena, calibrate, parsed, error) != 0)
        return -1;
    const struct setting *own = settings_find(&section->settings, parsed->key);
    if (own != NULL)
        return error_set(error, &own->place, "%s is set by calibrate; remove it", own->key);
    if (target == NULL)
        return error_set(error, &calibrate->place,
                         "calibrate needs a target: the value that metric shall have, such as "
                         "target = 2043");
    if (!key_names_cells(parsed->key))
        return error_set(error, &calibrate->place, "calibrate = %s: %s changes nothing in a row",
                         calibrate->values[0].text, parsed->key);
    *factor = parsed;
    return put_text(arena, settings, parsed->key, parsed->from_text, &calibrate->place, error);
}

/* A calibration has one cell. */
static int check_one(const struct section *section, const struct settings *settings,
                     struct error *error)
{
    for (unsigned i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->items[i];
        if (setting->value_count > 1)
            return error_set(error, &setting->place,
                             "%s has %u values in [%s], which is a calibration; give it one there",
                             setting->key, setting->value_count, section->name);
    }
    return 0;
}

static int cross_axes(struct arena *arena, const struct scenario *scenario,
                      const struct section *section, const struct settings *settings,
                      const struct factor *factor, struct cells *cells, struct error *error)
{
    static const struct settings none = {0};
    bool further = section != &scenario->sections[section->base];
    bool check_duplicates = further || may_repeat(settings);
    unsigned *choice = arena_take(arena, settings->count * sizeof *choice);
    const uint64_t choices = count_choices(settings);
    if (choices > CELLS_MAX)
        return refuse_many(section, error);
    const struct cell_index index = index_make(arena, cells, section->name, choices);
    struct cell *cell;
    do {
        /* The keys of a [+] distinguish its cells, so they are part of the names. */
        cell = make_cell(arena, settings, further ? &section->settings : &none, choice, error);
        if (cell == NULL)
            return -1;
        cell->scenario = scenario->name;
        cell->section = section->name;
        cell->place = section->place;
        cell->factor = factor;
        const struct cell **place = check_duplicates ? index_find(&index, cell) : NULL;
        if (place != NULL && *place != NULL)
            continue;
        if (cells->count == CELLS_MAX)
            return refuse_many(section, error);
        if (read_pairs(arena, cell, error) != 0)
            return -1;
        if (cell->repeat == 0)
            continue;
        if (place != NULL)
            *place = cell;
        cells->items = arena_grow(arena, cells->items, cells->count, sizeof(struct cell *));
        cells->items[cells->count++] = cell;
    } while (cell->advise == NULL && next_choice(settings, choice));
    return 0;
}

bool cells_only(struct arena *arena, const char *only, const char *scenario, const char *section)
{
    return only == NULL || strcmp(only, section) == 0 ||
           strcmp(only, arena_text(arena, "%s.%s", scenario, section)) == 0;
}

static int expand_section(struct arena *arena, const struct scenario *scenario,
                          const struct section *section, const struct overrides *overrides,
                          struct settings *settings, struct cells *cells, struct error *error)
{
    const struct section *base = &scenario->sections[section->base];
    const struct factor *factor;
    if (settings->count == 0)
        return error_set(error, &section->place, "section [%s] has no key", section->name);
    if (set_factor(arena, base, settings, &factor, error) != 0)
        return -1;
    if (factor != NULL && !repeats_itself(scenario, section, overrides) &&
        put_text(arena, settings, "repeat", CELL_CALIBRATION_REPEAT, &section->place, error) != 0)
        return -1;
    for (unsigned i = 0; i < settings->count; i++) {
        if (key_check(&settings->items[i], error) != 0)
            return -1;
    }
    if (factor != NULL && section != base)
        return error_set(error, &section->place,
                         "[+] adds cells to [%s], which is a calibration of one cell; remove it",
                         section->name);
    if (factor != NULL && check_one(section, settings, error) != 0)
        return -1;
    return cross_axes(arena, scenario, section, settings, factor, cells, error);
}

int cells_expand(struct arena *arena, const struct scenario *scenario,
                 const struct overrides *overrides, const char *only, struct cells *cells,
                 struct error *error)
{
    for (unsigned i = 0; i < scenario->section_count; i++) {
        const struct section *section = &scenario->sections[i];
        struct settings *settings = merge_settings(arena, scenario, section, overrides);
        if (!cells_only(arena, only, scenario->name, section->name) &&
            settings_find(settings, "calibrate") == NULL)
            continue;
        if (expand_section(arena, scenario, section, overrides, settings, cells, error) != 0)
            return -1;
    }
    return 0;
}
