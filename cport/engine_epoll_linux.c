/* The epoll engine: Linux readiness turned into completions by one system call per operation. */
#include "cport/readiness.h"

#include <limits.h>

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    return readiness_open(port, sizeof(struct readiness), why, why_bytes);
}

const struct engine engine_epoll = {
    .name = "epoll",
    .summary =
        "Linux readiness; the worker that takes a ready socket performs the operation itself",
    .flags = ENGINE_READINESS,
    .pollers_max = UINT_MAX,
    .open = engine_open,
    .close = readiness_close,
    .attach = readiness_attach,
    .detach = readiness_detach,
    .attempt = operations_perform,
    .cancel = readiness_cancel,
    .poll = readiness_poll,
    .wake_poller = readiness_wake_poller,
};
