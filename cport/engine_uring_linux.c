/* The uring engine: Linux readiness from the epoll set, receives through io_uring. The worker that
 * takes a batch of ready directions submits all their receives in one system call.
 *
 * A ring belongs to a running place, not to a thread: a worker takes an idle ring for the time of a
 * batch, and makes one if there is none. Every receive says MSG_DONTWAIT, so the kernel answers it
 * during submission and holds nothing between two batches: cancel and close have nothing to do, no
 * operation dies with the thread that submitted it, and the running worker makes the copy.
 *
 *    idle --ring_take--> filled --submit--> answered --ring_give--> idle
 *                                   |
 *                                   '-- the kernel refused some: the ring is destroyed, plain calls
 *                                       perform what was not answered
 *
 * README.md has the designs that lost, and the figures. */
#include "cport/readiness.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RING_ENTRIES = CP_BATCH_MAX,
    RING_RECEIVES_MIN = 8, /* for fewer receives, plain calls cost less */
};

struct ring {
    struct io_uring uring;
    struct ring *next_idle;
    struct attempt *attempts[RING_ENTRIES]; /* of the batch */
    struct msghdr messages[RING_ENTRIES];   /* of receives into several blocks */
    ssize_t answers[RING_ENTRIES];
};

struct uring_state {
    struct readiness readiness;
    pthread_mutex_t lock; /* protects the list */
    struct ring *idle;    /* the most recently used first: its memory is in the cache */
};

/* A receive that the kernel has not answered, or that was interrupted. */
#define UNANSWERED (-(ssize_t)EINTR)

/* ---- rings --------------------------------------------------------------------------------- */

/* NULL: errno says why not. */
static struct ring *ring_make(void)
{
    struct ring *ring = malloc(sizeof *ring);
    int code = ring ? io_uring_queue_init(RING_ENTRIES, &ring->uring, 0) : -ENOMEM;
    if (code == 0)
        return ring;
    free(ring);
    errno = -code;
    return NULL;
}

static void ring_destroy(struct ring *ring)
{
    io_uring_queue_exit(&ring->uring);
    free(ring);
}

static struct ring *ring_take(struct uring_state *state)
{
    pthread_mutex_lock(&state->lock);
    struct ring *ring = state->idle;
    if (ring)
        state->idle = ring->next_idle;
    pthread_mutex_unlock(&state->lock);
    return ring ? ring : ring_make();
}

static void ring_give(struct uring_state *state, struct ring *ring)
{
    pthread_mutex_lock(&state->lock);
    ring->next_idle = state->idle;
    state->idle = ring;
    pthread_mutex_unlock(&state->lock);
}

/* ---- a batch ------------------------------------------------------------------------------- */

static void fill(struct ring *ring, unsigned place, struct cp_op *op)
{
    int descriptor = (int)op->slot->handle;
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);
    assert(entry); /* a ring is as long as the longest batch, and empty between two */
    if (op->block_count == 1) {
        /* An entry has 32 bits for a length: one of 4 GiB would be one of nothing. */
        size_t bytes = op->blocks->bytes < INT_MAX ? op->blocks->bytes : INT_MAX;
        io_uring_prep_recv(entry, descriptor, op->blocks->data, bytes, MSG_DONTWAIT);
    } else {
        ring->messages[place] = receive_message(op);
        io_uring_prep_recvmsg(entry, descriptor, &ring->messages[place], MSG_DONTWAIT);
    }
    io_uring_sqe_set_data64(entry, place);
    ring->answers[place] = UNANSWERED;
}

static unsigned collect(struct ring *ring)
{
    struct io_uring_cqe *entry;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring->uring, head, entry)
    {
        ring->answers[entry->user_data] = entry->res;
        count++;
    }
    io_uring_cq_advance(&ring->uring, count);
    return count;
}

/* Submits `count` entries and collects their answers. False: the kernel took fewer, and the ring
 * cannot be used any more. */
static bool submit(struct ring *ring, unsigned count)
{
    unsigned taken = 0, answered = 0;
    for (int code = 1; taken < count && code > 0; taken += code > 0 ? (unsigned)code : 0)
        code = io_uring_submit(&ring->uring);
    while ((answered += collect(ring)) < taken) {
        struct io_uring_cqe *entry;
        int code = io_uring_wait_cqe(&ring->uring, &entry);
        assert(code == 0 || code == -EINTR); /* the kernel answers everything it took */
        (void)code;
    }
    return taken == count;
}

static void receive_all(struct uring_state *state, struct ring *ring, unsigned count)
{
    for (unsigned place = 0; place < count; place++)
        fill(ring, place, ring->attempts[place]->op);
    bool intact = submit(ring, count);
    for (unsigned place = 0; place < count; place++) {
        struct attempt *attempt = ring->attempts[place];
        ssize_t bytes = ring->answers[place];
        if (bytes == UNANSWERED)
            bytes = receive_call(attempt->op);
        attempt->result = receive_end(attempt->op, bytes, &attempt->more);
    }
    if (intact)
        ring_give(state, ring);
    else
        ring_destroy(ring);
}

