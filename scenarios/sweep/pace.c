/* How long rows take: as the scenario expects until one was measured. */
#include "scenarios/sweep/sweep.h"

double sweep_row_s(const struct sweep *sweep, unsigned cell_index)
{
    const struct cell *cell = sweep->cells.items[cell_index];
    const struct pace *pace = &sweep->paces[cell_index];

    return pace->count == 0 ? cell->row_seconds + (double)cell->pause_ms / 1000
                            : pace->sum_s / pace->count;
}

double sweep_expected_s(const struct sweep *sweep, unsigned first_row)
{
    double seconds = 0;

    for (unsigned i = first_row; i < sweep->plan.count; i++) {
        if (!sweep->plan.rows[i].done)
            seconds += sweep_row_s(sweep, sweep->plan.rows[i].cell_index);
    }
    return seconds;
}
