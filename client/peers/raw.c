/* The ceiling: what one thread receives from the same servers with nothing but a wait and recv into
 * one hot buffer. It has no completion port and no buffer scheme and does not look at the bytes: a
 * connection is done when the sum of its frames' lengths has arrived. Command line and row are
 * fanin-client's, so that every row can be read as a share of this one.
 *
 * With --processors 1 it is the ceiling of the paper's scheme 3, whose processing thread copies
 * each byte once: a few hot buffers in turn go to a second thread, which copies them and gives them
 * back.
 *
 *      received ->  | 2 | 3 |   | 1 |  -> copied
 */
#include <errno.h>
#include <string.h>

#include "base/list.h"
#include "client/peers/peer.h"

enum { HOT_BYTES = 64 << 10, EVENTS_MAX = 256, BUFFERS = 4 };

static struct net_watch *watch;
static uint8_t hot[BUFFERS][HOT_BYTES];

/* The second thread, and what both share. */
static struct {
    pthread_t thread;
    bool started;
    struct os_parker parker, room;     /* the copying thread's and the receiving one's */
    _Atomic uint64_t received, copied; /* buffers, since the start */
    _Atomic bool ended;
    size_t bytes[BUFFERS];
    uint64_t copied_bytes;
} copier;

/* ---- copying -------------------------------------------------------------------------------- */

static void *copy_all(void *argument)
{
    static uint8_t frame[HOT_BYTES];
    static uint8_t *volatile into = frame; /* the compiler drops copies that nobody reads */
    for (uint64_t at = 0;;) {
        const bool ended = atomic_load(&copier.ended);
        if (at == atomic_load(&copier.received)) {
            if (ended)
                return NULL;
            os_park(&copier.parker, UINT64_MAX);
            continue;
        }
        memcpy(into, hot[at % BUFFERS], copier.bytes[at % BUFFERS]);
        copier.copied_bytes += copier.bytes[at % BUFFERS];
        atomic_store(&copier.copied, ++at);
        os_unpark(&copier.room);
    }
}

/* The buffer of the next receive, once it is free. */
static uint8_t *take_room(void)
{
    const uint64_t at = copier.received; /* 0 without a second thread */
    while (at - atomic_load(&copier.copied) == BUFFERS)
        os_park(&copier.room, UINT64_MAX);
    return hot[at % BUFFERS];
}

static void hand_over(size_t bytes)
{
    const uint64_t at = copier.received;
    copier.bytes[at % BUFFERS] = bytes;
    atomic_store(&copier.received, at + 1);
    os_unpark(&copier.parker);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void end(struct peer_link *link, const char *reason)
{
    net_watch_remove(&link->watched);
    net_close(link->handle);
    link->handle = CP_HANDLE_NONE;
    peer_link_end(link, reason);
}

static void receive(struct peer_link *link)
{
    const char *reason;
    uint8_t *room = take_room();
    int64_t bytes = net_receive(link->handle, room, HOT_BYTES);
    if (bytes > 0 && copier.started)
        hand_over((size_t)bytes);
    if (bytes < 0)
        bytes = bytes == -EAGAIN ? PEER_NOTHING : cp_error_from_errno((int)bytes);
    if (!peer_link_received(link, NULL, room, bytes, &reason))
        end(link, reason);
}

static int raw_start(struct peer_link *link)
{
    return cp_error_from_errno(net_watch_add(watch, &link->watched, link->handle));
}

static void raw_collect(struct peer *peer)
{
    struct net_event events[EVENTS_MAX];
    const uint64_t tick_ns = (uint64_t)PEER_TICK_MS * OS_NS_PER_MS;
    uint64_t ticked_ns = os_now_ns();
    while (peer->living > 0) {
        int count = net_watch_wait(watch, events, EVENTS_MAX, tick_ns);
        for (int i = 0; i < count; i++)
            receive(LIST_MEMBER(events[i].watched, struct peer_link, watched));
        uint64_t now_ns = os_now_ns();
        if (now_ns - ticked_ns >= tick_ns || os_interrupted()) {
            peer_tick(peer);
            ticked_ns = now_ns;
        }
    }
}

/* ---- the model ------------------------------------------------------------------------------ */

static const char *raw_open(struct peer *peer)
{
    const bool copies = peer->program.options.processors > 0;
    watch = net_watch_open(NET_WHILE_UNREAD);
    if (watch == NULL)
        return "no memory or no descriptor for the wait";
    budget_charge(&peer->budget, copies ? sizeof hot + HOT_BYTES : HOT_BYTES);
    if (!copies)
        return NULL;
    copier.started = os_thread_start(&copier.thread, OS_ROLE_BUFFER, 0, copy_all, NULL) == 0;
    return copier.started ? NULL : "the system gives no thread for copying";
}

static void raw_close(struct peer *peer)
{
    net_watch_close(watch);
    if (!copier.started)
        return;
    atomic_store(&copier.ended, true);
    os_unpark(&copier.parker);
    pthread_join(copier.thread, NULL);
    peer->program.figures.copied_bytes += copier.copied_bytes;
}

const struct peer_model peer_model = {
    .name = "fanin-raw",
    .about = "The ceiling that fanin-client is measured against: one thread, one wait, and one hot "
             "buffer for every receive; it counts bytes and does not look at them. With "
             "--processors 1 a second thread copies each byte once, as the paper's scheme does",
    .scheme = "raw",
    .copying = "raw-copy",
    .engine = "",
    .engine_version = net_watch_name,
    .counts_bytes = true,
    .open = raw_open,
    .start = raw_start,
    .collect = raw_collect,
    .cut = end,
    .close = raw_close,
};
