/* The threads that wait on the port and handle what it delivers. */
#ifndef FANIN_COLLECTOR_WORKERS_H
#define FANIN_COLLECTOR_WORKERS_H

#include <pthread.h>

#include "cport/cport.h"

struct workers {
    struct cport *port;
    unsigned batch; /* packets of one wait */
    unsigned count; /* that run */
    pthread_t *threads;
};

/* workers_start: starts `count` threads that handle the packets of `port`, whose keys are
 * connections. 0, or a negative errno value; workers_join afterwards in either case. */
int workers_start(struct workers *workers, struct cport *port, unsigned count, unsigned batch);

/* workers_join: blocks until all of them have seen that the port is closed. */
void workers_join(struct workers *workers);

#endif
