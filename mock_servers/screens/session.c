/* A viewer's connection: its socket, and what is to be done next. */
#include "mock_servers/screens/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

enum {
    RECEIVE_BYTES = 16 << 10,
    KEPT_BYTES = 64 << 10, /* of an empty buffer */
    CALL_S_MAX = 2,        /* then the next call is sent */
    HANDSHAKE_S_MAX = 60,
    LEAVING_S_MAX = 5, /* for the viewer to end, too */
    DRIP_NS = 50 * OS_NS_PER_MS,
};

/* ---- opening and closing ---- */

static void session_handle(struct handler *handler, unsigned signs);

static void wake_in(struct session *session, uint64_t duration_ns)
{
    loop_wake_at(&session->screen->screens->loop, &session->handler, os_now_ns() + duration_ns);
}

int session_open(struct screen *screen, intptr_t socket, bool connecting)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return -1;
    session->screen = screen;
    session->socket = socket;
    session->state = connecting ? SESSION_CALLING : SESSION_VERSION;
    session->fault = screen->fault;
    session->handler.handle = session_handle;
    session->encode = (struct encoder_config){.format = {16, 8, 0, false}, .compression = 1};
    session->encoder = encoder_open();
    struct loop *loop = &screen->screens->loop;
    if (loop_add(loop) < 0 || session->encoder == NULL ||
        loop_watch(loop, &session->handler, socket) < 0) {
        loop_remove(loop, &session->handler);
        session_free(session);
        return -1;
    }
    list_append(&screen->sessions, &session->member);
    wake_in(session, (connecting ? CALL_S_MAX : HANDSHAKE_S_MAX) * (uint64_t)OS_NS_PER_S);
    if (!connecting)
        handshake_begin(session);
    session_nudge(session);
    return 0;
}

static void count_unsent(struct session *session, size_t bytes)
{
    session->screen->screens->unsent_bytes += bytes - session->unsent_bytes; /* modulo 2^64 */
    session->unsent_bytes = bytes;
}

void session_free(struct session *session)
{
    encoder_close(session->encoder);
    security_free(session);
    buffer_free(&session->out);
    free(session);
}

void session_close(struct session *session, enum session_end how)
{
    struct screen *screen = session->screen;
    assert(session->state != SESSION_CLOSED);
    loop_remove(&screen->screens->loop, &session->handler);
    if (session->resets)
        net_reset(session->socket);
    else
        net_close(session->socket);
    session->state = SESSION_CLOSED;
    count_unsent(session, 0);
    list_remove(&session->member);
    list_append(&screen->screens->closed, &session->member);
    screen_gone(screen, how);
}

void session_leave(struct session *session, bool resets)
{
    session->state = SESSION_LEAVING;
    session->resets = resets;
    wake_in(session, LEAVING_S_MAX * (uint64_t)OS_NS_PER_S);
}

void session_stick(struct session *session)
{
    session->state = SESSION_STUCK;
}

void session_put(struct session *session, const void *data, size_t bytes)
{
    buffer_put(&session->out, data, bytes);
}

void session_put32(struct session *session, uint32_t value)
{
    uint8_t bytes[4];
    rfb_put32(bytes, value);
    session_put(session, bytes, sizeof bytes);
}

int session_refuse(struct session *session, const char *why)
{
    screens_say(session->screen->screens, session->screen->number, "a viewer %s", why);
    session_close(session, ENDED_BY_VIEWER);
    return -1;
}

void session_nudge(struct session *session)
{
    if (session->state != SESSION_CLOSED)
        loop_schedule(&session->screen->screens->loop, &session->handler);
}

/* ---- receiving ---- */

static bool is_listening(const struct session *session)
{
    return session->state < SESSION_STUCK;
}

/* Takes whole steps and messages from the head of `input`; what is left moves there. */
static void input_take(struct session *session)
{
    unsigned used = 0;
    int taken = 1;
    while (taken > 0 && is_listening(session) && used < session->input_bytes) {
        const uint8_t *data = session->input + used;
        unsigned bytes = session->input_bytes - used;
        taken = session->state == SESSION_READY ? request_take(session, data, bytes)
                                                : handshake_take(session, data, bytes);
        used += taken > 0 ? (unsigned)taken : 0;
    }
    session->input_bytes -= used;
    memmove(session->input, session->input + used, session->input_bytes);
}

void session_take(struct session *session, const uint8_t *data, size_t bytes)
{
    while (bytes > 0 && is_listening(session)) {
        size_t room = sizeof session->input - session->input_bytes;
        size_t part = bytes < room ? bytes : room;
        memcpy(session->input + session->input_bytes, data, part);
        session->input_bytes += (unsigned)part;
        data += part;
        bytes -= part;
        input_take(session);
    }
}

