#include "scenarios/plan.h"

/* splitmix64: whoever replays an order elsewhere can write it down in five lines. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Uniform over 0..bound-1: the part of the range that would favour small numbers is drawn again. */
static unsigned draw_below(uint64_t *state, unsigned bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, drawn;

    do
        drawn = next_random(state);
    while (drawn >= limit);
    return (unsigned)(drawn % bound);
}

static void shuffle(struct plan_row *rows, unsigned count, uint64_t *state)
{
    for (unsigned i = count; i > 1; i--) {
        unsigned other = draw_below(state, i);
        struct plan_row held = rows[i - 1];

        rows[i - 1] = rows[other];
        rows[other] = held;
    }
}

bool plan_make(struct arena *arena, const struct cells *cells, uint64_t seed, struct plan *plan)
{
    uint64_t total = 0, state = seed;
    unsigned count = 0;

    for (unsigned i = 0; i < cells->count; i++)
        total += cells->items[i]->repeat;
    if (total > PLAN_ROWS_MAX)
        return false;
    plan->rows = arena_take(arena, total * sizeof *plan->rows);
    plan->count = (unsigned)total;
    for (unsigned repeat = 1; count < total; repeat++) {
        unsigned first = count;

        for (unsigned i = 0; i < cells->count; i++) {
            if (cells->items[i]->repeat >= repeat)
                plan->rows[count++] =
                    (struct plan_row){.cell = cells->items[i], .cell_index = i, .repeat = repeat};
        }
        shuffle(plan->rows + first, count - first, &state);
    }
    for (unsigned i = 0; i < count; i++)
        plan->rows[i].order = i + 1;
    return true;
}
