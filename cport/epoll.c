/* Linux readiness turned into completions: readiness_linux.c says when, attempt_linux.c how. */
#include "cport/readiness.h"

#include <limits.h>

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    return readiness_open(port, sizeof(struct readiness), why, why_bytes);
}

extern const struct engine engine_epoll;
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
    .advance = attempt,
    .cancel = readiness_cancel,
    .poll = readiness_poll,
    .kick = readiness_kick,
};
