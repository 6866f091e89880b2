/* Hooks of a glass that keep what they were called with, for tests to wait for. */
#ifndef FANIN_TESTS_EVENTS_H
#define FANIN_TESTS_EVENTS_H

#include <pthread.h>

#include "client/monitor/glass/glass.h"

enum { EVENTS_MAX = 512, EVENT_BYTES = 96 };

struct events {
    pthread_mutex_t lock;
    unsigned count, closed;              /* lines that wait; windows that were closed, all in all */
    char lines[EVENTS_MAX][EVENT_BYTES]; /* "key 3 0x61 down", "pointer 0 10 20 buttons 1", ... */
};

extern const struct glass_hooks events_hooks; /* their context is a struct events */

void events_init(struct events *events);

/* events_wait: blocks until the line has come, two minutes at most; false: it has not. The lines up
 * to it are forgotten. events_has: whether it is among those that wait. */
bool events_wait(struct events *events, const char *line);
bool events_has(struct events *events, const char *line);
void events_forget(struct events *events);

#endif
