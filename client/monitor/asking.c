/* Which screens are asked for updates, and when: as credit says. */
#include "client/monitor/monitor.h"

enum request { REQUEST_NONE, REQUEST_CHANGES, REQUEST_CERTAIN };

enum { TICK_NS_MIN = 1000000, TICK_NS_MAX = 20000000 };

/* Under the lock. What time alone lets be asked is asked at a tick. */
static void await_tick(struct monitor *monitor, uint64_t wait_ns)
{
    if (wait_ns == CREDIT_NEVER || monitor->is_ticking)
        return;
    if (wait_ns < TICK_NS_MIN)
        wait_ns = TICK_NS_MIN;
    if (wait_ns > TICK_NS_MAX)
        wait_ns = TICK_NS_MAX;
    monitor->is_ticking = cp_timer(monitor->port, &monitor->tick, KEY_TICK, wait_ns) == 0;
}

/* Under the lock. How `own`, whose thread this is, is to be asked, too; that needs no lock. */
static enum request ask_all(struct monitor *monitor, const struct screen *own)
{
    enum request of_own = REQUEST_NONE;
    uint64_t wait_ns;
    int next;
    if (atomic_load(&monitor->phase) >= PHASE_AUDITING)
        return REQUEST_NONE; /* the audit asks */
    while ((next = credit_next(&monitor->credit, os_now_ns(), &wait_ns)) >= 0) {
        struct screen *screen = monitor->places[next].screen;
        const bool certain = monitor->credit.screens[next].is_certain;
        if (screen == own && of_own == REQUEST_NONE)
            of_own = certain ? REQUEST_CERTAIN : REQUEST_CHANGES;
        else
            monitored_request(screen, certain);
    }
    await_tick(monitor, wait_ns);
    return of_own;
}

void asking_changed(struct monitor *monitor)
{
    ask_all(monitor, NULL);
}

/* Most updates are whole at once; of others it is told once. */
void asking_received(struct screen *screen)
{
    struct monitor *monitor = screen->monitor;
    if (screen->is_coming || !rfb_ready(screen->rfb) || rfb_idle(screen->rfb))
        return;
    screen->is_coming = true;
    pthread_mutex_lock(&monitor->lock);
    credit_begun(&monitor->credit, (unsigned)screen->place, os_now_ns());
    pthread_mutex_unlock(&monitor->lock);
}

/* A screen may answer several requests with one update; its audit must go on even then. */
void asking_answered(struct screen *screen, uint64_t bits, bool news)
{
    struct monitor *monitor = screen->monitor;
    screen->is_coming = false;
    pthread_mutex_lock(&monitor->lock);
    credit_answered(&monitor->credit, (unsigned)screen->place, bits, news, os_now_ns());
    const bool is_audited = monitor->places[screen->place].audit == AUDIT_ASKED;
    const enum request request = is_audited ? REQUEST_CHANGES : ask_all(monitor, screen);
    pthread_mutex_unlock(&monitor->lock);
    if (request != REQUEST_NONE)
        monitored_request(screen, request == REQUEST_CERTAIN);
}

void asking_tick(struct monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
    monitor->is_ticking = false;
    ask_all(monitor, NULL);
    pthread_mutex_unlock(&monitor->lock);
}
