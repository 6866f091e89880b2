/* The engines of this system, in order of preference: the one place that tells systems apart. */
#include "cport/engine.h"

#ifdef _WIN32
#define ENGINES(X) X(iocp)
#else
#define ENGINES(X) X(epoll) X(uring)
#endif

#define X(name) extern const struct engine engine_##name;
ENGINES(X)
#undef X

const struct engine *const engines[] = {
#define X(name) &engine_##name,
    ENGINES(X)
#undef X
        NULL,
};
