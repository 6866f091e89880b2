/* What is said when the law is broken, and with which seed it was. */
#ifndef FANIN_TRIAL_LAW_H
#define FANIN_TRIAL_LAW_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"

enum { PATIENCE_S = 20 };

/* What runs now. Written before the threads begin. */
static struct {
    const char *engine;
    unsigned test;
    uint64_t seed;
} running;

/* The first to see it says so and ends the process: whatever came after it would be noise. */
__attribute__((format(printf, 3, 4))) static void law_broken(const char *file, int line,
                                                             const char *format, ...)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    char what[400];
    va_list arguments;
    if (atomic_flag_test_and_set(&said))
        os_sleep_ns(UINT64_MAX);
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    printf("not ok %u - the law under stress [%s]: %s (%s:%d)\n"
           "# replay (decisions, not the threads' timing): --engine=%s --seed=0x%016" PRIx64 "\n",
           running.test, running.engine, what, file, line, running.engine, running.seed);
    fflush(stdout);
    _Exit(1);
}

/* LAW(truth, what is so if it does not hold, ...) */
#define LAW(truth, ...)                                                                            \
    do {                                                                                           \
        if (!(truth))                                                                              \
            law_broken(__FILE__, __LINE__, __VA_ARGS__);                                           \
    } while (0)

/* Waits, for seconds at most, until it is so. False: it did not come true. */
static bool comes_true(bool (*so)(void *context), void *context)
{
    uint64_t end_ns = os_now_ns() + (uint64_t)PATIENCE_S * OS_NS_PER_S;
    while (!so(context)) {
        if (os_now_ns() >= end_ns)
            return false;
        os_sleep_ns(200000);
    }
    return true;
}

#endif
