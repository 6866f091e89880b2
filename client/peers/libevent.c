/* A collector as libevent's documentation recommends one: a bufferevent for each connection on one
 * base. Its read callback looks for the end marker with evbuffer_search, from where the last search
 * ended; a frame that lies in one of the evbuffer's chains is processed there and drained, one that
 * spans several is gathered with evbuffer_remove into one warm buffer (evbuffer_pullup would
 * allocate a chain for each). Where only headers are verified only these are gathered. With
 * --scheme slices frames are never gathered: evbuffer_peek shows the chains, which are searched and
 * processed in place.
 *
 * bufferevent_set_max_single_read lifts bufferevent's limit of 16 KiB a receive. The limit of
 * evbuffer_read stays: 4096 bytes in libevent 2.1. */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

#include "client/peers/peer.h"

enum { READ_BYTES = 256 << 10, PIECES_MAX = 16 };

static struct event_base *base;
static struct event *timer;
static uint8_t *spanning_frame; /* one that spans chains is gathered here */

/* A link's. */
struct input {
    struct bufferevent *events;
    size_t searched_bytes; /* of what is in its evbuffer: no marker begins there */
    size_t known_bytes;    /* in its evbuffer when the last callback ended */
};

static void end(struct peer_link *link, const char *reason)
{
    struct peer *peer = link->peer;
    struct input *input = link->state;
    if (input->events != NULL)
        bufferevent_free(input->events);
    input->events = NULL;
    link->handle = CP_HANDLE_NONE;
    peer_link_end(link, reason);
    if (atomic_load(&peer->living) == 0)
        event_base_loopbreak(base);
}

/* ---- frames in an evbuffer ------------------------------------------------------------------ */

/* The length of the first frame; 0: its end has not come yet. */
static size_t find_end(struct peer_link *link, struct evbuffer *buffer)
{
    const struct marker *marker = &link->peer->config.marker;
    struct input *input = link->state;
    struct evbuffer_ptr from, found;
    size_t bytes = evbuffer_get_length(buffer);
    if (evbuffer_ptr_set(buffer, &from, input->searched_bytes, EVBUFFER_PTR_SET) != 0)
        return 0;
    found = evbuffer_search(buffer, (const char *)marker->bytes, marker->count, &from);
    size_t after = found.pos >= 0 ? (size_t)found.pos + marker->count : bytes;
    link->framer.scanned_bytes += after - input->searched_bytes;
    if (found.pos >= 0) {
        input->searched_bytes = 0;
        return after;
    }
    input->searched_bytes = bytes >= marker->count ? bytes - marker->count + 1 : 0;
    return 0;
}

/* Takes the first frame out of the evbuffer. It need not lie in one piece but for the bytes that
 * are read. */
static enum frame_error process(struct peer_link *link, struct evbuffer *buffer, size_t bytes)
{
    struct peer *peer = link->peer;
    const struct process_config *config = &peer->config.process;
    size_t header_bytes = PROTOCOL_HEADER_BYTES + config->marker.count;
    bool reads_all = config->verify == VERIFY_FULL || config->work.kind == WORK_TOUCH;
    size_t wanted = reads_all || bytes < header_bytes ? bytes : header_bytes;
    if (evbuffer_get_contiguous_space(buffer) >= wanted) {
        enum frame_error error = process_in_place(
            &peer->processor, &link->stream, evbuffer_pullup(buffer, (ev_ssize_t)wanted), bytes);
        evbuffer_drain(buffer, bytes);
        return error;
    }
    int removed = evbuffer_remove(buffer, spanning_frame, wanted);
    assert(removed == (int)wanted);
    (void)removed;
    link->framer.copied_bytes += wanted;
    evbuffer_drain(buffer, bytes - wanted);
    return process_in_place(&peer->processor, &link->stream, spanning_frame, bytes);
}

/* FRAME_OK or why the link has to end. */
static enum frame_error take_frames(struct peer_link *link, struct evbuffer *buffer)
{
    struct stream *stream = &link->stream;
    size_t most = link->peer->config.process.frame_bytes_max;
    while (evbuffer_get_length(buffer) > 0) {
        if (stream->found_frames == stream->goal->frames)
            return FRAME_SURPLUS;
        size_t bytes = find_end(link, buffer);
        const size_t so_far = bytes > 0 ? bytes : evbuffer_get_length(buffer);
        if (so_far > most)
            return FRAME_OVERLONG;
        stream->partial_bytes = bytes > 0 ? 0 : (uint32_t)so_far;
        if (bytes == 0)
            return FRAME_OK;
        stream->found_bytes += bytes;
        stream->found_frames++;
        enum frame_error error = process(link, buffer, bytes);
        if (error != FRAME_OK)
            return error;
    }
    return FRAME_OK;
}

static enum frame_error take_slices(struct peer_link *link, struct evbuffer *buffer)
{
    struct evbuffer_iovec pieces[PIECES_MAX];
    enum frame_error error = FRAME_OK;
    while (error == FRAME_OK && evbuffer_get_length(buffer) > 0) {
        size_t seen_bytes = 0;
        int count = evbuffer_peek(buffer, -1, NULL, pieces, PIECES_MAX);
        for (int i = 0; error == FRAME_OK && i < count && i < PIECES_MAX; i++) {
            error =
                framer_feed(link, &link->peer->processor, pieces[i].iov_base, pieces[i].iov_len);
            seen_bytes += pieces[i].iov_len;
        }
        evbuffer_drain(buffer, seen_bytes);
    }
    return error;
}

