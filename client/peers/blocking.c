/* The model that collectors start from: a thread for each connection, which blocks in recv() until
 * its server has something, finds the frames and processes them where they lie. No wait for many,
 * no hand-over, and as many stacks and buffers as there are servers.
 *
 * A thread never closes its socket, it shuts it down: the main thread, which cuts silent ones off,
 * must not meet another one's descriptor in its place. */
#include <string.h>

#include "client/peers/peer.h"

enum { STACK_BYTES = 256 << 10 };

/* A link's. */
struct receiver {
    pthread_t thread;
    bool started;
    _Atomic(const char *) cut_reason; /* by the main thread; NULL: it continues */
    struct processor processor;
};

/* Holds the threads back until all of them are started: the main thread writes so long. They read,
 * so that they all go at once. */
static pthread_rwlock_t start_gate = PTHREAD_RWLOCK_INITIALIZER;
static bool is_shut, given_up;

/* ---- a connection's thread ------------------------------------------------------------------ */

/* True until the link is over, because of *reason. */
static bool receive(struct peer_link *link, const char **reason)
{
    struct receiver *receiver = link->state;
    size_t room_bytes;
    uint8_t *data = framer_room(link, NULL, &room_bytes);
    if (data == NULL) {
        *reason = cp_error_name(CP_ENOMEM);
        return false;
    }
    int64_t bytes = net_receive_blocking(link->handle, data, room_bytes);
    if (bytes < 0)
        bytes = cp_error_from_errno((int)bytes);
    return peer_link_received(link, &receiver->processor, data, bytes, reason);
}

static void *receiver_run(void *argument)
{
    struct peer_link *link = argument;
    struct receiver *receiver = link->state;
    pthread_rwlock_rdlock(&start_gate);
    const bool goes = !given_up;
    pthread_rwlock_unlock(&start_gate);
    if (!goes)
        return NULL;
    int asked = peer_link_ask(link);
    const char *reason = asked == 0 ? NULL : attempt_error_name(asked);
    /* A kernel may go on receiving after the shutdown of a cut. */
    while (asked == 0 &&
           atomic_load_explicit(&receiver->cut_reason, memory_order_relaxed) == NULL &&
           receive(link, &reason))
        continue;
    const char *cut = atomic_load(&receiver->cut_reason);
    net_shutdown(link->handle);
    peer_link_end(link, cut != NULL ? cut : reason);
    return NULL;
}

/* ---- the model ------------------------------------------------------------------------------ */

static void blocking_cut(struct peer_link *link, const char *reason)
{
    const char *none = NULL;
    struct receiver *receiver = link->state;
    if (atomic_compare_exchange_strong(&receiver->cut_reason, &none, reason))
        net_shutdown(link->handle);
}

static const char *blocking_open(struct peer *peer)
{
    static char why[ROW_LINE_BYTES];
    pthread_rwlock_wrlock(&start_gate);
    is_shut = true;
    for (uint32_t i = 0; i < peer->count; i++) {
        struct peer_link *link = &peer->links[i];
        struct receiver *receiver = link->state;
        processor_init(&receiver->processor, &peer->config.process, &peer->budget);
        if (!peer_is_living(link))
            continue;
        int result =
            os_thread_start(&receiver->thread, OS_ROLE_WORKER, STACK_BYTES, receiver_run, link);
        receiver->started = result == 0;
        if (result == 0)
            continue;
        snprintf(why, sizeof why,
                 "cannot start thread %u of %u: %s: raise ulimit -u (and kernel.threads-max) or "
                 "ask for fewer --servers",
                 i + 1, peer->count, strerror(-result));
        return why;
    }
    return NULL;
}

static void blocking_collect(struct peer *peer)
{
    is_shut = false;
    pthread_rwlock_unlock(&start_gate);
    while (atomic_load(&peer->living) > 0) {
        os_park(&peer->main, (uint64_t)PEER_TICK_MS * OS_NS_PER_MS);
        peer_tick(peer);
    }
}

static void blocking_close(struct peer *peer)
{
    if (is_shut) {
        given_up = true;
        pthread_rwlock_unlock(&start_gate);
    }
    for (uint32_t i = 0; i < peer->count; i++) {
        struct receiver *receiver = peer->links[i].state;
        if (!receiver->started)
            continue;
        pthread_join(receiver->thread, NULL);
        processor_sum_up(&receiver->processor, &peer->program.figures);
        processor_end(&receiver->processor);
    }
}

const struct peer_model peer_model = {
    .name = "fanin-peer-blocking",
    .about = "Does fanin-client's job with a thread for each connection and blocking receives",
    .scheme = "blocking",
    .engine = "threads",
    .thread_per_link = true,
    .link_state_bytes = sizeof(struct receiver),
    .open = blocking_open,
    .collect = blocking_collect,
    .cut = blocking_cut,
    .close = blocking_close,
};
