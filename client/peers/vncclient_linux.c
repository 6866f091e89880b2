/* fanin-peer-vncclient without libvncclient: screens that come and go, time, figures, the audit. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/os.h"
#include "client/peers/vncclient.h"

enum {
    BACKLOG = 4096,
    STACK_BYTES = 256 << 10,
    TICK_MS = 20,
    AUDIT_MS = 5000,
    AGAIN_MS = 100, /* until a screen is connected to again */
    WHY_BYTES = 256,
    SPARE_DESCRIPTORS = 64,
};

static void screen_free(struct screen *screen)
{
    if (!screen->started)
        return;
    pthread_join(screen->thread, NULL);
    screen->started = false;
    if (screen->client != NULL) {
        screen->peer->glass_kind->hide(screen->peer->glass, screen->index);
        vncscreen_end(screen);
    }
    screen->handle = -1;
    atomic_store(&screen->ready, false);
    atomic_store(&screen->over, false);
}

static void screen_start(struct peer *peer, struct screen *screen, intptr_t handle)
{
    fcntl((int)handle, F_SETFL, fcntl((int)handle, F_GETFL) & ~O_NONBLOCK);
    peer->returned += atomic_exchange(&screen->used, true);
    screen->handle = handle;
    screen->opened_ns = os_now_ns();
    if (peer->first_ns == 0)
        peer->first_ns = screen->opened_ns;
    screen->started =
        os_thread_start(&screen->thread, OS_ROLE_WORKER, STACK_BYTES, vncscreen_run, screen) == 0;
    if (!screen->started)
        net_close(handle);
}

static struct screen *free_place(struct peer *peer)
{
    struct screen *other = NULL;
    for (unsigned i = 0; i < peer->count; i++) {
        if (!peer->screens[i].started && !peer->screens[i].used)
            return &peer->screens[i];
        if (!peer->screens[i].started)
            other = &peer->screens[i];
    }
    return other;
}

static void accept_all(struct peer *peer)
{
    static const struct net_tuning tuning = {0};
    intptr_t handle;
    while (net_accept(peer->listener, &tuning, &handle) == 0) {
        struct screen *place = free_place(peer);
        if (place != NULL)
            screen_start(peer, place, handle);
        else
            net_close(handle);
    }
}

static void connect_all(struct peer *peer)
{
    const uint64_t limit_ns = peer->options->handshake_timeout_ms * OS_NS_PER_MS;
    for (unsigned i = 0; i < peer->count; i++) {
        struct screen *screen = &peer->screens[i];
        intptr_t handle;
        if (screen->started || os_now_ns() - screen->opened_ns < (uint64_t)AGAIN_MS * OS_NS_PER_MS)
            continue;
        screen->opened_ns = os_now_ns();
        if (net_connect(&peer->targets.all[i], limit_ns, &handle) == 0)
            screen_start(peer, screen, handle);
    }
}

static void reap(struct peer *peer)
{
    const uint64_t limit_ns = peer->options->handshake_timeout_ms * OS_NS_PER_MS;
    for (unsigned i = 0; i < peer->count; i++) {
        struct screen *screen = &peer->screens[i];
        if (!screen->started)
            continue;
        if (atomic_load(&screen->over)) {
            const bool was_ready = atomic_load(&screen->ready);
            row_tally_add(peer->row->screens_lost, was_ready ? "closed" : "handshake");
            screen_free(screen);
        } else if (!atomic_load(&screen->ready) && os_now_ns() - screen->opened_ns > limit_ns) {
            shutdown((int)screen->handle, SHUT_RDWR);
        }
    }
}

static void tick(struct peer *peer)
{
    os_active_ns(); /* a look: pauses are counted */
    if (peer->options->topology == TOPOLOGY_CONNECT) {
        connect_all(peer);
        os_sleep_ns((uint64_t)TICK_MS * OS_NS_PER_MS);
    } else {
        net_wait(peer->listener, NET_READABLE, (uint64_t)TICK_MS * OS_NS_PER_MS);
        accept_all(peer);
    }
    reap(peer);
}

