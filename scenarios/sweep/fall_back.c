/* Cells that fell together: what one asked for cannot be had here, and without it another cell is
 * the same. */
#include <string.h>

#include "scenarios/sweep/cell.h"

/* A period is nothing without a share. */
static bool has_idle_period(const struct cell *cell)
{
    return cell->cpu_share == NULL && cell_find(cell, "cpu-period") != NULL;
}

static bool fell_back(const struct cell *cell)
{
    return cell->link_reason != NULL || cell->cpu_share_reason != NULL ||
           *cell->calibration_reason != '\0' || has_idle_period(cell);
}

static bool run_alike(const struct cell *a, const struct cell *b)
{
    static const char *const had_or_not[] = {"link", "rtt", "cpu-share", "cpu-period", NULL};
    return a->link == b->link && a->cpu_share == b->cpu_share && cell_equals(a, b, had_or_not);
}

/* The cell that runs in place of cell `index`, which fell back; NULL: none does. Of cells that are
 * alike the one planned so runs, else the first that fell back to it. */
static const struct cell *find_twin(const struct cells *cells, unsigned index)
{
    const struct cell *twin = NULL;
    for (unsigned i = 0; i < cells->count; i++) {
        const struct cell *other = cells->items[i];
        if (i == index || other->skip_reason != NULL || !run_alike(cells->items[index], other))
            continue;
        if (!fell_back(other))
            return other;
        if (twin == NULL && i < index)
            twin = other;
    }
    return twin;
}

static const char *value_of(const struct cell *cell, const char *key, const char *fallback)
{
    const struct pair *pair = cell_find(cell, key);
    return pair == NULL ? fallback : pair->value;
}

/* By the key in which the two differ. */
static const char *explain(struct arena *arena, const struct cell *cell, const struct cell *twin)
{
    const char *share = value_of(cell, "cpu-share", "100%");
    if (cell->link_reason != NULL && strcmp(cell->link_asked, twin->link_asked) != 0)
        return arena_text(arena,
                          "link %s is unavailable; on %s this cell would duplicate link = %s: %s",
                          cell->link_asked, CELL_LOOPBACK, twin->link_asked, cell->link_reason);
    if (*cell->calibration_reason != '\0')
        return arena_text(arena, "without its value this cell would duplicate %s: %s",
                          cell_title(arena, twin), cell->calibration_reason);
    if (cell->cpu_share_reason == NULL)
        return arena_text(
            arena,
            "cpu-period = %s changes nothing at full speed: this cell would duplicate "
            "cpu-period = %s",
            value_of(cell, "cpu-period", ""), value_of(twin, "cpu-period", "40ms"));
    return arena_text(arena,
                      "cpu-share %s is unavailable; at full speed this cell would duplicate "
                      "cpu-share = %s: %s",
                      share, value_of(twin, "cpu-share", "100%"), cell->cpu_share_reason);
}

void cells_skip_twins(struct arena *arena, const struct cells *cells)
{
    for (unsigned i = 0; i < cells->count; i++) {
        struct cell *cell = cells->items[i];
        const struct cell *twin =
            cell->skip_reason == NULL && fell_back(cell) ? find_twin(cells, i) : NULL;
        if (twin != NULL)
            cell->skip_reason = explain(arena, cell, twin);
    }
}
