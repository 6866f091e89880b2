/* The model that collectors start from: a thread for each connection, which blocks in recv() until
 * its server has something, finds the frames and processes them where they lie. No wait for many,
 * no hand-over, and as many stacks and buffers as there are servers.
 *
 * A thread never closes its socket, it shuts it down: the main thread, which cuts silent ones off,
 * must not meet another one's descriptor in its place. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/peers/intake.h"

enum { STACK_BYTES = 256 << 10 };

struct talk {
    struct peer_link *link;
    pthread_t thread;
    bool started;
    _Atomic(const char *) cut_reason; /* by the main thread; NULL: it goes on */
    struct intake intake;
    struct processor processor;
};

struct own {
    struct talk *talks; /* one a link */
    pthread_mutex_t lock;
    pthread_cond_t opened;
    enum { GATE_SHUT, GATE_OPEN, GATE_GIVEN_UP } gate;
};

static struct own *own_of(const struct peer_link *link)
{
    return link->peer->own;
}

/* ---- a connection's thread ------------------------------------------------------------------ */

/* Why the talk is over, in *reason; true until then. */
static bool receive(struct talk *talk, const char **reason)
{
    struct peer_link *link = talk->link;
    size_t room_bytes;
    uint8_t *data = intake_room(&talk->intake, &link->peer->budget, NULL, &room_bytes);
    if (data == NULL) {
        *reason = cp_error_name(CP_ENOMEM);
        return false;
    }
    int64_t bytes = net_receive_blocking(link->handle, data, room_bytes);
    if (bytes <= 0) {
        link->receive_calls++;
        link->receive_empty++;
        *reason = bytes == 0 ? peer_link_end_of_stream(link)
                             : cp_error_name(cp_error_from_errno((int)bytes));
        return false;
    }
    peer_link_heard(link, (size_t)bytes);
    enum frame_error error =
        intake_take(&talk->intake, link, &talk->processor, data, (size_t)bytes);
    *reason = error == FRAME_OK ? NULL : frame_error_name(error);
    return error == FRAME_OK && !peer_link_all_found(link);
}

static bool await_gate(struct own *own)
{
    pthread_mutex_lock(&own->lock);
    while (own->gate == GATE_SHUT)
        pthread_cond_wait(&own->opened, &own->lock);
    bool open = own->gate == GATE_OPEN;
    pthread_mutex_unlock(&own->lock);
    return open;
}

static void *talk_run(void *argument)
{
    struct talk *talk = argument;
    struct peer_link *link = talk->link;
    if (!await_gate(own_of(link)))
        return NULL;
    int asked = peer_link_ask(link);
    const char *reason = asked == 0 ? NULL : cp_error_name(asked);
    while (asked == 0 && receive(talk, &reason))
        continue;
    const char *cut = atomic_load(&talk->cut_reason);
    net_shutdown(link->handle);
    peer_link_end(link, cut != NULL ? cut : reason);
    return NULL;
}

/* ---- the model ------------------------------------------------------------------------------ */

static void blocking_cut(struct peer_link *link, const char *reason)
{
    const char *none = NULL;
    struct talk *talk = &own_of(link)->talks[link->index];
    if (atomic_compare_exchange_strong(&talk->cut_reason, &none, reason))
        net_shutdown(link->handle);
}

static void gate_set(struct own *own, int gate)
{
    pthread_mutex_lock(&own->lock);
    own->gate = gate;
    pthread_cond_broadcast(&own->opened);
    pthread_mutex_unlock(&own->lock);
}

static const char *blocking_open(struct peer *peer)
{
    static char why[ROW_LINE_BYTES];
    struct own *own = peer->own = calloc(1, sizeof *own);
    if (own == NULL)
        return "no memory for the threads";
    pthread_mutex_init(&own->lock, NULL);
    pthread_cond_init(&own->opened, NULL);
    own->talks = calloc(peer->count, sizeof *own->talks);
    if (own->talks == NULL)
        return "no memory for the threads";
    for (uint32_t i = 0; i < peer->count; i++) {
        struct talk *talk = &own->talks[i];
        talk->link = &peer->links[i];
        processor_init(&talk->processor, &peer->config.process, &peer->budget);
        if (intake_open(&talk->intake, peer) != 0)
            return "no memory for the threads";
        if (!peer_is_living(talk->link))
            continue;
        int result = os_thread_start(&talk->thread, OS_ROLE_WORKER, STACK_BYTES, talk_run, talk);
        talk->started = result == 0;
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
    gate_set(peer->own, GATE_OPEN);
    while (atomic_load(&peer->living) > 0) {
        os_park(&peer->main, (uint64_t)PEER_TICK_MS * OS_NS_PER_MS);
        peer_tick(peer);
    }
}

static void blocking_close(struct peer *peer)
{
    struct own *own = peer->own;
    if (own != NULL && own->gate == GATE_SHUT)
        gate_set(own, GATE_GIVEN_UP);
    for (uint32_t i = 0; i < peer->count; i++) {
        struct talk *talk = own != NULL && own->talks != NULL ? &own->talks[i] : NULL;
        if (talk != NULL && talk->started)
            pthread_join(talk->thread, NULL);
        if (talk != NULL && talk->link != NULL) {
            peer_add(peer, &talk->processor);
            intake_end(&talk->intake, talk->link);
        }
        if (peer->links[i].handle != CP_HANDLE_NONE)
            net_close(peer->links[i].handle);
    }
    if (own == NULL)
        return;
    pthread_cond_destroy(&own->opened);
    pthread_mutex_destroy(&own->lock);
    free(own->talks);
    free(own);
}

static const char *blocking_engine(void)
{
    return "threads";
}

static const struct peer_model model = {
    .program =
        {
            .name = "fanin-peer-blocking",
            .about = "Does fanin-client's job with a thread for each connection and blocking "
                     "receives; with --scheme slices frames are processed in pieces, as they come. "
                     "Takes fanin-client's options, so that one command line serves both, and "
                     "uses those of servers, load and output; it connects one server after the "
                     "other.",
            .epilogue = "Examples:\n"
                        "  fanin-servers --count 200 --port 20000 &\n"
                        "  fanin-peer-blocking --servers 200 --port 20000 --frames 100",
        },
    .scheme = "blocking",
    .scheme_slices = "blocking-slices",
    .engine = blocking_engine,
    .thread_per_link = true,
    .open = blocking_open,
    .collect = blocking_collect,
    .cut = blocking_cut,
    .close = blocking_close,
};

int main(int argc, char **argv)
{
    return peer_main(argc, argv, &model);
}
