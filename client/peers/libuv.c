/* A collector as one writes it with libuv: one loop on one thread, a uv_tcp_t a connection.
 * alloc_cb says where the bytes go: behind the unfinished frame, with room for what libuv suggests
 * (64 KiB) or more; read_cb finds the frames and processes each where it lies. A loop has one
 * receive out at a time, between alloc_cb and read_cb, so that all connections can share one warm
 * buffer for short frames (framer.c). */
#include <assert.h>
#include <uv.h>

#include "client/peers/peer.h"

static uv_loop_t loop;
static uv_timer_t timer;
static bool is_open;
static uint8_t shared[FRAMER_SHARED_BYTES];

/* In the port's portable codes. */
static int64_t result_of(ssize_t result)
{
    if (result == 0)
        return PEER_NOTHING;
    if (result == UV_EOF)
        return 0;
    if (result == UV_ENOBUFS)
        return CP_ENOMEM;
    return result < 0 ? cp_error_from_os((int)-result) : result;
}

static void end(struct peer_link *link, const char *reason)
{
    uv_close(link->state, NULL);
    link->handle = CP_HANDLE_NONE;
    peer_link_end(link, reason);
    if (!link->idle && atomic_load(&link->peer->living) == 0)
        uv_stop(&loop);
}

/* ---- what libuv calls ----------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *room)
{
    struct peer_link *link = handle->data;
    size_t bytes = 0;
    uint8_t *data = framer_room(link, shared, &bytes);
    *room = uv_buf_init((char *)data, data != NULL ? (unsigned)bytes : 0);
}

static void on_read(uv_stream_t *stream, ssize_t result, const uv_buf_t *room)
{
    struct peer_link *link = stream->data;
    const char *reason;
    if (!peer_link_received(link, &link->peer->processor, (uint8_t *)room->base, result_of(result),
                            &reason))
        end(link, reason);
}

static void on_timer(uv_timer_t *handle)
{
    peer_tick(handle->data);
}

/* ---- the model ------------------------------------------------------------------------------ */

static int libuv_start(struct peer_link *link)
{
    uv_tcp_t *tcp = link->state;
    tcp->data = link;
    uv_tcp_init(&loop, tcp);
    int result = uv_tcp_open(tcp, (uv_os_sock_t)link->handle);
    if (result != 0)
        net_close(link->handle);
    else
        result = uv_read_start((uv_stream_t *)tcp, on_alloc, on_read);
    return result == 0 ? 0 : cp_error_from_os(-result);
}

static void libuv_collect(struct peer *peer)
{
    uv_timer_start(&timer, on_timer, PEER_TICK_MS, PEER_TICK_MS);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static const char *libuv_open(struct peer *peer)
{
    if (uv_loop_init(&loop) != 0)
        return "no memory or no descriptor for the loop";
    is_open = true;
    uv_timer_init(&loop, &timer);
    timer.data = peer;
    budget_charge(&peer->budget, sizeof shared);
    return NULL;
}

static void libuv_close(struct peer *peer)
{
    if (!is_open)
        return;
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    int result = uv_loop_close(&loop);
    assert(result == 0);
    (void)result;
}

const struct peer_model peer_model = {
    .name = "fanin-peer-libuv",
    .about = "Does fanin-client's job with libuv: one loop on one thread receives, finds frames "
             "and processes them where they lie",
    .scheme = "libuv",
    .engine = "libuv ",
    .engine_version = uv_version_string,
    .link_state_bytes = sizeof(uv_tcp_t),
    .open = libuv_open,
    .start = libuv_start,
    .collect = libuv_collect,
    .cut = end,
    .close = libuv_close,
};
