/* Calibrations: found among the cells, run by run, given to the cells that take their values. */
#include "scenarios/sweep/calibration.h"

#include <math.h>
#include <string.h>

#include "base/json_read.h"

enum { BAD_RUNS_MAX = 2 };

static const char *const status_names[] = {[CALIBRATION_OPEN] = "open",
                                           [CALIBRATION_OK] = "ok",
                                           [CALIBRATION_FAILED] = "failed",
                                           [CALIBRATION_UNAVAILABLE] = "unavailable"};

static struct calibration *find(const struct calibrations *calibrations, const char *scenario,
                                const char *name)
{
    for (unsigned i = 0; i < calibrations->count; i++) {
        struct calibration *calibration = calibrations->items[i];
        if (strcmp(calibration->scenario, scenario) == 0 && strcmp(calibration->name, name) == 0)
            return calibration;
    }
    return NULL;
}

static struct calibration *add(struct arena *arena, struct calibrations *calibrations,
                               const char *scenario, const char *name)
{
    struct calibration *calibration = arena_take(arena, sizeof *calibration);
    *calibration =
        (struct calibration){.scenario = scenario, .name = name, .estimate = {NAN, NAN, NAN, NAN}};
    calibrations->items =
        arena_grow(arena, calibrations->items, calibrations->count, sizeof(struct calibration *));
    calibrations->items[calibrations->count++] = calibration;
    return calibration;
}

/* ---- among the cells ---- */

static int open_cell(struct arena *arena, struct calibrations *calibrations, struct cell *cell,
                     struct error *error)
{
    const char *name = arena_text(arena, "[%s]", cell->section);
    struct calibration *calibration = find(calibrations, cell->scenario, name);
    struct place place = cell_place(cell, "repeat");
    if (cell->repeat < CROSSING_REPEAT_MIN || cell->repeat > CROSSING_REPEAT_MAX)
        return error_set(error, &place,
                         "repeat = %llu: a calibration takes from %d to %d runs around what it "
                         "finds",
                         (unsigned long long)cell->repeat, CROSSING_REPEAT_MIN,
                         CROSSING_REPEAT_MAX);
    if (calibration == NULL)
        calibration = add(arena, calibrations, cell->scenario, name);
    calibration->cell = cell;
    calibration->crossing = (struct crossing){.from = cell->factor->from,
                                              .to = cell->factor->to,
                                              .target = cell->target,
                                              .precision = cell->precision,
                                              .repeat = (unsigned)cell->repeat};
    return 0;
}

/* A calibration may take the values of those before it. */
static int check_references(const struct calibrations *calibrations, const struct cell *cell,
                            const struct calibration *self, struct error *error)
{
    for (unsigned i = 0; i < cell->pair_count; i++) {
        const struct pair *pair = &cell->pairs[i];
        if (pair->calibration == NULL)
            continue;
        const struct calibration *source = find(calibrations, cell->scenario, pair->calibration);
        if (source == NULL || source->cell == NULL)
            return error_set(error, &pair->place,
                             "%s = =%s: this file has no section %s with the key calibrate",
                             pair->key, pair->calibration, pair->calibration);
        if (cell->advise != NULL)
            return error_set(error, &pair->place,
                             "%s = =%s: a search takes no value of a calibration; write the value",
                             pair->key, pair->calibration);
        if (self != NULL && source->cell->place.line >= self->cell->place.line)
            return error_set(error, &pair->place,
                             "%s = =%s: calibrations run in the file's order, and %s does not run "
                             "before %s; move it up",
                             pair->key, pair->calibration, pair->calibration, self->name);
    }
    return 0;
}

static bool takes_from(const struct cell *cell, const struct calibration *calibration)
{
    for (unsigned i = 0; i < cell->pair_count; i++) {
        if (cell->pairs[i].calibration != NULL &&
            strcmp(cell->scenario, calibration->scenario) == 0 &&
            strcmp(cell->pairs[i].calibration, calibration->name) == 0)
            return true;
    }
    return false;
}

