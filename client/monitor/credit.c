/* Which screen is asked next: focus, rate and budget. */
#include "client/monitor/credit.h"

#include <assert.h>
#include <stdlib.h>

/* A first update is a whole picture; the budget's pause before the first burst ends is 1/20 s. */
#define FIRST_BITS  500000.0
#define BURST_SHARE 0.05
#define NS_PER_S    1e9

bool credit_open(struct credit *credit, unsigned screens, unsigned ahead, double rate,
                 double budget)
{
    assert(ahead >= 1);
    *credit = (struct credit){.count = screens, .ahead = ahead, .rate = rate, .budget = budget};
    credit->screens = calloc(screens, sizeof *credit->screens);
    credit->bits = budget * BURST_SHARE;
    return credit->screens != NULL;
}

void credit_close(struct credit *credit)
{
    free(credit->screens);
    *credit = (struct credit){0};
}

void credit_join(struct credit *credit, unsigned screen)
{
    struct credit_screen *joined = &credit->screens[screen];
    *joined = (struct credit_screen){.present = true,
                                     .hidden = joined->hidden,
                                     .focused = joined->focused,
                                     .turn = ++credit->turns,
                                     .typical_bits = FIRST_BITS};
}

void credit_leave(struct credit *credit, unsigned screen)
{
    credit->screens[screen].present = false;
}

void credit_answered(struct credit *credit, unsigned screen, uint64_t bits)
{
    struct credit_screen *answered = &credit->screens[screen];
    const double paid = answered->asked > 0 ? answered->paid_bits / answered->asked : 0;
    credit->bits -= (double)bits - paid;
    answered->paid_bits -= paid;
    if (answered->asked > 0)
        answered->asked--;
    answered->typical_bits += ((double)bits - answered->typical_bits) / 4;
    answered->turn = ++credit->turns;
}

static void fill(struct credit *credit, uint64_t now_ns)
{
    if (now_ns > credit->filled_ns && credit->filled_ns > 0)
        credit->bits += credit->budget * (double)(now_ns - credit->filled_ns) / NS_PER_S;
    credit->filled_ns = now_ns;
    if (credit->bits > credit->budget * BURST_SHARE)
        credit->bits = credit->budget * BURST_SHARE;
}

/* How long this screen is not to be asked, were there no budget. */
static uint64_t screen_wait_ns(const struct credit *credit, const struct credit_screen *screen,
                               uint64_t now_ns)
{
    if (!screen->present || screen->asked >= credit->ahead || (screen->hidden && !screen->focused))
        return CREDIT_NEVER;
    if (screen->focused || credit->rate <= 0 || screen->asked_ns == 0)
        return 0;
    const uint64_t due_ns = screen->asked_ns + (uint64_t)(NS_PER_S / credit->rate);
    return due_ns > now_ns ? due_ns - now_ns : 0;
}

static bool comes_before(const struct credit_screen *one, const struct credit_screen *other)
{
    if (one->focused != other->focused)
        return one->focused;
    return one->turn < other->turn;
}

int credit_next(struct credit *credit, uint64_t now_ns, uint64_t *wait_ns)
{
    int next = -1;
    *wait_ns = CREDIT_NEVER;
    fill(credit, now_ns);
    for (unsigned i = 0; i < credit->count; i++) {
        const struct credit_screen *screen = &credit->screens[i];
        const uint64_t own_ns = screen_wait_ns(credit, screen, now_ns);
        if (own_ns < *wait_ns)
            *wait_ns = own_ns;
        if (own_ns == 0 && (next < 0 || comes_before(screen, &credit->screens[next])))
            next = (int)i;
    }
    if (next < 0)
        return -1;
    struct credit_screen *asked = &credit->screens[next];
    if (credit->budget > 0 && credit->bits <= 0) {
        *wait_ns = (uint64_t)(-credit->bits / credit->budget * NS_PER_S) + 1;
        return -1;
    }
    credit->bits -= asked->typical_bits;
    asked->paid_bits += asked->typical_bits;
    asked->asked++;
    asked->asked_ns = now_ns;
    return next;
}
