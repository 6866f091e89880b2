/* The ceiling: what one thread receives from the same servers with nothing but a wait and recv into
 * one hot buffer. It has no completion port and no buffer scheme and does not look at the bytes: a
 * connection is done when the sum of its frames' lengths has arrived. Command line and row are
 * fanin-client's, so that every row can be read as a share of this one. */
#include <errno.h>

#include "base/list.h"
#include "client/peers/peer.h"

enum { HOT_BYTES = 64 << 10, EVENTS_MAX = 256 };

static struct net_watch *watch;
static uint8_t hot[HOT_BYTES];

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
    int64_t bytes = net_receive(link->handle, hot, sizeof hot);
    if (bytes < 0)
        bytes = bytes == -EAGAIN ? PEER_NOTHING : cp_error_from_errno((int)bytes);
    if (!peer_link_received(link, NULL, hot, bytes, &reason))
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

static const char *raw_open(struct peer *peer)
{
    watch = net_watch_open(NET_WHILE_UNREAD);
    budget_charge(&peer->budget, sizeof hot);
    return watch != NULL ? NULL : "no memory or no descriptor for the wait";
}

static void raw_close(struct peer *peer)
{
    net_watch_close(watch);
}

const struct peer_model peer_model = {
    .name = "fanin-raw",
    .about = "The ceiling that fanin-client is measured against: one thread, one wait, and one hot "
             "buffer for every receive; it counts bytes and does not look at them",
    .scheme = "raw",
    .engine = "",
    .engine_version = net_watch_name,
    .counts_bytes = true,
    .open = raw_open,
    .start = raw_start,
    .collect = raw_collect,
    .cut = end,
    .close = raw_close,
};
