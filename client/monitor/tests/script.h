/* A glass for tests: pictures in memory; the test is who presses keys, and can spoil pictures. */
#ifndef FANIN_TESTS_SCRIPT_H
#define FANIN_TESTS_SCRIPT_H

#include <stdatomic.h>

#include "client/monitor/glass/glass.h"

extern const struct glass_kind glass_script;

/* The glass that is open. All is set before the run; hooks are called on the window's thread. */
struct script {
    struct glass_config config;
    atomic_uint puts[64]; /* by screen */
    bool spoils;          /* changes a pixel of each screen with each put */
    /* Presses keys and so on, once screen 0 was put. NULL: nobody does. */
    void (*act)(const struct glass_hooks *hooks, void *context);
    atomic_bool is_stopped;
};
extern struct script glass_scripted;

#endif
