/* The one table of engines, and the one place that asks for the operating system. */
#include "cport/engine.h"

extern const struct engine engine_script;

#ifdef _WIN32
extern const struct engine engine_iocp;
#else
extern const struct engine engine_epoll;
extern const struct engine engine_uring;
#endif

const struct engine *const engines[] = {
#ifdef _WIN32
    &engine_iocp,
#else
    &engine_epoll,
    &engine_uring,
#endif
    &engine_script,
    NULL,
};