/* Edge-triggered: until nothing is left. */
static void receive_all(struct session *session)
{
    uint8_t data[RECEIVE_BYTES];
    int64_t got;
    while ((got = net_receive(session->socket, data, sizeof data)) > 0) {
        if (session->tls != NULL)
            security_received(session, data, (size_t)got);
        else
            session_take(session, data, (size_t)got);
        if (session->state == SESSION_CLOSED)
            return;
    }
    if (got == -EAGAIN) {
        net_watch_again(&session->handler.watched, NET_READABLE);
        return;
    }
    bool is_ours = session->state >= SESSION_STUCK;
    session_close(session, is_ours ? ENDED_BY_FAULT : got == 0 ? ENDED_BY_VIEWER : ENDED_BROKEN);
}

/* ---- sending ---- */

/* How much may go out now. */
static size_t portion(const struct session *session)
{
    size_t left = session->out.bytes - session->out_sent;
    if (session->drip_bytes_per_s == 0)
        return left;
    size_t most = (size_t)(session->drip_bytes_per_s * DRIP_NS / OS_NS_PER_S) + 1;
    return os_now_ns() < session->drip_ns ? 0 : left < most ? left : most;
}

static void sent(struct session *session, size_t bytes)
{
    struct screens *screens = session->screen->screens;
    session->out_sent += bytes;
    screens->total.bytes += bytes;
    if (session->drip_bytes_per_s > 0) {
        session->drip_ns = os_now_ns() + DRIP_NS;
        wake_in(session, DRIP_NS);
    }
    if (session->out_sent < session->out.bytes)
        return;
    session->out.bytes = session->out_sent = session->out_sealed = 0;
    if (session->out.capacity > KEPT_BYTES)
        buffer_free(&session->out);
}

/* True: all is with the kernel. Afterwards `unsent_bytes` is right again. */
static bool send_all(struct session *session)
{
    size_t bytes;
    security_seal(session);
    while ((bytes = portion(session)) > 0) {
        int64_t gone = net_send(session->socket, session->out.data + session->out_sent, bytes);
        if (gone == -EAGAIN) {
            net_watch_again(&session->handler.watched, NET_WRITABLE);
            break;
        }
        if (gone < 0) {
            session_close(session, session->state >= SESSION_STUCK ? ENDED_BY_FAULT : ENDED_BROKEN);
            return false;
        }
        sent(session, (size_t)gone);
    }
    count_unsent(session, session->out.bytes - session->out_sent);
    return session->out.bytes == 0;
}

static void leave_on(struct session *session)
{
    if (session->resets)
        session_close(session, ENDED_BY_FAULT);
    else
        net_finish(session->socket);
}

/* One update for each round of the loop: other screens follow. */
static void send_next(struct session *session)
{
    const bool was_sending = session->out.bytes > 0;
    if (session->out.bytes == 0 && session->state == SESSION_READY)
        flow_write(session);
    if (session->state == SESSION_CLOSED)
        return;
    if (session->endless && session->out.bytes == 0)
        fault_endless(session);
    if (session->out.failed) {
        screens_say(session->screen->screens, session->screen->number, "no memory for an update");
        session_close(session, ENDED_BROKEN);
    } else if (send_all(session) && session->state == SESSION_LEAVING) {
        leave_on(session);
    } else if (was_sending && session->state == SESSION_READY && session->out.bytes == 0) {
        session_nudge(session);
    }
}

/* ---- events ---- */

static void called(struct session *session, unsigned signs)
{
    if ((signs & NET_BROKEN) || signs == 0) {
        session_close(session, ENDED_NEVER_IN);
        return;
    }
    session->state = SESSION_VERSION;
    wake_in(session, HANDSHAKE_S_MAX * (uint64_t)OS_NS_PER_S);
    callers_in(session->screen->screens->callers, session->screen);
    handshake_begin(session);
}

/* The timer of a state has run out. A session that was scheduled in this round has its timer still
 * set. */
static bool time_is_over(const struct session *session, unsigned signs)
{
    return signs == 0 && session->handler.timer == 0 && session->state != SESSION_READY &&
           session->state != SESSION_STUCK;
}

static void session_handle(struct handler *handler, unsigned signs)
{
    struct session *session = (struct session *)handler;
    if (session->state == SESSION_CLOSED)
        return;
    if (session->state == SESSION_CALLING && (signs != 0 || handler->timer == 0))
        called(session, signs);
    else if (time_is_over(session, signs))
        session_close(session, session->state == SESSION_LEAVING ? ENDED_BY_FAULT : ENDED_BROKEN);
    if (session->state == SESSION_CLOSED || session->state == SESSION_CALLING)
        return;
    if (signs & (NET_READABLE | NET_FINISHED | NET_BROKEN))
        receive_all(session);
    if (session->state != SESSION_CLOSED)
        send_next(session);
}