/* Later calibrations may need earlier ones, so this looks at them from the last on. */
static void drop_unneeded(struct arena *arena, struct calibrations *calibrations,
                          const struct cells *cells, const char *only)
{
    unsigned kept = 0;
    for (unsigned i = calibrations->count; i-- > 0;) {
        struct calibration *calibration = calibrations->items[i];
        bool needed = cells_only(arena, only, calibration->scenario, calibration->cell->section);
        for (unsigned k = 0; k < cells->count && !needed; k++)
            needed = takes_from(cells->items[k], calibration);
        for (unsigned k = i + 1; k < calibrations->count && !needed; k++)
            needed = calibrations->items[k] != NULL &&
                     takes_from(calibrations->items[k]->cell, calibration);
        if (!needed)
            calibrations->items[i] = NULL;
    }
    for (unsigned i = 0; i < calibrations->count; i++) {
        if (calibrations->items[i] != NULL)
            calibrations->items[kept++] = calibrations->items[i];
    }
    calibrations->count = kept;
}

int calibrations_take(struct arena *arena, struct cells *cells, const char *only,
                      struct calibrations *calibrations, struct error *error)
{
    unsigned rows = 0;
    for (unsigned i = 0; i < cells->count; i++) {
        struct cell *cell = cells->items[i];
        if (cell->factor == NULL)
            cells->items[rows++] = cell;
        else if (open_cell(arena, calibrations, cell, error) != 0)
            return -1;
    }
    cells->count = rows;
    for (unsigned i = 0; i < calibrations->count; i++) {
        const struct calibration *calibration = calibrations->items[i];
        if (calibration->cell == NULL)
            return error_set(error, NULL, "run.json has a calibration %s of %s, which is not there",
                             calibration->name, calibration->scenario);
        if (check_references(calibrations, calibration->cell, calibration, error) != 0)
            return -1;
    }
    for (unsigned i = 0; i < cells->count; i++) {
        if (check_references(calibrations, cells->items[i], NULL, error) != 0)
            return -1;
    }
    drop_unneeded(arena, calibrations, cells, only);
    return calibrations_bind(arena, calibrations, cells, error);
}

/* ---- values ---- */

/* Takes the key away. */
static void lose(struct arena *arena, struct cell *cell, unsigned index,
                 const struct calibration *source)
{
    const char *reason = arena_text(
        arena, "%s: %s %s: %s", cell->pairs[index].key, source->name,
        source->status == CALIBRATION_FAILED ? "failed" : "is unavailable", source->reason);
    cell->calibration_reason = arena_join(arena, cell->calibration_reason, "; ", reason);
    cell->pair_count--;
    memmove(&cell->pairs[index], &cell->pairs[index + 1],
            (cell->pair_count - index) * sizeof *cell->pairs);
}

static int bind_cell(struct arena *arena, const struct calibrations *calibrations,
                     struct cell *cell, struct error *error)
{
    bool any = false;
    cell->calibrated = "";
    for (unsigned i = 0; i < cell->pair_count; i++) {
        struct pair *pair = &cell->pairs[i];
        if (pair->calibration == NULL)
            continue;
        const struct calibration *source = find(calibrations, cell->scenario, pair->calibration);
        any = true;
        if (source->status == CALIBRATION_OPEN) {
            pair->value = source->cell->factor->from_text;
        } else if (source->status == CALIBRATION_OK) {
            pair->value = source->value;
            cell->calibrated = text_join(arena, cell->calibrated, pair->key, pair->value);
        } else {
            lose(arena, cell, i--, source);
        }
    }
    return any ? cell_read(arena, cell, error) : 0;
}

int calibrations_bind(struct arena *arena, const struct calibrations *calibrations,
                      const struct cells *cells, struct error *error)
{
    for (unsigned i = 0; i < calibrations->count; i++) {
        struct calibration *calibration = calibrations->items[i];
        struct cell *cell = calibration->cell;
        if (calibration->status != CALIBRATION_OPEN)
            continue;
        if (bind_cell(arena, calibrations, cell, error) != 0)
            return -1;
        if (*cell->calibration_reason != '\0')
            calibration_end(calibration, CALIBRATION_UNAVAILABLE, cell->calibration_reason);
    }
    for (unsigned i = 0; i < cells->count; i++) {
        if (bind_cell(arena, calibrations, cells->items[i], error) != 0)
            return -1;
    }
    return 0;
}

/* ---- run by run ---- */

void calibration_end(struct calibration *calibration, enum calibration_status status,
                     const char *reason)
{
    calibration->status = status;
    calibration->reason = reason;
}

static const char *number_text(struct arena *arena, const struct calibration *calibration,
                               double number)
{
    return factor_text(arena, calibration->cell->factor, &number);
}

