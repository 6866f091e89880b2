/* What goes to a screen: bytes in order, one send in flight; input that a worker turns into
 * messages. */
#include <stdlib.h>
#include <string.h>

#include "client/monitor/monitor.h"

enum { QUEUE_FIRST = 256 };

/* A screen that does not read what it is sent is given up. */
void send_append(struct screen *screen, const void *data, size_t bytes)
{
    struct queue *out = &screen->out;
    if (screen->is_broken)
        return;
    if (out->bytes + bytes > out->room) {
        size_t room = out->room > 0 ? 2 * out->room : QUEUE_FIRST;
        while (room < out->bytes + bytes)
            room *= 2;
        uint8_t *grown = room <= QUEUE_BYTES_MAX ? realloc(out->data, room) : NULL;
        if (grown == NULL) {
            screen->is_broken = true;
            monitored_stop(screen, CAUSE_STALLED);
            return;
        }
        out->data = grown;
        out->room = room;
    }
    memcpy(out->data + out->bytes, data, bytes);
    out->bytes += bytes;
}

/* Under the screen's lock. */
static void append(struct screen *screen, const void *data, size_t bytes)
{
    if (screen->tls == NULL)
        send_append(screen, data, bytes);
    else if (!secure_append(screen, data, bytes)) {
        screen->is_broken = true;
        monitored_stop(screen, rfb_fault_name(RFB_BAD_TLS));
    }
}

/* Whether there is something to send now; then the caller is the one that sends. */
static bool sending_begin(struct screen *screen)
{
    if (screen->is_sending || screen->is_broken || screen->out.bytes == 0)
        return false;
    const struct queue sent = screen->sending;
    screen->sending = screen->out;
    screen->out = sent;
    screen->out.bytes = 0;
    screen->is_sending = true;
    return true;
}

/* False: a packet comes, or the connection is lost, which its receive notices. */
static bool send_once(struct screen *screen)
{
    const struct cp_block block = {screen->sending.data, screen->sending.bytes};
    atomic_fetch_add(&screen->references, 1);
    const int code = cp_send(screen->socket, &screen->send, &block, 1);
    if (code == 0)
        return false;
    monitored_release(screen);
    return code == CP_DONE;
}

static bool sending_next(struct screen *screen)
{
    pthread_mutex_lock(&screen->lock);
    screen->is_sending = false;
    const bool more = sending_begin(screen);
    pthread_mutex_unlock(&screen->lock);
    return more;
}

static void send_all(struct screen *screen)
{
    while (send_once(screen) && sending_next(screen))
        continue;
}

void send_bytes(struct screen *screen, const void *data, size_t bytes)
{
    pthread_mutex_lock(&screen->lock);
    if (bytes > 0)
        append(screen, data, bytes);
    const bool begin = sending_begin(screen);
    pthread_mutex_unlock(&screen->lock);
    if (begin)
        send_all(screen);
}

void send_done(struct screen *screen, int64_t result)
{
    if (result >= 0 && sending_next(screen))
        send_all(screen);
    monitored_release(screen);
}

bool send_is_empty(struct screen *screen)
{
    pthread_mutex_lock(&screen->lock);
    const bool empty = screen->out.bytes == 0 && screen->event_count == 0 && !screen->is_sending;
    pthread_mutex_unlock(&screen->lock);
    return empty || screen->is_broken;
}

/* ---- input ----------------------------------------------------------------------------------- */

/* Under the screen's lock. */
static void append_event(struct screen *screen, const struct event *event)
{
    if (event->is_key) {
        uint8_t key[8] = {RFB_KEY_EVENT, event->down};
        rfb_put32(key + 4, event->keysym);
        append(screen, key, sizeof key);
        screen->sent_keys++;
    } else {
        uint8_t pointer[6] = {RFB_POINTER_EVENT, event->buttons};
        rfb_put16(pointer + 2, event->x);
        rfb_put16(pointer + 4, event->y);
        append(screen, pointer, sizeof pointer);
        screen->sent_pointers++;
    }
}

void send_input(struct screen *screen)
{
    pthread_mutex_lock(&screen->lock);
    for (unsigned i = 0; i < screen->event_count; i++)
        append_event(screen, &screen->events[i]);
    screen->event_count = 0;
    const bool begin = sending_begin(screen);
    pthread_mutex_unlock(&screen->lock);
    if (begin)
        send_all(screen);
}

void send_posted(struct screen *screen)
{
    pthread_mutex_lock(&screen->lock);
    screen->is_posted = false;
    pthread_mutex_unlock(&screen->lock);
    send_input(screen);
    monitored_release(screen);
}

/* Under the screen's lock. */
static void post(struct screen *screen)
{
    if (screen->is_posted)
        return;
    screen->is_posted = true;
    atomic_fetch_add(&screen->references, 1);
    if (cp_post(screen->monitor->port, &screen->post, (uintptr_t)screen, 0) != 0)
        monitored_release(screen); /* the port is closed: never the last reference */
}

/* The pointer's latest place is enough where the buttons stay as they are. */
static bool replaces_last(const struct screen *screen, const struct event *event)
{
    if (screen->event_count == 0 || event->is_key)
        return false;
    const struct event *last = &screen->events[screen->event_count - 1];
    return !last->is_key && last->buttons == event->buttons;
}

void send_event(struct screen *screen, const struct event *event)
{
    pthread_mutex_lock(&screen->lock);
    if (replaces_last(screen, event)) {
        screen->events[screen->event_count - 1] = *event;
    } else if (screen->event_count < EVENTS_MAX) {
        screen->events[screen->event_count++] = *event;
        screen->monitor->events_sent++;
    } else {
        monitored_stop(screen, CAUSE_STALLED); /* a key must not be lost */
    }
    post(screen);
    pthread_mutex_unlock(&screen->lock);
}