/* The server's close ends the frame that is in the evbuffer, or whose slices have been there. */
static void finish_frame(struct peer_link *link)
{
    const struct input *input = link->state;
    if (link->peer->slices)
        framer_finish(link, &link->peer->processor);
    else
        link->stream.error =
            process(link, bufferevent_get_input(input->events), frames_end(&link->stream));
}

/* False: it is data. */
static bool take_refusal(struct peer_link *link, struct evbuffer *buffer)
{
    char first[PROTOCOL_LINE_BYTES_MAX];
    const char *reason;
    const ev_ssize_t bytes = evbuffer_copyout(buffer, first, sizeof first);
    if (bytes <= 0 || !peer_link_refused(link, first, (size_t)bytes, &reason))
        return false;
    link->receive_calls++;
    evbuffer_drain(buffer, (size_t)bytes);
    if (reason != NULL)
        end(link, reason);
    return true;
}

static void look_at_opening(struct peer_link *link, struct evbuffer *buffer)
{
    const struct input *input = link->state;
    uint8_t first[OPENING_BYTES];
    struct evbuffer_ptr from;
    if (evbuffer_ptr_set(buffer, &from, input->known_bytes, EVBUFFER_PTR_SET) != 0)
        return;
    const ev_ssize_t bytes = evbuffer_copyout_from(buffer, &from, first, sizeof first);
    if (bytes > 0)
        program_look(&link->peer->program, link->index, first, (size_t)bytes);
}

/* ---- what libevent calls -------------------------------------------------------------------- */

static void on_read(struct bufferevent *events, void *context)
{
    struct peer_link *link = context;
    struct input *input = link->state;
    struct evbuffer *buffer = bufferevent_get_input(events);
    const char *reason;
    if (!link->heard && take_refusal(link, buffer))
        return;
    if (link->stream.received_bytes < OPENING_BYTES)
        look_at_opening(link, buffer);
    peer_link_heard(link, evbuffer_get_length(buffer) - input->known_bytes);
    enum frame_error error =
        link->peer->slices ? take_slices(link, buffer) : take_frames(link, buffer);
    if (error != FRAME_OK)
        evbuffer_drain(buffer, evbuffer_get_length(buffer));
    input->known_bytes = evbuffer_get_length(buffer);
    if (!peer_link_continues(link, error, &reason))
        end(link, reason);
}

static void on_event(struct bufferevent *events, short what, void *context)
{
    struct peer_link *link = context;
    const char *reason = NULL;
    int os_error = EVUTIL_SOCKET_ERROR();
    if (what & BEV_EVENT_EOF && peer_link_ends_in_frame(link))
        finish_frame(link);
    peer_link_received(link, NULL, NULL, what & BEV_EVENT_EOF ? 0 : cp_error_from_os(os_error),
                       &reason);
    end(link, reason);
}

static void on_timer(evutil_socket_t none, short what, void *context)
{
    peer_tick(context);
}

/* ---- the model ------------------------------------------------------------------------------ */

static int libevent_start(struct peer_link *link)
{
    struct input *input = link->state;
    evutil_socket_t socket = (evutil_socket_t)link->handle;
    evutil_make_socket_nonblocking(socket);
    input->events = bufferevent_socket_new(base, socket, BEV_OPT_CLOSE_ON_FREE);
    if (input->events == NULL) {
        net_close(link->handle);
        return CP_ENOMEM;
    }
    bufferevent_setcb(input->events, on_read, NULL, on_event, link);
    bufferevent_set_max_single_read(input->events, READ_BYTES);
    return bufferevent_enable(input->events, EV_READ) == 0 ? 0 : CP_ENOMEM;
}

static void libevent_collect(struct peer *peer)
{
    const struct timeval tick = {.tv_usec = PEER_TICK_MS * 1000};
    event_add(timer, &tick);
    event_base_dispatch(base);
}

static const char *libevent_open(struct peer *peer)
{
    spanning_frame = malloc(peer->config.process.frame_bytes_max);
    base = event_base_new();
    if (base != NULL)
        timer = event_new(base, -1, EV_PERSIST, on_timer, peer);
    return spanning_frame != NULL && timer != NULL ? NULL
                                                   : "no memory or no descriptor for the loop";
}

static void libevent_close(struct peer *peer)
{
    if (timer != NULL)
        event_free(timer);
    if (base != NULL)
        event_base_free(base);
    libevent_global_shutdown();
    free(spanning_frame);
}

const struct peer_model peer_model = {
    .name = "fanin-peer-libevent",
    .about = "Does fanin-client's job with libevent: a bufferevent for each connection on one base "
             "and one thread",
    .scheme = "libevent",
    .engine = "libevent ",
    .engine_version = event_get_version,
    .link_state_bytes = sizeof(struct input),
    .open = libevent_open,
    .start = libevent_start,
    .collect = libevent_collect,
    .cut = end,
    .close = libevent_close,
};
