/* On Windows the kernel itself gives a sleeping worker's place away. */
#include <stdio.h>

#include "cport/port.h"

int watcher_open(struct cport *port, char *why, size_t why_bytes)
{
    if (port->os_gate)
        return 0;
    snprintf(why, why_bytes, "watch: Wine does not tell which threads sleep");
    return CP_EUNSUPPORTED;
}

void watcher_wake(struct cport *port)
{
}

void watcher_meets(struct worker *worker)
{
}

void watcher_close(struct cport *port)
{
}
