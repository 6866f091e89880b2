/* Which screen is asked next: focus, rate, budget, and turns on a full link. */
#include "client/monitor/credit.h"

#include <assert.h>
#include <stdlib.h>

/* A first update is a whole picture; the budget's pause before the first burst ends is 1/20 s. */
#define FIRST_BITS  500000.0
#define BURST_SHARE 0.05
#define NS_PER_S    1e9

/* A free link is tried by one request of so many, and not more often. An answer is late if others
 * hold it up for longer than the queue that keeps a wire busy while threads wait for processors.
 * One alone has met a pause of the machine. */
enum { SAMPLE_UPDATES = 64 };
#define SAMPLE_NS UINT64_C(50000000)
#define QUEUE_NS  UINT64_C(50000000)

/* A turn that so many rounds of others have overtaken is slow by itself, and is over for the
 * others; so are all if none ended for so long. */
enum { TURNS_LEAST = 8, OVERTAKEN_ROUNDS = 4 };
#define LOOK_NS  UINT64_C(20000000)
#define STILL_NS UINT64_C(1000000000)

bool credit_open(struct credit *credit, unsigned screens, unsigned ahead, double rate,
                 double budget)
{
    assert(ahead >= 1);
    *credit = (struct credit){
        .count = screens,
        .ahead = ahead,
        .rate = rate,
        .budget = budget,
        .focused = CREDIT_NOBODY,
        .is_full = true,
        .turns_max = TURNS_LEAST,
        .least_ns = CREDIT_NEVER,
        .round_ns = CREDIT_NEVER,
    };
    list_init(&credit->waiting);
    credit->screens = calloc(screens, sizeof *credit->screens);
    credit->bits = budget * BURST_SHARE;
    return credit->screens != NULL;
}

void credit_close(struct credit *credit)
{
    free(credit->screens);
    *credit = (struct credit){0};
}

/* At the end of those that wait; one without news waits for no turn. */
static void wait_again(struct credit *credit, struct credit_screen *screen)
{
    if (screen->present && screen->asked < credit->ahead && !screen->has_turn &&
        !list_has(&screen->node))
        list_append(screen->is_idle ? credit->waiting.after : &credit->waiting, &screen->node);
}

static void end_turn(struct credit *credit, struct credit_screen *screen)
{
    credit->turns -= screen->has_turn;
    screen->has_turn = screen->is_certain = false;
}

void credit_join(struct credit *credit, unsigned screen)
{
    struct credit_screen *joined = &credit->screens[screen];
    credit_leave(credit, screen);
    *joined = (struct credit_screen){
        .present = true, .hidden = joined->hidden, .typical_bits = FIRST_BITS};
    wait_again(credit, joined);
}

void credit_leave(struct credit *credit, unsigned screen)
{
    struct credit_screen *left = &credit->screens[screen];
    end_turn(credit, left);
    left->present = false;
    list_remove(&left->node);
}

void credit_focus(struct credit *credit, int screen)
{
    credit->focused = screen;
}

void credit_show(struct credit *credit, unsigned screen, bool visible)
{
    credit->screens[screen].hidden = !visible;
}

/* ---- the link -------------------------------------------------------------------------------- */

/* As many turns as keep the queue as long as it may be. With the fewest, it is the path that has
 * become longer. */
static void end_round(struct credit *credit)
{
    const unsigned before = credit->turns_max;
    const uint64_t queue_ns = credit->round_ns - credit->least_ns;
    if (queue_ns > QUEUE_NS && before == TURNS_LEAST)
        credit->least_ns += credit->least_ns / 8 + QUEUE_NS / 16;
    else if (queue_ns > QUEUE_NS)
        credit->turns_max = before * 3 / 4 > TURNS_LEAST ? before * 3 / 4 : TURNS_LEAST;
    else if (before < credit->count)
        credit->turns_max += queue_ns < QUEUE_NS / 4 ? before : 1 + before / 8;
    credit->round = 0;
    credit->round_ns = CREDIT_NEVER;
}

void credit_begun(struct credit *credit, unsigned screen, uint64_t now_ns)
{
    struct credit_screen *begun = &credit->screens[screen];
    const uint64_t took_ns = now_ns - begun->asked_ns;
    if (!begun->is_certain)
        return;
    begun->is_certain = false;
    if (took_ns < credit->least_ns)
        credit->least_ns = took_ns;
    if (took_ns < credit->round_ns)
        credit->round_ns = took_ns;
    const bool is_late = took_ns > credit->least_ns + QUEUE_NS;
    if (is_late && credit->was_late)
        credit->is_full = true;
    else if (!is_late && list_first(&credit->waiting) == NULL)
        credit->is_full = false;
    credit->was_late = is_late;
    if (credit->is_full && ++credit->round >= credit->turns_max)
        end_round(credit);
}

