/* Screens that connect to the viewer themselves, whoever of the two is there first:
 *
 *   AWAY --screen 0 alone, every 100 ms--> somebody listens --all others at once--> IN
 *   IN --broken or refused--> calls again soon          IN --the viewer ends it--> stays away
 *   all have gone: AWAY, whatever they were */
#include <stdlib.h>

#include "base/os.h"
#include "mock_servers/screens/session.h"

enum {
    SCOUT_NS = 100 * OS_NS_PER_MS,
    REFUSED_NS = 100 * OS_NS_PER_MS,
    BROKEN_NS = OS_NS_PER_S,
};

/* After the last screen has left by its own fault: the viewer is likely still there. */
static const uint64_t faulty_ns = 10 * (uint64_t)OS_NS_PER_S;

struct callers {
    struct screens *screens;
    struct handler scout; /* the timer of screen 0 while all are away */
    uint64_t in;
};

static void handle_scout(struct handler *handler, unsigned signs);

struct callers *callers_open(struct screens *screens)
{
    struct callers *callers = calloc(1, sizeof *callers);
    if (callers == NULL)
        return NULL;
    callers->screens = screens;
    callers->scout.handle = handle_scout;
    if (loop_add(&screens->loop) < 0) {
        callers_close(callers);
        return NULL;
    }
    loop_schedule(&screens->loop, &callers->scout);
    return callers;
}

void callers_close(struct callers *callers)
{
    if (callers == NULL)
        return;
    loop_remove(&callers->screens->loop, &callers->scout);
    free(callers);
}

static bool is_calling(const struct screen *screen)
{
    return screen->sessions.after != &screen->sessions;
}

static void call_in(struct screen *screen, uint64_t duration_ns)
{
    loop_wake_at(&screen->screens->loop, &screen->handler, os_now_ns() + duration_ns);
}

static void call(struct screen *screen)
{
    struct screens *screens = screen->screens;
    if (!is_calling(screen) && screen_call(screen, &screens->config->address) < 0)
        call_in(screen, BROKEN_NS);
}

static void scout_in(struct callers *callers, uint64_t duration_ns)
{
    loop_wake_at(&callers->screens->loop, &callers->scout, os_now_ns() + duration_ns);
}

static void handle_scout(struct handler *handler, unsigned signs)
{
    struct callers *callers = LIST_MEMBER(handler, struct callers, scout);
    if (callers->in == 0)
        call(&callers->screens->all[0]);
}

/* The timer of one screen. */
static void handle_call(struct handler *handler, unsigned signs)
{
    struct screen *screen = (struct screen *)handler;
    struct callers *callers = screen->screens->callers;
    if (callers->in > 0)
        call(screen);
    else if (screen->number == 0)
        scout_in(callers, SCOUT_NS);
}

void callers_in(struct callers *callers, struct screen *screen)
{
    struct screens *screens = callers->screens;
    screen->is_in = true;
    if (callers->in++ > 0)
        return;
    for (uint64_t i = 0; i < screens->config->count; i++) {
        screens->all[i].handler.handle = handle_call;
        if (&screens->all[i] != screen)
            call(&screens->all[i]);
    }
}

static bool comes_back(const struct screen *screen, enum session_end how)
{
    return how == ENDED_NEVER_IN || how == ENDED_BROKEN ||
           (how == ENDED_BY_FAULT && fault_is(screen->fault, "return"));
}

static uint64_t pause_ns(const struct screen *screen, enum session_end how)
{
    if (how == ENDED_BY_FAULT)
        return screen->fault->argument * OS_NS_PER_MS;
    return how == ENDED_NEVER_IN ? REFUSED_NS : BROKEN_NS;
}

void callers_gone(struct callers *callers, struct screen *screen, enum session_end how)
{
    const bool was_in = screen->is_in;
    screen->is_in = false;
    callers->in -= was_in;
    if (how == ENDED_WITH_PROGRAM)
        return;
    if (callers->in > 0) {
        if (comes_back(screen, how))
            call_in(screen, pause_ns(screen, how));
    } else if (was_in && how == ENDED_BY_FAULT) {
        scout_in(callers, comes_back(screen, how) ? pause_ns(screen, how) : faulty_ns);
    } else if (was_in || screen->number == 0) {
        scout_in(callers, SCOUT_NS);
    }
}
