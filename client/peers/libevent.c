/* A collector as libevent's documentation recommends one: a bufferevent for each connection on one
 * base. Its read callback looks for the end marker with evbuffer_search, from where the last search
 * ended; a frame that lies in one of the evbuffer's chains is processed there and drained, one that
 * spans several is gathered with evbuffer_remove into one warm buffer (evbuffer_pullup would
 * allocate a chain for each). Where only headers are verified only these are gathered. With
 * --scheme slices frames are never gathered: evbuffer_peek shows the chains, which are searched and
 * processed in place.
 *
 * bufferevent_set_max_single_read lifts bufferevent's limit of 16 KiB a receive. What stays is
 * evbuffer_read's own, 4096 bytes in libevent 2.1, which nothing but reading by oneself avoids.
 *
 * Connections are made and logged in before the loop starts, and handed over: what is compared is
 * the way that frames take. */
#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

#include "client/peers/intake.h"
#include "cport/cport.h"

enum { READ_BYTES = 256 << 10, PIECES_MAX = 16 };

struct line {
    struct peer_link *link;
    struct bufferevent *events;
    size_t searched_bytes;          /* of what is in its evbuffer: no marker begins there */
    size_t known_bytes;             /* in its evbuffer when the last callback ended */
    struct incremental_check check; /* with slices */
};

struct own {
    struct event_base *base;
    struct event *timer;
    struct line *lines; /* one a link */
    struct processor processor;
    uint8_t *frame; /* one that spans chains is gathered here */
    uint64_t copied_bytes, scanned_bytes;
};

static struct line *line_of(const struct peer_link *link)
{
    const struct own *own = link->peer->own;
    return &own->lines[link->index];
}

static void end(struct peer_link *link, const char *reason)
{
    struct peer *peer = link->peer;
    struct own *own = peer->own;
    struct line *line = line_of(link);
    if (line->events != NULL)
        bufferevent_free(line->events);
    line->events = NULL;
    link->handle = CP_HANDLE_NONE;
    peer_link_end(link, reason);
    if (atomic_load(&peer->living) == 0)
        event_base_loopbreak(own->base);
}

/* ---- frames in an evbuffer ------------------------------------------------------------------ */

/* The length of the first frame; 0: its end has not come yet. */
static size_t find_end(struct line *line, struct evbuffer *input)
{
    const struct marker *marker = &line->link->peer->config.marker;
    struct own *own = line->link->peer->own;
    struct evbuffer_ptr from, found;
    size_t bytes = evbuffer_get_length(input);
    if (evbuffer_ptr_set(input, &from, line->searched_bytes, EVBUFFER_PTR_SET) != 0)
        return 0;
    found = evbuffer_search(input, (const char *)marker->bytes, marker->count, &from);
    size_t after = found.pos >= 0 ? (size_t)found.pos + marker->count : bytes;
    own->scanned_bytes += after - line->searched_bytes;
    if (found.pos >= 0) {
        line->searched_bytes = 0;
        return after;
    }
    line->searched_bytes = bytes >= marker->count ? bytes - marker->count + 1 : 0;
    return 0;
}

/* Takes the first frame out of the evbuffer. */
static enum frame_error process(struct line *line, struct evbuffer *input, size_t bytes)
{
    struct peer_link *link = line->link;
    struct own *own = link->peer->own;
    const struct process_config *config = &link->peer->config.process;
    size_t header_bytes = PROTOCOL_HEADER_BYTES + config->marker.count;
    size_t wanted = config->verify == VERIFY_FULL || bytes < header_bytes ? bytes : header_bytes;
    if (evbuffer_get_contiguous_space(input) >= wanted) {
        enum frame_error error = process_in_place(
            &own->processor, &link->stream, evbuffer_pullup(input, (ev_ssize_t)wanted), bytes);
        evbuffer_drain(input, bytes);
        return error;
    }
    int removed = evbuffer_remove(input, own->frame, wanted);
    assert(removed == (int)wanted);
    (void)removed;
    own->copied_bytes += wanted;
    evbuffer_drain(input, bytes - wanted);
    return process_in_place(&own->processor, &link->stream, own->frame, bytes);
}

/* FRAME_OK or why the link has to end. */
static enum frame_error take_frames(struct line *line, struct evbuffer *input)
{
    struct stream *stream = &line->link->stream;
    size_t most = line->link->peer->config.process.frame_bytes_max;
    while (evbuffer_get_length(input) > 0) {
        if (stream->found_frames == stream->frames_expected)
            return FRAME_SURPLUS;
        size_t bytes = find_end(line, input);
        stream->partial_bytes = bytes > 0 ? bytes : evbuffer_get_length(input);
        if (stream->partial_bytes > most)
            return FRAME_OVERLONG;
        if (bytes == 0)
            return FRAME_OK;
        stream->partial_bytes = 0;
        stream->found_frames++;
        enum frame_error error = process(line, input, bytes);
        if (error != FRAME_OK)
            return error;
    }
    return FRAME_OK;
}

static enum frame_error take_slices(struct line *line, struct evbuffer *input)
{
    struct own *own = line->link->peer->own;
    struct evbuffer_iovec pieces[PIECES_MAX];
    enum frame_error error = FRAME_OK;
    while (error == FRAME_OK && evbuffer_get_length(input) > 0) {
        size_t seen_bytes = 0;
        int count = evbuffer_peek(input, -1, NULL, pieces, PIECES_MAX);
        for (int i = 0; error == FRAME_OK && i < count && i < PIECES_MAX; i++) {
            error = intake_see(&line->check, line->link, &own->processor, pieces[i].iov_base,
                               pieces[i].iov_len);
            seen_bytes += pieces[i].iov_len;
        }
        own->scanned_bytes += seen_bytes;
        evbuffer_drain(input, seen_bytes);
    }
    return error;
}

