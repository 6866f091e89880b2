/* Places: where screens are shown. One that comes again has the place that it had. */
#include <string.h>

#include "client/monitor/monitor.h"

/* Without the port, which is another one each time. */
static void host_of(const struct net_address *address, char host[NET_TEXT_BYTES])
{
    const struct net_address at = net_address_at(address, 0, 0);
    net_address_text(&at, host);
}

static bool suits(const struct place *place, const char *name, const char *host)
{
    return place->used && strcmp(place->name, name) == 0 && strcmp(place->host, host) == 0;
}

/* Under the lock; -1: all are taken. */
static int find(const struct monitor *monitor, const char *name, const char *host)
{
    int fresh = -1, left = -1;
    for (int i = (int)monitor->options->screens - 1; i >= 0; i--) {
        const struct place *place = &monitor->places[i];
        if (place->screen != NULL)
            continue;
        if (suits(place, name, host))
            return i;
        *(place->used ? &left : &fresh) = i;
    }
    return fresh >= 0 ? fresh : left;
}

bool places_take(struct screen *screen)
{
    struct monitor *monitor = screen->monitor;
    const char *name = rfb_name(screen->rfb);
    char host[NET_TEXT_BYTES];
    host_of(&screen->peer, host);
    pthread_mutex_lock(&monitor->lock);
    const int taken = screen->target != TARGET_NONE ? screen->target : find(monitor, name, host);
    if (taken >= 0) {
        struct place *place = &monitor->places[taken];
        screen->place = taken;
        place->screen = screen;
        snprintf(place->name, sizeof place->name, "%s", name);
        snprintf(place->host, sizeof place->host, "%s", host);
    }
    pthread_mutex_unlock(&monitor->lock);
    return taken >= 0;
}

void places_leave(struct screen *screen)
{
    struct monitor *monitor = screen->monitor;
    struct place *place = &monitor->places[screen->place];
    place->screen = NULL;
    place->held_count = 0;
    place->buttons = 0;
    credit_leave(&monitor->credit, (unsigned)screen->place);
    if (atomic_load(&screen->ready))
        monitor->ready_count--;
}
