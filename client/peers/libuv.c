/* A collector as one writes it with libuv: one loop on one thread, a uv_tcp_t a connection.
 * alloc_cb says where the bytes go: behind the unfinished frame, with room for what libuv suggests
 * (64 KiB) or more; read_cb finds the frames and processes each where it lies. A loop has one
 * receive out at a time, between alloc_cb and read_cb, so that all connections can share one warm
 * buffer for short frames (intake.h).
 *
 * Connections are made and logged in before the loop starts, and handed to libuv with uv_tcp_open:
 * what is compared is the way that frames take. */
#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "client/peers/intake.h"
#include "cport/cport.h"

struct line {
    uv_tcp_t tcp;
    struct peer_link *link;
    struct intake intake;
};

struct own {
    uv_loop_t loop;
    uv_timer_t timer;
    bool loop_open;
    struct line *lines; /* one a link */
    struct processor processor;
    uint8_t shared[INTAKE_SHARED_BYTES];
};

static struct line *line_of(const struct peer_link *link)
{
    const struct own *own = link->peer->own;
    return &own->lines[link->index];
}

static const char *reason_of(ssize_t result)
{
    return cp_error_name(result == UV_ENOBUFS ? CP_ENOMEM : cp_error_from_os((int)-result));
}

static void end(struct peer_link *link, const char *reason)
{
    struct peer *peer = link->peer;
    struct own *own = peer->own;
    uv_close((uv_handle_t *)&line_of(link)->tcp, NULL);
    link->handle = CP_HANDLE_NONE;
    peer_link_end(link, reason);
    if (!link->idle && atomic_load(&peer->living) == 0)
        uv_stop(&own->loop);
}

/* ---- what libuv calls ----------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *room)
{
    struct line *line = handle->data;
    struct peer *peer = line->link->peer;
    struct own *own = peer->own;
    size_t bytes = 0;
    (void)suggested_bytes;
    uint8_t *data = intake_room(&line->intake, &peer->budget, own->shared, &bytes);
    *room = uv_buf_init((char *)data, data != NULL ? (unsigned)bytes : 0);
}

static void on_read(uv_stream_t *stream, ssize_t result, const uv_buf_t *room)
{
    struct line *line = stream->data;
    struct peer_link *link = line->link;
    struct own *own = link->peer->own;
    if (result <= 0) {
        link->receive_calls++;
        link->receive_empty++;
        if (result == UV_EOF)
            end(link, peer_link_end_of_stream(link));
        else if (result < 0)
            end(link, reason_of(result));
        return;
    }
    peer_link_heard(link, (size_t)result);
    enum frame_error error =
        intake_take(&line->intake, link, &own->processor, (uint8_t *)room->base, (size_t)result);
    if (error != FRAME_OK)
        end(link, frame_error_name(error));
    else if (peer_link_all_found(link))
        end(link, NULL);
}

static void on_timer(uv_timer_t *timer)
{
    peer_tick(timer->data);
}

/* ---- the model ------------------------------------------------------------------------------ */

static void start(struct peer_link *link)
{
    struct own *own = link->peer->own;
    struct line *line = line_of(link);
    line->tcp.data = line;
    line->link = link;
    uv_tcp_init(&own->loop, &line->tcp);
    int result = uv_tcp_open(&line->tcp, (uv_os_sock_t)link->handle);
    if (result != 0)
        net_close(link->handle);
    else
        result = uv_read_start((uv_stream_t *)&line->tcp, on_alloc, on_read);
    int code = result == 0 ? peer_link_ask(link) : cp_error_from_os(-result);
    if (code != 0)
        end(link, cp_error_name(code));
}

static void libuv_collect(struct peer *peer)
{
    struct own *own = peer->own;
    for (uint32_t i = 0; i < peer->count; i++)
        if (peer_is_living(&peer->links[i]))
            start(&peer->links[i]);
    uv_timer_start(&own->timer, on_timer, PEER_TICK_MS, PEER_TICK_MS);
    if (atomic_load(&peer->living) > 0)
        uv_run(&own->loop, UV_RUN_DEFAULT);
}

static const char *libuv_open(struct peer *peer)
{
    struct own *own = peer->own = calloc(1, sizeof *own);
    if (own == NULL)
        return "no memory for the loop";
    own->lines = calloc(peer->count, sizeof *own->lines);
    if (own->lines == NULL)
        return "no memory for the connections";
    for (uint32_t i = 0; i < peer->count; i++)
        if (intake_open(&own->lines[i].intake, peer) != 0)
            return "no memory for the connections";
    if (uv_loop_init(&own->loop) != 0)
        return "no memory or no descriptor for the loop";
    own->loop_open = true;
    uv_timer_init(&own->loop, &own->timer);
    own->timer.data = peer;
    processor_init(&own->processor, &peer->config.process, &peer->budget);
    budget_charge(&peer->budget, sizeof own->shared);
    return NULL;
}

static void close_loop(struct own *own)
{
    uv_close((uv_handle_t *)&own->timer, NULL);
    uv_run(&own->loop, UV_RUN_DEFAULT);
    int result = uv_loop_close(&own->loop);
    assert(result == 0);
    (void)result;
}

static void libuv_close(struct peer *peer)
{
    struct own *own = peer->own;
    for (uint32_t i = 0; i < peer->count; i++)
        if (peer->links[i].handle != CP_HANDLE_NONE)
            net_close(peer->links[i].handle);
    if (own == NULL)
        return;
    if (own->loop_open)
        close_loop(own);
    for (uint32_t i = 0; own->lines != NULL && i < peer->count; i++)
        intake_end(&own->lines[i].intake, &peer->links[i]);
    peer_add(peer, &own->processor);
    free(own->lines);
    free(own);
}

static const char *libuv_engine(void)
{
    static char name[32];
    snprintf(name, sizeof name, "libuv %s", uv_version_string());
    return name;
}

static const struct peer_model model = {
    .program =
        {
            .name = "fanin-peer-libuv",
            .about =
                "Does fanin-client's job with libuv: one loop on one thread, which receives, finds "
                "frames and processes them where they lie; with --scheme slices in "
                "pieces, as they come. Takes fanin-client's options, so that one command "
                "line serves both, and uses those of servers, load and output; it connects "
                "one server after the other.",
            .epilogue = "Examples:\n"
                        "  fanin-servers --count 200 --port 20000 &\n"
                        "  fanin-peer-libuv --servers 200 --port 20000 --frames 100",
        },
    .scheme = "libuv",
    .scheme_slices = "libuv-slices",
    .engine = libuv_engine,
    .open = libuv_open,
    .collect = libuv_collect,
    .cut = end,
    .close = libuv_close,
};

int main(int argc, char **argv)
{
    return peer_main(argc, argv, &model);
}