/* What the outermost runs gave, for a target that is not between them. */
static const char *outside_words(struct arena *arena, const struct calibration *calibration)
{
    const struct crossing *crossing = &calibration->crossing;
    const struct observation *least = &crossing->runs[0], *most = least;
    for (unsigned i = 1; i < crossing->count; i++) {
        least = crossing->runs[i].factor < least->factor ? &crossing->runs[i] : least;
        most = crossing->runs[i].factor > most->factor ? &crossing->runs[i] : most;
    }
    const struct cell *cell = calibration->cell;
    return arena_text(arena, "%s = %.6g is outside of what %s gives: %.4g at %s, %.4g at %s",
                      cell->metric, cell->target, cell->factor->key, least->figure,
                      number_text(arena, calibration, least->factor), most->figure,
                      number_text(arena, calibration, most->factor));
}

static const char *vague_words(struct arena *arena, const struct calibration *calibration)
{
    const struct crossing_estimate *estimate = &calibration->estimate;
    const struct cell *cell = calibration->cell;
    if (isnan(estimate->factor) || isnan(estimate->low))
        return arena_text(arena, "%s scatters too much to say at which %s it is %.6g", cell->metric,
                          cell->factor->key, cell->target);
    return arena_text(arena,
                      "%s = %.6g comes out between %s = %s and %s, which is too wide; more runs "
                      "(repeat) or a quieter machine narrow it",
                      cell->metric, cell->target, cell->factor->key,
                      number_text(arena, calibration, estimate->low),
                      number_text(arena, calibration, estimate->high));
}

static void conclude(struct arena *arena, struct calibration *calibration,
                     enum crossing_state state)
{
    calibration->estimate = crossing_estimate(&calibration->crossing);
    switch (state) {
    case CROSSING_OPEN:
        break;
    case CROSSING_FOUND:
        calibration->status = CALIBRATION_OK;
        calibration->value =
            factor_text(arena, calibration->cell->factor, &calibration->estimate.factor);
        break;
    case CROSSING_OUTSIDE:
        calibration_end(calibration, CALIBRATION_FAILED, outside_words(arena, calibration));
        break;
    case CROSSING_VAGUE:
        calibration_end(calibration, CALIBRATION_FAILED, vague_words(arena, calibration));
        break;
    }
}

struct cell *calibration_cell(struct arena *arena, const struct calibration *calibration,
                              double *number, struct error *error)
{
    const struct cell *like = calibration->cell;
    struct cell *cell = arena_take(arena, sizeof *cell);
    *cell = *like;
    cell->pairs = arena_take(arena, like->pair_count * sizeof *like->pairs);
    memcpy(cell->pairs, like->pairs, like->pair_count * sizeof *like->pairs);
    struct pair *pair = cell_find(cell, like->factor->key);
    pair->value = factor_text(arena, like->factor, number);
    cell->name = text_join(arena, "", pair->key, pair->value);
    if (cell_read(arena, cell, error) != 0)
        return NULL;
    cell->label = LABEL_CALIBRATION;
    return cell;
}

struct cell *calibration_trial(struct arena *arena, struct calibration *calibration,
                               struct error *error)
{
    if (calibration->status != CALIBRATION_OPEN)
        return NULL;
    const enum crossing_state state = crossing_next(&calibration->crossing, &calibration->asked);
    if (state != CROSSING_OPEN) {
        conclude(arena, calibration, state);
        return NULL;
    }
    struct cell *cell = calibration_cell(arena, calibration, &calibration->asked, error);
    if (cell == NULL)
        calibration_end(calibration, CALIBRATION_FAILED, error->text);
    return cell;
}

void calibration_note(struct arena *arena, struct calibration *calibration, double figure,
                      const char *reason)
{
    if (figure > 0)
        crossing_note(&calibration->crossing, calibration->asked, figure);
    else if (++calibration->bad_runs > BAD_RUNS_MAX)
        calibration_end(calibration, CALIBRATION_FAILED,
                        arena_text(arena, "%u runs gave no %s: %s", calibration->bad_runs,
                                   calibration->cell->metric, reason));
}