static bool suits_ring(const struct cp_op *op)
{
    return op->kind == CP_RECEIVE && (op->late || op->block_count > 0) && !op->slot->datagrams;
}

static void engine_attempt(struct cport *port, struct attempt *attempts, unsigned count)
{
    unsigned receives = 0, filled = 0;
    for (unsigned index = 0; index < count; index++)
        receives += suits_ring(attempts[index].op);
    struct ring *ring = receives >= RING_RECEIVES_MIN ? ring_take(port->engine_state) : NULL;
    if (!ring) {
        readiness_attempt(port, attempts, count);
        return;
    }
    for (unsigned index = 0; index < count; index++) {
        struct attempt *attempt = &attempts[index];
        if (!suits_ring(attempt->op))
            readiness_attempt(port, attempt, 1);
        else if ((attempt->result = receive_begin(attempt->op, &attempt->more)) == 0)
            ring->attempts[filled++] = attempt;
    }
    receive_all(port->engine_state, ring, filled);
}

/* ---- opening ------------------------------------------------------------------------------- */

static void engine_close(struct cport *port)
{
    struct uring_state *state = port->engine_state;
    if (!state)
        return;
    for (struct ring *ring; (ring = state->idle);) {
        state->idle = ring->next_idle;
        ring_destroy(ring);
    }
    pthread_mutex_destroy(&state->lock);
    readiness_close(port);
}

/* What the engine relies on: both receives, and that one with MSG_DONTWAIT is answered during
 * submission. 0 or a negative errno. */
static int probe(struct ring *ring)
{
    struct io_uring_probe *list = io_uring_get_probe_ring(&ring->uring);
    bool known = list && io_uring_opcode_supported(list, IORING_OP_RECV) &&
                 io_uring_opcode_supported(list, IORING_OP_RECVMSG);
    io_uring_free_probe(list);
    if (!known)
        return -EOPNOTSUPP;
    char byte;
    struct cp_block block = {&byte, 1};
    int silent = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (silent < 0)
        return -errno;
    struct cp_slot slot = {.handle = silent};
    fill(ring, 0, &(struct cp_op){.slot = &slot, .blocks = &block, .block_count = 1});
    int code = io_uring_submit(&ring->uring);
    if (code >= 0)
        code = collect(ring) == 1 && ring->answers[0] == -EAGAIN ? 0 : -EOPNOTSUPP;
    close(silent);
    return code;
}

/* kernel.io_uring_disabled: '0' no, '1' for most users, '2' for everybody. */
static char disabled_setting(void)
{
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int setting = file ? fgetc(file) : '0';
    if (file)
        fclose(file);
    return (char)setting;
}

static void explain(int os_error, char *why, size_t why_bytes)
{
    char disabled = disabled_setting();
    if (os_error == ENOSYS)
        snprintf(why, why_bytes, "this kernel has no io_uring, or a sandbox hides it");
    else if (os_error == EPERM && disabled != '0')
        snprintf(why, why_bytes, "io_uring is switched off: sysctl kernel.io_uring_disabled is %c",
                 disabled);
    else if (os_error == EPERM || os_error == EACCES)
        snprintf(why, why_bytes, "io_uring is forbidden here, most likely by a sandbox");
    else if (os_error == EOPNOTSUPP)
        snprintf(why, why_bytes, "this kernel's io_uring cannot receive without waiting");
    else
        snprintf(why, why_bytes, "io_uring: %s", strerror(os_error));
}

/* Makes and probes the first ring. 0 or a negative errno. */
static int rings_open(struct uring_state *state)
{
    struct ring *ring = ring_make();
    if (!ring)
        return -errno;
    int code = probe(ring);
    if (code == 0)
        ring_give(state, ring);
    else
        ring_destroy(ring);
    return code;
}

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    int code = readiness_open(port, sizeof(struct uring_state), why, why_bytes);
    if (code != 0)
        return code;
    struct uring_state *state = port->engine_state;
    pthread_mutex_init(&state->lock, NULL);
    code = rings_open(state);
    if (code == 0)
        return 0;
    explain(-code, why, why_bytes);
    return code == -ENOMEM || code == -EMFILE || code == -ENFILE ? cp_error_from_os(-code)
                                                                 : CP_EUNSUPPORTED;
}

const struct engine engine_uring = {
    .name = "uring",
    .summary = "Linux readiness; a batch of ready sockets is received by one io_uring call",
    .readiness = true,
    .pollers_max = UINT_MAX,
    .open = engine_open,
    .close = engine_close,
    .attach = readiness_attach,
    .release = readiness_release,
    .detach = readiness_detach,
    .attempt = engine_attempt,
    .poll = readiness_poll,
    .wake_poller = readiness_wake_poller,
};
