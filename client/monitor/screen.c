/* A screen's connection: received, decoded, shown, asked again, and its end.
 *
 *     (connect ->) receive -> rfb_feed -> hooks: say, size, updated, text -> receive ...
 *                     |          |
 *                     +-> end <--+     end of the peer, failure, bad input, asked by main
 *
 * The thread that has the receive is the only one that decodes, shows and ends the screen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/rfb/stamp.h"
#include "client/monitor/monitor.h"

/* Receives in a row that need no packet, before others have their turn. */
enum { RECEIVES_IN_ROW = 8 };

static void screen_free(struct screen *screen)
{
    rfb_close(screen->rfb);
    pthread_mutex_destroy(&screen->lock);
    secure_free(screen);
    free(screen->out.data);
    free(screen->sending.data);
    free(screen);
}

void monitored_release(struct screen *screen)
{
    if (atomic_fetch_sub(&screen->references, 1) == 1)
        screen_free(screen);
}

void monitored_stop(struct screen *screen, const char *cause)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&screen->cause, &none, cause);
    cp_socket_close(screen->socket);
}

/* ---- asking ---------------------------------------------------------------------------------- */

void monitored_request(struct screen *screen, bool certain)
{
    pthread_mutex_lock(&screen->lock);
    const struct rfb_box all = {0, 0, screen->width, screen->height};
    const bool whole = screen->whole;
    screen->whole = false;
    pthread_mutex_unlock(&screen->lock);
    if (certain && !whole)
        rfb_request_certain(screen->rfb, all);
    else
        rfb_request(screen->rfb, all, !whole);
}

void monitored_probe(struct screen *screen)
{
    rfb_request(screen->rfb, (struct rfb_box){0, 0, 1, 1}, false);
}

/* ---- hooks of its machine -------------------------------------------------------------------- */

static void say(void *context, const void *data, size_t bytes)
{
    send_bytes(context, data, bytes);
}

static bool size(void *context, unsigned width, unsigned height, struct rfb_picture *picture)
{
    struct screen *screen = context;
    struct monitor *monitor = screen->monitor;
    if (screen->place < 0 && !places_take(screen)) {
        const char *none = NULL;
        atomic_compare_exchange_strong(&screen->cause, &none, CAUSE_NO_PLACE);
        return false;
    }
    if (monitor->glass_kind->show(monitor->glass, (unsigned)screen->place, width, height,
                                  rfb_name(screen->rfb), picture) != 0)
        return false;
    screen->picture = *picture;
    pthread_mutex_lock(&screen->lock);
    screen->width = width;
    screen->height = height;
    screen->whole = true;
    pthread_mutex_unlock(&screen->lock);
    return true;
}

static bool holds_stamp(const struct damage *dirty, struct rfb_box at)
{
    for (unsigned i = 0; i < dirty->count; i++)
        if (dirty->boxes[i].x < at.x + at.width &&
            dirty->boxes[i].y + dirty->boxes[i].height > at.y)
            return true;
    return false;
}

static void read_stamp(struct screen *screen, const struct damage *dirty)
{
    struct delays *delays = &screen->monitor->places[screen->place].delays;
    uint64_t stamp_us;
    if (!holds_stamp(dirty, stamp_box(&screen->picture, STAMP_TIME)) ||
        !stamp_read(&screen->picture, STAMP_TIME, &stamp_us))
        return;
    /* Due before anybody watched: what waited behind the first pictures is not measured. */
    if (!screen->is_current || stamp_us < atomic_load(&screen->monitor->watch_us))
        delays->last_stamp = stamp_us;
    screen->is_current = true;
    if (atomic_load_explicit(&screen->monitor->phase, memory_order_relaxed) == PHASE_WATCHING)
        delays_add(delays, stamp_us, os_now_ns() / 1000);
}

static void note_picture(struct screen *screen)
{
    struct monitor *monitor = screen->monitor;
    pthread_mutex_lock(&monitor->lock);
    atomic_store(&screen->pictured, true);
    if (atomic_load(&monitor->phase) == PHASE_GATHERING)
        monitor->last_picture_ns = os_now_ns();
    pthread_mutex_unlock(&monitor->lock);
    os_unpark(&monitor->main);
}

/* Only the pixel that a request asks for in any case: no update for those who count. */
static bool is_pixel(const struct damage *dirty)
{
    return dirty->count == 1 && dirty->boxes[0].width * dirty->boxes[0].height == 1;
}

static void updated(void *context, const struct damage *dirty)
{
    struct screen *screen = context;
    struct monitor *monitor = screen->monitor;
    const struct rfb_counts *counts = rfb_counts(screen->rfb);
    const uint64_t bits = 8 * (screen->received_bytes - screen->update_bytes);
    screen->update_bytes = screen->received_bytes;
    screen->pixel_updates += is_pixel(dirty);
    atomic_store_explicit(&screen->shown_updates, counts->updates - screen->pixel_updates,
                          memory_order_relaxed);
    atomic_store_explicit(&screen->shown_rectangles, counts->rectangles, memory_order_relaxed);
    atomic_store_explicit(&screen->shown_pixels, counts->pixels, memory_order_relaxed);
    asking_answered(screen, bits, !is_pixel(dirty));
    if (dirty->count == 0)
        return;
    monitor->glass_kind->put(monitor->glass, (unsigned)screen->place, dirty);
    read_stamp(screen, dirty);
    if (!atomic_load_explicit(&screen->pictured, memory_order_relaxed))
        note_picture(screen);
}

