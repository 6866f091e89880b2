/* The ceiling: what one thread gets out of the same servers with nothing but a wait and recv
 * into one hot buffer. No completion port, no buffer scheme, no look at the bytes: a connection
 * is done when the sum of its frames' lengths has arrived. The same command line and the same
 * row as fanin-client, so that every row can be read as a share of this one. */
#include <assert.h>
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
    int64_t bytes = net_receive(link->handle, hot, sizeof hot);
    if (bytes > 0) {
        peer_link_heard(link, (size_t)bytes);
        if (link->stream.received_bytes >= link->stream.bytes_expected)
            end(link, NULL);
        return;
    }
    link->receive_calls++;
    link->receive_empty++;
    if (bytes == 0)
        end(link, peer_link_end_of_stream(link));
    else if (bytes != -EAGAIN)
        end(link, cp_error_name(cp_error_from_errno((int)bytes)));
}

static void ask_all(struct peer *peer)
{
    for (uint32_t i = 0; i < peer->count; i++) {
        struct peer_link *link = &peer->links[i];
        if (!peer_is_living(link))
            continue;
        int result = cp_error_from_errno(net_watch_add(watch, &link->watched, link->handle));
        if (result == 0)
            result = peer_link_ask(link);
        if (result != 0)
            end(link, cp_error_name(result));
    }
}

static void raw_collect(struct peer *peer)
{
    struct net_event events[EVENTS_MAX];
    const uint64_t tick_ns = (uint64_t)PEER_TICK_MS * OS_NS_PER_MS;
    uint64_t ticked_ns = os_now_ns();
    ask_all(peer);
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
    for (uint32_t i = 0; i < peer->count; i++)
        if (peer->links[i].handle != CP_HANDLE_NONE)
            net_close(peer->links[i].handle);
    net_watch_close(watch);
}

static const struct peer_model model = {
    .program =
        {
            .name = "fanin-raw",
            .about =
                "The ceiling that fanin-client is measured against: one thread, one wait, and one "
                "hot buffer that every receive goes to; the bytes are counted and not looked at. "
                "Takes fanin-client's options, so that one command line serves both, and uses "
                "those of servers, load and output; it connects one server after the other.",
            .epilogue = "Examples:\n"
                        "  fanin-servers --count 200 --port 20000 &\n"
                        "  fanin-raw --servers 200 --port 20000 --frames 100",
        },
    .scheme = "raw",
    .engine = net_watch_name,
    .open = raw_open,
    .collect = raw_collect,
    .cut = end,
    .close = raw_close,
};

int main(int argc, char **argv)
{
    return peer_main(argc, argv, &model);
}
