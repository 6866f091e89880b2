/* Which screens are asked for updates: each as soon as it has answered, or, with --rate or
 * --budget, by credit. */
#include "client/monitor/monitor.h"

enum { TICK_NS_MIN = 1000000, TICK_NS_MAX = 20000000 };

/* Under the lock. Returns how long nothing is to be done. */
static uint64_t ask_all(struct monitor *monitor)
{
    uint64_t wait_ns;
    int next;
    while ((next = credit_next(&monitor->credit, os_now_ns(), &wait_ns)) >= 0)
        if (monitor->places[next].screen != NULL)
            monitored_request(monitor->places[next].screen);
    return wait_ns;
}

static void answered_limited(struct screen *screen, uint64_t bits)
{
    struct monitor *monitor = screen->monitor;
    pthread_mutex_lock(&monitor->lock);
    credit_answered(&monitor->credit, (unsigned)screen->place, bits);
    ask_all(monitor);
    pthread_mutex_unlock(&monitor->lock);
}

void asking_answered(struct screen *screen, uint64_t bits)
{
    struct monitor *monitor = screen->monitor;
    const bool audits =
        atomic_load_explicit(&monitor->phase, memory_order_relaxed) >= PHASE_AUDITING;
    const bool hidden =
        atomic_load_explicit(&monitor->places[screen->place].hidden, memory_order_relaxed);
    pthread_mutex_lock(&screen->lock);
    /* A screen may answer several requests with one update; an audit must go on even then. */
    if (screen->asked > 0)
        screen->asked = audits ? 0 : screen->asked - 1;
    pthread_mutex_unlock(&screen->lock);
    if (monitor->limited && !audits)
        answered_limited(screen, bits);
    else if (audits || !hidden)
        monitored_ask(screen);
}

void asking_tick(struct monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
    uint64_t wait_ns = ask_all(monitor);
    pthread_mutex_unlock(&monitor->lock);
    if (wait_ns < TICK_NS_MIN)
        wait_ns = TICK_NS_MIN;
    if (wait_ns > TICK_NS_MAX)
        wait_ns = TICK_NS_MAX;
    cp_timer(monitor->port, &monitor->tick, KEY_TICK, wait_ns);
}

void asking_open(struct monitor *monitor)
{
    if (monitor->limited)
        cp_timer(monitor->port, &monitor->tick, KEY_TICK, TICK_NS_MIN);
}
