/* Reports a broken law, with the seed that found it. */
#include <stdarg.h>

#include "cport/tests/stress/stress.h"

enum { PATIENCE_S = 20 };

struct running running;

void law_broken(const char *file, int line, const char *format, ...)
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

bool comes_true(bool (*so)(void *context), void *context)
{
    uint64_t end_ns = os_now_ns() + (uint64_t)PATIENCE_S * OS_NS_PER_S;
    while (!so(context)) {
        if (os_now_ns() >= end_ns)
            return false;
        os_sleep_ns(200000);
    }
    return true;
}
