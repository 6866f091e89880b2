/* Puts rows in shuffled blocks. */
#include "scenarios/sweep/plan.h"

#include "base/random.h"

/* Uniform over 0..bound-1: the part of the range that would favour small numbers is drawn again. */
static unsigned draw_below(uint64_t *state, unsigned bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, drawn;
    do
        drawn = random_next(state);
    while (drawn >= limit);
    return (unsigned)(drawn % bound);
}

void plan_append(struct arena *arena, struct plan *plan, const struct cell *cell,
                 unsigned cell_index, unsigned repeat)
{
    plan->rows = arena_grow(arena, plan->rows, plan->count, sizeof *plan->rows);
    plan->rows[plan->count] = (struct plan_row){
        .cell = cell, .cell_index = cell_index, .repeat = repeat, .order = plan->count + 1};
    plan->count++;
}

/* The rows from `first` on; orders stay with the places. */
static void shuffle(struct plan *plan, unsigned first, uint64_t *state)
{
    struct plan_row *rows = plan->rows + first;
    for (unsigned i = plan->count - first; i > 1; i--) {
        unsigned other = draw_below(state, i);
        struct plan_row held = rows[i - 1];
        rows[i - 1] = rows[other];
        rows[other] = held;
    }
    for (unsigned i = first; i < plan->count; i++)
        plan->rows[i].order = i + 1;
}

bool plan_make(struct arena *arena, const struct cells *cells, uint64_t seed, struct plan *plan)
{
    uint64_t total = 0, state = seed;
    for (unsigned i = 0; i < cells->count; i++)
        total += cells->items[i]->repeat;
    if (total > PLAN_ROWS_MAX)
        return false;
    *plan = (struct plan){.due = (unsigned)total};
    for (unsigned repeat = 1; plan->count < total; repeat++) {
        unsigned first = plan->count;
        for (unsigned i = 0; i < cells->count; i++) {
            if (cells->items[i]->repeat >= repeat)
                plan_append(arena, plan, cells->items[i], i, repeat);
        }
        shuffle(plan, first, &state);
    }
    return true;
}

/* The block's number stands in the upper half, so that no block draws what another one drew. */
void plan_shuffle_block(struct plan *plan, unsigned first, uint64_t seed)
{
    uint64_t state = seed ^ (uint64_t)plan->rows[first].repeat << 32;
    shuffle(plan, first, &state);
}

void plan_trim(struct plan *plan)
{
    while (plan->count > plan->due && !plan->rows[plan->count - 1].done)
        plan->count--;
}
