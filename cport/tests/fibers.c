/* Fibers and their scheduler: see fibers.h. */
#include "cport/tests/fibers.h"

#include <stdlib.h>

#include "base/random.h"

enum { STACK_BYTES = 64 << 10 };

struct fibers fibers;
struct schedule schedule;

/* What new contexts are copied from. */
static ucontext_t here;

__attribute__((constructor)) static void here_take(void)
{
    getcontext(&here);
}

static bool is_ready(unsigned index)
{
    const struct fiber *fiber = &fibers.list[index];
    return !fiber->ready || fiber->ready(index);
}

/* Which option is taken. */
static unsigned choose(unsigned options)
{
    unsigned at = schedule.made;
    if (at == CHOICES_MAX) {
        fibers.stopped = true;
        return 0;
    }
    schedule.options[at] = (uint8_t)options;
    if (schedule.random)
        schedule.taken[at] =
            random_next(&schedule.rng) % 4 ? 0 : (uint8_t)(random_next(&schedule.rng) % options);
    else if (at >= schedule.given)
        schedule.taken[at] = 0;
    schedule.made++;
    return schedule.taken[at];
}

/* The next fiber to run: one that is ready, the present one first, or one whose time runs out.
 * NULL: none can run. */
static struct fiber *next_fiber(void)
{
    unsigned options[2 * FIBERS_MAX], ready = 0, count;
    unsigned from = fibers.now ? fiber_index() : 0;
    for (unsigned step = 0; step < fibers.count; step++) {
        unsigned index = (from + step) % fibers.count;
        if (is_ready(index))
            options[ready++] = index;
    }
    count = ready;
    for (unsigned index = 0; index < fibers.count; index++)
        if (!is_ready(index) && fibers.list[index].until_ns != FIBER_FOREVER)
            options[count++] = index;
    if (count == 0)
        return NULL;
    unsigned taken = count > 1 ? choose(count) : 0;
    struct fiber *fiber = &fibers.list[options[taken]];
    fiber->timed_out = taken >= ready;
    if (fiber->timed_out && fibers.clock_ns < fiber->until_ns)
        fibers.clock_ns = fiber->until_ns;
    return fiber;
}

unsigned fiber_index(void)
{
    return (unsigned)(fibers.now - fibers.list);
}

void fiber_pause(void)
{
    struct fiber *from = fibers.now, *to = fibers.stopped ? NULL : next_fiber();
    if (to == from)
        return;
    fibers.now = to;
    swapcontext(&from->context, to ? &to->context : &fibers.test);
}

bool fiber_sleep(bool (*ready)(unsigned index), uint64_t timeout_ns)
{
    struct fiber *fiber = fibers.now;
    if (timeout_ns == 0)
        return false;
    fiber->ready = ready;
    fiber->until_ns = timeout_ns == FIBER_FOREVER ? FIBER_FOREVER : fibers.clock_ns + timeout_ns;
    fiber_pause();
    fiber->ready = NULL;
    fiber->until_ns = FIBER_FOREVER;
    return !fiber->timed_out;
}

static void fiber_start(struct fiber *fiber, void (*run)(void))
{
    char *stack = fiber->stack ? fiber->stack : malloc(STACK_BYTES);
    if (!stack)
        abort();
    *fiber = (struct fiber){.context = here, .stack = stack, .until_ns = FIBER_FOREVER};
    fiber->context.uc_stack.ss_sp = stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber->context, run, 0);
}

bool fibers_run(unsigned count, void (*run)(void))
{
    schedule.made = 0;
    fibers.count = count;
    fibers.clock_ns = 1;
    fibers.stopped = false;
    for (unsigned index = 0; index < count; index++)
        fiber_start(&fibers.list[index], run);
    fibers.now = NULL;
    fibers.now = next_fiber();
    swapcontext(&fibers.test, &fibers.now->context);
    fibers.now = NULL;
    return schedule.made < CHOICES_MAX;
}

bool schedule_advance(unsigned most)
{
    unsigned departures = 0;
    for (unsigned at = 0; at < schedule.made; at++)
        departures += schedule.taken[at] > 0;
    for (unsigned at = schedule.made; at-- > 0;) {
        departures -= schedule.taken[at] > 0;
        if (departures < most && schedule.taken[at] + 1u < schedule.options[at]) {
            schedule.taken[at]++;
            schedule.given = at + 1;
            return true;
        }
    }
    return false;
}