void credit_answered(struct credit *credit, unsigned screen, uint64_t bits, bool news,
                     uint64_t now_ns)
{
    struct credit_screen *answered = &credit->screens[screen];
    const double paid = answered->asked > 0 ? answered->paid_bits / answered->asked : 0;
    credit_begun(credit, screen, now_ns);
    credit->updates++;
    credit->update_ns = now_ns;
    credit->bits -= (double)bits - paid;
    answered->paid_bits -= paid;
    if (answered->asked > 0)
        answered->asked--;
    answered->typical_bits += ((double)bits - answered->typical_bits) / 4;
    answered->is_idle = answered->has_turn && !news;
    end_turn(credit, answered);
    wait_again(credit, answered);
}

static void end_slow_turns(struct credit *credit, uint64_t now_ns)
{
    const bool is_still = now_ns - credit->update_ns > STILL_NS;
    const uint64_t most = (uint64_t)OVERTAKEN_ROUNDS * credit->turns_max;
    if (now_ns - credit->looked_ns < LOOK_NS)
        return;
    credit->looked_ns = now_ns;
    for (unsigned i = 0; i < credit->count; i++)
        if (is_still || credit->updates - credit->screens[i].asked_updates > most)
            end_turn(credit, &credit->screens[i]);
}

/* ---- who is next ----------------------------------------------------------------------------- */

static void fill(struct credit *credit, uint64_t now_ns)
{
    if (now_ns > credit->filled_ns && credit->filled_ns > 0)
        credit->bits += credit->budget * (double)(now_ns - credit->filled_ns) / NS_PER_S;
    credit->filled_ns = now_ns;
    if (credit->bits > credit->budget * BURST_SHARE)
        credit->bits = credit->budget * BURST_SHARE;
}

/* How long this screen is not to be asked, were there no budget and no turns. */
static uint64_t screen_wait_ns(const struct credit *credit, const struct credit_screen *screen,
                               uint64_t now_ns)
{
    if (screen->hidden)
        return CREDIT_NEVER;
    if (credit->rate <= 0 || screen->asked_ns == 0)
        return 0;
    const uint64_t due_ns = screen->asked_ns + (uint64_t)(NS_PER_S / credit->rate);
    return due_ns > now_ns ? due_ns - now_ns : 0;
}

/* NULL: none for *wait_ns. */
static struct credit_screen *first_due(const struct credit *credit, uint64_t now_ns,
                                       uint64_t *wait_ns)
{
    *wait_ns = CREDIT_NEVER;
    for (struct list_node *node = credit->waiting.after; node != &credit->waiting;
         node = node->after) {
        struct credit_screen *screen = LIST_MEMBER(node, struct credit_screen, node);
        const uint64_t own_ns = screen_wait_ns(credit, screen, now_ns);
        if (own_ns == 0)
            return screen;
        if (own_ns < *wait_ns)
            *wait_ns = own_ns;
    }
    return NULL;
}

static bool is_sample(struct credit *credit, uint64_t now_ns)
{
    if (credit->updates - credit->sampled_updates < SAMPLE_UPDATES ||
        now_ns - credit->sampled_ns < SAMPLE_NS)
        return false;
    credit->sampled_updates = credit->updates;
    credit->sampled_ns = now_ns;
    return true;
}

/* False: it is to wait for a turn. */
static bool take_turn(struct credit *credit, struct credit_screen *screen, uint64_t now_ns)
{
    if (!credit->is_full || screen->is_idle) {
        screen->is_certain = !credit->is_full && is_sample(credit, now_ns);
        screen->is_idle = false;
        return true;
    }
    if (credit->turns >= credit->turns_max)
        end_slow_turns(credit, now_ns);
    if (credit->turns >= credit->turns_max)
        return false;
    screen->has_turn = screen->is_certain = true;
    credit->turns++;
    return true;
}

int credit_next(struct credit *credit, uint64_t now_ns, uint64_t *wait_ns)
{
    struct credit_screen *next = NULL;
    fill(credit, now_ns);
    if (credit->focused != CREDIT_NOBODY && list_has(&credit->screens[credit->focused].node))
        next = &credit->screens[credit->focused];
    const bool has_focus = next != NULL;
    if (!has_focus && (next = first_due(credit, now_ns, wait_ns)) == NULL)
        return -1;
    if (credit->budget > 0 && credit->bits <= 0) {
        *wait_ns = (uint64_t)(-credit->bits / credit->budget * NS_PER_S) + 1;
        return -1;
    }
    if (!has_focus && !take_turn(credit, next, now_ns)) {
        *wait_ns = LOOK_NS;
        return -1;
    }
    credit->bits -= next->typical_bits;
    next->paid_bits += next->typical_bits;
    next->asked++;
    next->asked_ns = now_ns;
    next->asked_updates = credit->updates;
    list_remove(&next->node);
    wait_again(credit, next);
    return (int)(next - credit->screens);
}