const char *calibration_words(struct arena *arena, const struct calibration *calibration)
{
    const struct cell *cell = calibration->cell;
    const struct crossing_estimate *estimate = &calibration->estimate;
    if (calibration->status != CALIBRATION_OK)
        return arena_text(arena, "calibration %s %s: %s", calibration->name,
                          calibration->status == CALIBRATION_FAILED ? "failed" : "is unavailable",
                          calibration->reason);
    return arena_text(arena,
                      "calibration %s: %s is %.6g at %s = %s (%s to %s with %.3g %%, %u runs)",
                      calibration->name, cell->metric, cell->target, cell->factor->key,
                      calibration->value, number_text(arena, calibration, estimate->low),
                      number_text(arena, calibration, estimate->high), estimate->confidence * 100,
                      calibration->runs);
}

unsigned calibration_runs_expected(const struct calibration *calibration)
{
    const unsigned expected = crossing_runs_expected(&calibration->crossing);
    return calibration->status != CALIBRATION_OPEN ? calibration->runs
           : expected > calibration->runs          ? expected
                                                   : calibration->runs + 1;
}

double calibrations_left_s(const struct calibrations *calibrations)
{
    double seconds = 0;
    for (unsigned i = 0; i < calibrations->count; i++) {
        const struct calibration *calibration = calibrations->items[i];
        seconds += (calibration_runs_expected(calibration) - calibration->runs) *
                   cell_row_s(calibration->cell);
    }
    return seconds;
}

/* ---- the record ---- */

void calibrations_write(struct json *json, const struct calibrations *calibrations)
{
    json_array_open(json, "calibrations");
    for (unsigned i = 0; i < calibrations->count; i++) {
        const struct calibration *calibration = calibrations->items[i];
        const struct cell *cell = calibration->cell;
        if (calibration->status == CALIBRATION_OPEN)
            continue;
        json_object_open(json, NULL);
        json_text(json, "scenario", calibration->scenario);
        json_text(json, "section", cell->section);
        json_text(json, "key", cell->factor->key);
        json_text(json, "metric", cell->metric);
        json_number(json, "target", cell->target);
        json_text(json, "from", cell->factor->from_text);
        json_text(json, "to", cell->factor->to_text);
        json_text(json, "value", calibration->value);
        json_number(json, "number", calibration->estimate.factor);
        json_number(json, "low", calibration->estimate.low);
        json_number(json, "high", calibration->estimate.high);
        json_number(json, "confidence", calibration->estimate.confidence);
        json_count(json, "runs", calibration->runs);
        json_text(json, "status", status_names[calibration->status]);
        json_text(json, "reason", calibration->reason);
        json_object_close(json);
    }
    json_array_close(json);
}

/* False: the entry is not sound. */
static bool take_recorded(struct arena *arena, struct calibration *calibration, const char *object)
{
    const char *status = json_find_text(arena, object, "status");
    struct crossing_estimate *estimate = &calibration->estimate;
    double runs;
    for (enum calibration_status i = CALIBRATION_OK; status != NULL && i <= CALIBRATION_UNAVAILABLE;
         i++) {
        if (strcmp(status, status_names[i]) == 0)
            calibration->status = i;
    }
    calibration->value = json_find_text(arena, object, "value");
    calibration->reason = json_find_text(arena, object, "reason");
    json_find_number(object, "number", &estimate->factor);
    json_find_number(object, "low", &estimate->low);
    json_find_number(object, "high", &estimate->high);
    json_find_number(object, "confidence", &estimate->confidence);
    if (!json_find_number(object, "runs", &runs) || !(runs >= 0 && runs < PLAN_ROWS_MAX))
        return false;
    calibration->runs = (unsigned)runs;
    return calibration->status == CALIBRATION_OK
               ? calibration->value != NULL
               : calibration->status != CALIBRATION_OPEN && calibration->reason != NULL;
}

int calibrations_read(struct arena *arena, const char *record, const struct place *place,
                      struct calibrations *calibrations, struct error *error)
{
    const char *array = json_find(record, "calibrations"), *item;
    for (unsigned i = 0; array != NULL && (item = json_item(array, i)) != NULL; i++) {
        const char *scenario = *item == '{' ? json_find_text(arena, item, "scenario") : NULL;
        const char *section = *item == '{' ? json_find_text(arena, item, "section") : NULL;
        if (scenario == NULL || section == NULL ||
            !take_recorded(arena,
                           add(arena, calibrations, scenario, arena_text(arena, "[%s]", section)),
                           item))
            return error_set(error, place, "calibration %u is not whole; it cannot be resumed",
                             i + 1);
    }
    return 0;
}