/* ---- what libevent calls -------------------------------------------------------------------- */

static void on_read(struct bufferevent *events, void *context)
{
    struct line *line = context;
    struct peer_link *link = line->link;
    struct evbuffer *input = bufferevent_get_input(events);
    peer_link_heard(link, evbuffer_get_length(input) - line->known_bytes);
    enum frame_error error =
        link->peer->slices ? take_slices(line, input) : take_frames(line, input);
    line->known_bytes = evbuffer_get_length(input);
    if (error != FRAME_OK)
        end(link, frame_error_name(error));
    else if (peer_link_all_found(link))
        end(link, NULL);
}

static void on_event(struct bufferevent *events, short what, void *context)
{
    struct line *line = context;
    struct peer_link *link = line->link;
    int os_error = EVUTIL_SOCKET_ERROR();
    (void)events;
    link->receive_calls++;
    link->receive_empty++;
    end(link, what & BEV_EVENT_EOF ? peer_link_end_of_stream(link)
                                   : cp_error_name(cp_error_from_os(os_error)));
}

static void on_timer(evutil_socket_t none, short what, void *context)
{
    (void)none;
    (void)what;
    peer_tick(context);
}

/* ---- the model ------------------------------------------------------------------------------ */

/* 0, or a portable negative code. */
static int line_open(struct own *own, struct line *line, struct peer_link *link)
{
    evutil_socket_t socket = (evutil_socket_t)link->handle;
    evutil_make_socket_nonblocking(socket);
    line->link = link;
    line->events = bufferevent_socket_new(own->base, socket, BEV_OPT_CLOSE_ON_FREE);
    if (line->events == NULL) {
        net_close(link->handle);
        return CP_ENOMEM;
    }
    bufferevent_setcb(line->events, on_read, NULL, on_event, line);
    bufferevent_set_max_single_read(line->events, READ_BYTES);
    return bufferevent_enable(line->events, EV_READ) == 0 ? 0 : CP_ENOMEM;
}

static void libevent_collect(struct peer *peer)
{
    const struct timeval tick = {.tv_usec = PEER_TICK_MS * 1000};
    struct own *own = peer->own;
    for (uint32_t i = 0; i < peer->count; i++) {
        struct peer_link *link = &peer->links[i];
        if (!peer_is_living(link))
            continue;
        int result = line_open(own, &own->lines[i], link);
        if (result == 0)
            result = peer_link_ask(link);
        if (result != 0)
            end(link, cp_error_name(result));
    }
    event_add(own->timer, &tick);
    if (atomic_load(&peer->living) > 0)
        event_base_dispatch(own->base);
}

static const char *libevent_open(struct peer *peer)
{
    struct own *own = peer->own = calloc(1, sizeof *own);
    if (own == NULL)
        return "no memory for the loop";
    processor_init(&own->processor, &peer->config.process, &peer->budget);
    own->lines = calloc(peer->count, sizeof *own->lines);
    own->frame = malloc(peer->config.process.frame_bytes_max);
    own->base = event_base_new();
    if (own->base != NULL)
        own->timer = event_new(own->base, -1, EV_PERSIST, on_timer, peer);
    if (own->lines == NULL || own->frame == NULL || own->timer == NULL)
        return "no memory or no descriptor for the loop";
    for (uint32_t i = 0; peer->slices && i < peer->count; i++)
        if (incremental_check_open(&own->lines[i].check, &peer->config.process) != 0)
            return "no memory for the connections";
    return NULL;
}

static void libevent_close(struct peer *peer)
{
    struct own *own = peer->own;
    for (uint32_t i = 0; i < peer->count; i++)
        if (peer->links[i].handle != CP_HANDLE_NONE)
            net_close(peer->links[i].handle);
    if (own == NULL)
        return;
    peer_add(peer, &own->processor);
    peer->copied_bytes += own->copied_bytes;
    peer->scanned_bytes += own->scanned_bytes;
    for (uint32_t i = 0; own->lines != NULL && i < peer->count; i++)
        incremental_check_close(&own->lines[i].check);
    if (own->timer != NULL)
        event_free(own->timer);
    if (own->base != NULL)
        event_base_free(own->base);
    libevent_global_shutdown();
    free(own->frame);
    free(own->lines);
    free(own);
}

static const char *libevent_engine(void)
{
    static char name[64];
    snprintf(name, sizeof name, "libevent %s", event_get_version());
    return name;
}

static const struct peer_model model = {
    .program =
        {
            .name = "fanin-peer-libevent",
            .about =
                "Does fanin-client's job with libevent: a bufferevent for each connection on one "
                "base and one thread; with --scheme slices frames are processed in pieces, as they "
                "come. Takes fanin-client's options, so that one command line serves both, and "
                "uses those of servers, load and output; it connects one server after the other.",
            .epilogue = "Examples:\n"
                        "  fanin-servers --count 200 --port 20000 &\n"
                        "  fanin-peer-libevent --servers 200 --port 20000 --frames 100",
        },
    .scheme = "libevent",
    .scheme_slices = "libevent-slices",
    .engine = libevent_engine,
    .open = libevent_open,
    .collect = libevent_collect,
    .cut = end,
    .close = libevent_close,
};

int main(int argc, char **argv)
{
    return peer_main(argc, argv, &model);
}