static void text(void *context, const char *said, size_t bytes)
{
    audit_text(context, said, bytes);
}

static void secure(void *context)
{
    secure_begin(context);
}

static const struct rfb_hooks hooks = {
    .say = say, .size = size, .updated = updated, .text = text, .secure = secure};

/* ---- end ------------------------------------------------------------------------------------- */

static void note_end(struct screen *screen, const char *cause)
{
    struct monitor *monitor = screen->monitor;
    monitor->ended.updates += atomic_load(&screen->shown_updates);
    monitor->ended.rectangles += atomic_load(&screen->shown_rectangles);
    monitor->ended.pixels += atomic_load(&screen->shown_pixels);
    monitor->ended.bytes += screen->received_bytes;
    if (atomic_load(&monitor->phase) < PHASE_ENDING) {
        row_tally_add(monitor->row->screens_lost, cause);
        monitor->lost++;
    }
}

/* One that breaks the protocol, or refuses us, would do so again. */
static bool may_come_again(const char *cause)
{
    for (int fault = RFB_FAULT_BASE + 1; fault < RFB_FAULT_END; fault++)
        if (strcmp(cause, rfb_fault_name(fault)) == 0)
            return false;
    return strcmp(cause, CAUSE_WINDOW) != 0 && strcmp(cause, CAUSE_NO_PLACE) != 0;
}