static unsigned ready_count(const struct peer *peer)
{
    unsigned ready = 0;
    for (unsigned i = 0; i < peer->count; i++)
        ready += atomic_load(&peer->screens[i].ready);
    return ready;
}

static unsigned pictured_count(const struct peer *peer)
{
    unsigned pictured = 0;
    for (unsigned i = 0; i < peer->count; i++)
        pictured += atomic_load(&peer->screens[i].picture_ns) != 0;
    return pictured;
}

/* ---- measuring ------------------------------------------------------------------------------- */

struct look {
    uint64_t now_ns, updates, rectangles, pixels, bytes;
    struct os_usage usage;
};

static uint64_t received_bytes(intptr_t handle)
{
    struct tcp_info info = {0};
    socklen_t bytes = sizeof info;
    if (handle < 0 || getsockopt((int)handle, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0)
        return 0;
    return info.tcpi_bytes_received;
}

static struct look look_now(const struct peer *peer)
{
    struct look look = {.now_ns = os_now_ns()};
    for (unsigned i = 0; i < peer->count; i++) {
        const struct screen *screen = &peer->screens[i];
        look.updates += atomic_load(&screen->updates);
        look.rectangles += atomic_load(&screen->rectangles);
        look.pixels += atomic_load(&screen->pixels);
        look.bytes += received_bytes(screen->started ? screen->handle : -1);
    }
    os_usage_read(&look.usage);
    return look;
}

static void measure(struct peer *peer, const struct look *from, const struct look *to)
{
    struct monitor_row *row = peer->row;
    const double elapsed_s = (double)(to->now_ns - from->now_ns) / OS_NS_PER_S;
    const uint64_t pixels = to->pixels - from->pixels;
    row->elapsed_ms = elapsed_s * 1000;
    row->updates = to->updates - from->updates;
    row->rectangles = to->rectangles - from->rectangles;
    row->updates_per_s = (double)row->updates / elapsed_s;
    if (row->screens_lost->used == 0) { /* what those had received is gone with them */
        row->bytes = to->bytes - from->bytes;
        row->mbit_per_s = (double)row->bytes * 8 / 1e6 / elapsed_s;
        row->bits_per_pixel = pixels > 0 ? (double)row->bytes * 8 / (double)pixels : NAN;
    }
    monitor_row_usage(row, &from->usage, &to->usage);
    row->peak_rss_kb = to->usage.rss_peak_bytes / 1024;
}

static void measure_start(struct peer *peer)
{
    struct monitor_row *row = peer->row;
    uint64_t last_ns = peer->first_ns, picture_ns = peer->first_ns;
    for (unsigned i = 0; i < peer->count; i++) {
        const uint64_t ready_ns = atomic_load(&peer->screens[i].ready_ns);
        const uint64_t seen_ns = atomic_load(&peer->screens[i].picture_ns);
        last_ns = ready_ns > last_ns ? ready_ns : last_ns;
        picture_ns = seen_ns > picture_ns ? seen_ns : picture_ns;
    }
    if (pictured_count(peer) == peer->count)
        row->pictures_ms = (double)(picture_ns - peer->first_ns) / OS_NS_PER_MS;
    peer->connected = ready_count(peer);
    if (peer->connected > 0)
        row->accept_ms = (double)(last_ns - peer->first_ns) / OS_NS_PER_MS;
    row->worker_threads = (uint64_t)os_thread_count(OS_ROLE_WORKER);
    row->total_threads = (uint64_t)os_thread_count(NULL);
}

static void measure_delays(struct peer *peer)
{
    struct delays *all = calloc(peer->count, sizeof *all);
    if (all == NULL)
        return;
    for (unsigned i = 0; i < peer->count; i++)
        all[i] = peer->screens[i].delays;
    monitor_row_decoded(peer->row, delays_figures(all, peer->count));
    free(all);
}

static unsigned audits(const struct peer *peer, enum screen_audit wanted)
{
    unsigned count = 0;
    for (unsigned i = 0; i < peer->count; i++)
        count += peer->screens[i].audit == wanted;
    return count;
}

/* Threads end as they have their answers. */
static void audit(struct peer *peer)
{
    const uint64_t end_ns = os_deadline_ns((uint64_t)AUDIT_MS * OS_NS_PER_MS);
    bool waiting = true;
    atomic_store(&peer->auditing, true);
    while (waiting && os_now_ns() < end_ns) {
        waiting = false;
        for (unsigned i = 0; i < peer->count; i++)
            waiting |= peer->screens[i].started && !atomic_load(&peer->screens[i].over);
        os_sleep_ns((uint64_t)TICK_MS * OS_NS_PER_MS);
    }
    atomic_store(&peer->stopping, true);
    for (unsigned i = 0; i < peer->count; i++)
        if (peer->screens[i].started && !atomic_load(&peer->screens[i].over))
            shutdown((int)peer->screens[i].handle, SHUT_RDWR);
    for (unsigned i = 0; i < peer->count; i++)
        screen_free(&peer->screens[i]);
}

static void judge(struct peer *peer)
{
    struct monitor_row *row = peer->row;
    const unsigned passed = audits(peer, AUDIT_PASSED), failed = audits(peer, AUDIT_FAILED),
                   unanswered = audits(peer, AUDIT_ASKED);
    row->events_sent = 0;
    for (unsigned i = 0; i < peer->count; i++) {
        struct screen *screen = &peer->screens[i];
        row->events_sent += atomic_load(&screen->keys) + atomic_load(&screen->pointers);
        if (passed + failed > 0)
            row->events_seen = (i > 0 ? row->events_seen : 0) + screen->seen;
    }
    if (failed + unanswered > 0) {
        snprintf(row->audit, sizeof row->audit, "fail: %u screens differ, %u gave no answer",
                 failed, unanswered);
        monitor_row_fail(row, "the audit failed: %u screens differ, %u gave no answer", failed,
                         unanswered);
    } else {
        snprintf(row->audit, sizeof row->audit, "%s",
                 passed > 0 ? "pass" : "none: no screen that is ours was there at the end");
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool goes_on(const struct peer *peer)
{
    return !os_interrupted() && !atomic_load(&peer->glass_lost);
}

static void watch_screens(struct peer *peer)
{
    const struct monitor_options *options = peer->options;
    const uint64_t come_ns = os_deadline_ns(options->handshake_timeout_ms * OS_NS_PER_MS);
    const bool limited = options->for_ms > 0;
    while (goes_on(peer) && ready_count(peer) < peer->count && (!limited || os_now_ns() < come_ns))
        tick(peer);
    const uint64_t shown_ns = os_deadline_ns(options->handshake_timeout_ms * OS_NS_PER_MS);
    while (goes_on(peer) && limited && ready_count(peer) == peer->count &&
           pictured_count(peer) < peer->count && os_now_ns() < shown_ns)
        tick(peer);
    atomic_store(&peer->watch_us, os_now_ns() / 1000);
    measure_start(peer);
    if (peer->connected < peer->count && limited)
        monitor_row_fail(peer->row, "%llu of %u screens came within %llu ms",
                         (unsigned long long)peer->connected, peer->count,
                         (unsigned long long)options->handshake_timeout_ms);
    if (peer->connected == 0)
        return;
    const struct look before = look_now(peer);
    const uint64_t end_ns = limited ? os_deadline_ns(options->for_ms * OS_NS_PER_MS) : UINT64_MAX;
    while (goes_on(peer) && os_now_ns() < end_ns)
        tick(peer);
    const struct look after = look_now(peer);
    measure(peer, &before, &after);
}

static bool skip(struct peer *peer, const char *what, const char *why)
{
    monitor_row_skip(peer->row, "%s %s", what, why);
    return false;
}

static bool open_network(struct peer *peer)
{
    static const struct net_tuning tuning = {0};
    char why[WHY_BYTES] = "";
    uint64_t limit;
    if (os_descriptors_reserve(peer->count + SPARE_DESCRIPTORS, &limit) != 0)
        return skip(peer, "not enough descriptors:", "raise ulimit -n");
    if (peer->options->topology == TOPOLOGY_CONNECT)
        return addresses_connect(peer->options, &peer->targets, why, sizeof why) == 0 ||
               skip(peer, why, "");
    struct net_address address;
    if (addresses_listen(peer->options, &address, why, sizeof why) != 0)
        return skip(peer, why, "");
    int result = net_bind(&address, &peer->listener);
    if (result == 0)
        result = net_listen(peer->listener, BACKLOG, &tuning);
    return result == 0 || skip(peer, "--listen: cannot listen:", strerror(-result));
}

static void *glass_run(void *argument)
{
    struct peer *peer = argument;
    peer->glass_kind->run(peer->glass);
    return NULL;
}

static bool open_glass(struct peer *peer)
{
    const struct monitor_options *options = peer->options;
    char why[WHY_BYTES] = "";
    const struct glass_config config = {
        .hooks = &vncscreen_hooks,
        .context = peer,
        .screens = peer->count,
        .pixels_max = options->pixels_max,
        .display = options->display,
        .grid = options->view == VIEW_GRID,
    };
    peer->glass_kind = options->view == VIEW_NONE ? &glass_none : &glass_windows;
    peer->glass = peer->glass_kind->open(&config, why, sizeof why);
    if (peer->glass == NULL)
        return skip(peer, "--view:", why);
    const int result = os_thread_start(&peer->glass_thread, "fanin-window", 0, glass_run, peer);
    peer->has_glass_thread = result == 0;
    return result == 0 || skip(peer, "no thread for windows:", strerror(-result));
}

static bool read_password(struct peer *peer)
{
    const char *path = peer->options->password_file;
    if (path == NULL)
        return true;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return skip(peer, "--password-file:", strerror(errno));
    if (fgets(peer->password, sizeof peer->password, file) == NULL)
        peer->password[0] = '\0';
    fclose(file);
    peer->password[strcspn(peer->password, "\r\n")] = '\0';
    return true;
}

void vncpeer_close(struct peer *peer)
{
    if (peer->has_glass_thread) {
        peer->glass_kind->stop(peer->glass);
        pthread_join(peer->glass_thread, NULL);
    }
    if (peer->glass != NULL)
        peer->glass_kind->close(peer->glass);
    if (peer->listener >= 0)
        net_close(peer->listener);
    targets_free(&peer->targets);
    for (unsigned i = 0; peer->screens != NULL && i < peer->count; i++)
        delays_free(&peer->screens[i].delays);
    free(peer->screens);
}

void vncpeer_run(struct peer *peer)
{
    struct monitor_row *row = peer->row;
    peer->screens = calloc(peer->count, sizeof *peer->screens);
    if (peer->screens == NULL || !read_password(peer) || !open_network(peer) || !open_glass(peer))
        return;
    for (unsigned i = 0; i < peer->count; i++) {
        peer->screens[i] = (struct screen){.peer = peer, .index = i, .handle = -1};
        pthread_mutex_init(&peer->screens[i].sending, NULL);
    }
    os_pauses_begin();
    watch_screens(peer);
    audit(peer);
    row->screens_connected = peer->connected;
    row->screens_returned = peer->returned;
    row->paused_ms = (double)os_paused_ns() / OS_NS_PER_MS;
    row->interrupted_by = os_interrupted_by();
    if (atomic_load(&peer->glass_lost))
        monitor_row_fail(row, "the window system has gone");
    measure_delays(peer);
    judge(peer);
    if (row->screens_lost->used > 0)
        monitor_row_fail(row, "connections ended before the run did");
}