/* On the thread that has the receive. `connected` false: the connection was never made. */
static void screen_end(struct screen *screen, const char *cause, bool connected)
{
    struct monitor *monitor = screen->monitor;
    const char *stopped = atomic_load(&screen->cause);
    const int place = screen->place;
    char from[NET_TEXT_BYTES];
    if (stopped != NULL)
        cause = stopped;
    cp_socket_close(screen->socket);
    if (place >= 0)
        monitor->glass_kind->hide(monitor->glass, (unsigned)place);
    if (place >= 0)
        input_over(monitor, (unsigned)place);
    pthread_mutex_lock(&monitor->lock);
    list_remove(&screen->node);
    if (connected)
        note_end(screen, cause);
    if (place >= 0)
        places_leave(screen);
    if (screen->target != TARGET_NONE)
        targets_over(monitor, screen->target, !connected || may_come_again(cause));
    pthread_mutex_unlock(&monitor->lock);
    if (connected)
        journal_write(monitor->journal,
                      &(struct journal_line){.event = "ended",
                                             .screen = place,
                                             .name = rfb_name(screen->rfb),
                                             .from = net_address_text(&screen->peer, from),
                                             .reason = cause,
                                             .said = rfb_reason(screen->rfb)[0] != '\0'
                                                         ? rfb_reason(screen->rfb)
                                                         : NULL,
                                             .has_input = true,
                                             .keys = screen->sent_keys,
                                             .pointers = screen->sent_pointers,
                                             .has_traffic = true,
                                             .updates = atomic_load(&screen->shown_updates),
                                             .bytes = screen->received_bytes});
    os_unpark(&monitor->main);
    monitored_release(screen);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void became_ready(struct screen *screen)
{
    struct monitor *monitor = screen->monitor;
    struct place *place = &monitor->places[screen->place];
    char from[NET_TEXT_BYTES];
    screen->ours = strncmp(rfb_name(screen->rfb), RFB_AUDIT_NAME, sizeof RFB_AUDIT_NAME - 1) == 0;
    pthread_mutex_lock(&monitor->lock);
    atomic_store(&screen->ready, true);
    monitor->ready_count++;
    if (place->used) {
        monitor->returned++;
    } else {
        monitor->connected++;
        monitor->last_ready_ns = os_now_ns();
    }
    place->used = true;
    credit_join(&monitor->credit, (unsigned)screen->place);
    asking_changed(monitor);
    pthread_mutex_unlock(&monitor->lock);
    journal_write(monitor->journal,
                  &(struct journal_line){.event = "connected",
                                         .screen = screen->place,
                                         .name = rfb_name(screen->rfb),
                                         .from = net_address_text(&screen->peer, from),
                                         .width = screen->picture.width,
                                         .height = screen->picture.height});
    os_unpark(&monitor->main);
}

/* False: it has ended. */
static bool take(struct screen *screen, int64_t result)
{
    struct monitor *monitor = screen->monitor;
    if (result <= 0) {
        screen_end(screen, result == 0 ? CAUSE_CLOSED : cp_error_name((int)result), true);
        return false;
    }
    screen->received_bytes += (uint64_t)result;
    atomic_store_explicit(&screen->shown_bytes, screen->received_bytes, memory_order_relaxed);
    atomic_store_explicit(&screen->heard_ms,
                          atomic_load_explicit(&monitor->now_ms, memory_order_relaxed),
                          memory_order_relaxed);
    const char *cause = secure_feed(screen, screen->data, (size_t)result);
    if (cause != NULL) {
        screen_end(screen, cause, true);
        return false;
    }
    if (!atomic_load_explicit(&screen->ready, memory_order_relaxed) && rfb_ready(screen->rfb))
        became_ready(screen);
    asking_received(screen);
    return true;
}

/* `in_row`: receives that may be taken here. A port that is closed leaves the screen to main. */
static void receive(struct screen *screen, unsigned in_row)
{
    const struct cp_block room = {screen->data, sizeof screen->data};
    for (;;) {
        int code = cp_receive(screen->socket, &screen->receive, &room, 1);
        if (code == CP_DONE && in_row == 0)
            code = cp_post(screen->monitor->port, &screen->receive, (uintptr_t)screen,
                           screen->receive.result);
        if (code < 0 && code != CP_ECLOSED)
            screen_end(screen, cp_error_name(code), true);
        if (code != CP_DONE || !take(screen, screen->receive.result))
            return;
        in_row--;
    }
}

void monitored_complete(struct screen *screen, struct cp_op *op, int64_t result)
{
    if (op == &screen->send) {
        send_done(screen, result);
    } else if (op == &screen->post) {
        send_posted(screen);
    } else if (op == &screen->connect && result < 0) {
        screen_end(screen, cp_error_name((int)result), false);
    } else if (op == &screen->connect) {
        net_tune(cp_socket_handle(screen->socket), &(struct net_tuning){0});
        pthread_mutex_lock(&screen->monitor->lock);
        if (screen->monitor->first_ns == 0)
            screen->monitor->first_ns = os_now_ns();
        pthread_mutex_unlock(&screen->monitor->lock);
        receive(screen, RECEIVES_IN_ROW);
    } else if (take(screen, result)) {
        receive(screen, RECEIVES_IN_ROW);
    }
}

/* ---- begin ----------------------------------------------------------------------------------- */

/* NULL: no memory. */
static struct screen *screen_new(struct monitor *monitor)
{
    const struct monitor_options *options = monitor->options;
    struct screen *screen = malloc(sizeof *screen);
    if (screen == NULL)
        return NULL;
    memset(screen, 0, offsetof(struct screen, data)); /* its pages are touched as data comes */
    const struct rfb_config config = {
        .hooks = &hooks,
        .context = screen,
        .pixels_max = options->pixels_max,
        .encodings = monitor->encodings,
        .encoding_count = monitor->encoding_count,
        .password = monitor->password[0] != '\0' ? monitor->password : NULL,
        .tls_only = options->security == SECURITY_TLS,
        .shared = true,
    };
    screen->monitor = monitor;
    screen->place = -1;
    screen->target = TARGET_NONE;
    screen->began_ns = os_now_ns();
    screen->tick_ms = atomic_load(&monitor->now_ms);
    atomic_init(&screen->heard_ms, screen->tick_ms);
    atomic_init(&screen->references, 1);
    pthread_mutex_init(&screen->lock, NULL);
    screen->rfb = rfb_open(&config);
    if (screen->rfb != NULL)
        return screen;
    screen_free(screen);
    return NULL;
}

void monitored_open(struct monitor *monitor, cp_handle handle, const struct net_address *peer)
{
    struct screen *screen = screen_new(monitor);
    if (screen == NULL ||
        cp_associate(monitor->port, handle, (uintptr_t)screen, &screen->socket) != 0) {
        net_close(handle); /* no memory, or the port is closed */
        if (screen != NULL)
            monitored_release(screen);
        return;
    }
    screen->peer = *peer;
    cp_socket_skip(screen->socket, true);
    pthread_mutex_lock(&monitor->lock);
    list_append(&monitor->screens, &screen->node);
    if (monitor->first_ns == 0)
        monitor->first_ns = screen->began_ns;
    pthread_mutex_unlock(&monitor->lock);
    receive(screen, 0);
}

void monitored_connect(struct monitor *monitor, int target)
{
    const struct net_address *address = &monitor->targets.all[target];
    struct screen *screen = screen_new(monitor);
    if (screen == NULL)
        return;
    screen->peer = *address;
    screen->target = target;
    int code =
        cp_socket_open(monitor->port, net_family(address), (uintptr_t)screen, &screen->socket);
    if (code != 0) {
        monitored_release(screen);
        return;
    }
    cp_socket_skip(screen->socket, true);
    pthread_mutex_lock(&monitor->lock);
    list_append(&monitor->screens, &screen->node);
    monitor->target[target].busy = true;
    pthread_mutex_unlock(&monitor->lock);
    code = cp_connect(screen->socket, &screen->connect, net_sockaddr(address), address->bytes,
                      monitor->options->handshake_timeout_ms * OS_NS_PER_MS);
    if (code < 0 && code != CP_ECLOSED)
        screen_end(screen, cp_error_name(code), false);
    else if (code == CP_DONE)
        monitored_complete(screen, &screen->connect, 0);
}
