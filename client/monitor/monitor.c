/* fanin-monitor's run: sets up, gathers the screens, watches them, audits, tears down. */
#include "client/monitor/monitor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/monitor/rfb/decoder.h"

enum {
    DESCRIPTORS_SPARE = 64, /* standard streams, the engine's, the window's */
    LOOK_MS = 50,           /* how often main looks at time limits */
    STOP_MS = 2000,
};

/* ---- workers --------------------------------------------------------------------------------- */

static void complete(struct monitor *monitor, const struct cp_packet *packet)
{
    if (packet->key == KEY_TICK)
        asking_tick(monitor);
    else if (packet->key == KEY_ACCEPT)
        listening_accepted(monitor, packet->op, packet->result);
    else
        monitored_complete((struct screen *)packet->key, packet->op, packet->result);
}

static void *work(void *argument)
{
    struct monitor *monitor = argument;
    struct cp_packet packet;
    int count;
    while ((count = cp_wait(monitor->port, &packet, 1, CP_FOREVER)) > 0)
        complete(monitor, &packet);
    return NULL;
}

static void *run_window(void *argument)
{
    struct monitor *monitor = argument;
    monitor->glass_kind->run(monitor->glass);
    return NULL;
}

/* ---- setting up ------------------------------------------------------------------------------ */

/* A failure that the row says. */
static bool skip(struct monitor *monitor, int error, const char *what, const char *why)
{
    char limit[ROW_LINE_BYTES / 2] = "";
    if (error != 0)
        os_limit_met(error, limit, sizeof limit);
    monitor_row_skip(monitor->row, "%s: %s%s%s", what, why, limit[0] != '\0' ? ": " : "", limit);
    return false;
}

static bool read_secrets(struct monitor *monitor)
{
    const struct monitor_options *options = monitor->options;
    char why[ROW_LINE_BYTES / 2] = "";
    if (options->password_file != NULL &&
        !secret_read(options->password_file, monitor->password, why, sizeof why))
        return skip(monitor, 0, "--password-file", why);
    return secure_open(monitor, why, sizeof why) || skip(monitor, 0, "--tls-authority", why);
}

static void add_encoding(struct monitor *monitor, int encoding)
{
    monitor->encodings[monitor->encoding_count++] = encoding;
}

static void read_encodings(struct monitor *monitor)
{
    char name[32];
    for (const char *at = monitor->options->encodings; *at != '\0';) {
        const size_t bytes = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)bytes, at);
        const struct decoder *decoder = decoder_named(name);
        if (decoder != NULL)
            add_encoding(monitor, decoder->encoding);
        at += bytes + (at[bytes] == ',');
    }
    if (monitor->options->quality < QUALITY_LOSSLESS)
        add_encoding(monitor, RFB_QUALITY_0 + (int)monitor->options->quality);
    add_encoding(monitor, RFB_DESKTOP_SIZE);
    add_encoding(monitor, RFB_LAST_RECT);
}

static bool find_addresses(struct monitor *monitor)
{
    const struct monitor_options *options = monitor->options;
    char why[ROW_LINE_BYTES / 2];
    const bool accepts = options->topology == TOPOLOGY_ACCEPT;
    if ((accepts ? addresses_listen(options, &monitor->address, why, sizeof why)
                 : addresses_connect(options, &monitor->targets, why, sizeof why)) == 0)
        return true;
    monitor_row_skip(monitor->row, "%s", why);
    return false;
}

static bool reserve(struct monitor *monitor)
{
    const uint64_t screens = monitor->options->screens, wanted = screens + DESCRIPTORS_SPARE;
    uint64_t limit = 0;
    monitor->places = calloc(screens, sizeof *monitor->places);
    monitor->target = calloc(screens, sizeof *monitor->target);
    if (monitor->places == NULL || monitor->target == NULL ||
        !credit_open(&monitor->credit, (unsigned)screens, (unsigned)monitor->options->ahead,
                     monitor->options->rate, (double)monitor->options->budget))
        return skip(monitor, -ENOMEM, "--screens", "no memory");
    if (os_descriptors_reserve(wanted, &limit) == 0)
        return true;
    monitor_row_skip(monitor->row,
                     "%llu screens need %llu descriptors, the hard limit is %llu: raise it "
                     "(ulimit -Hn) or ask for fewer --screens",
                     (unsigned long long)screens, (unsigned long long)wanted,
                     (unsigned long long)limit);
    return false;
}

static bool open_port(struct monitor *monitor)
{
    const struct monitor_options *options = monitor->options;
    const struct cp_config config = {.engine = options->engine,
                                     .concurrency = (unsigned)options->concurrency};
    char why[ROW_LINE_BYTES / 2] = "";
    const int result = cp_open(&config, &monitor->port, why, sizeof why);
    if (result != 0)
        return skip(monitor, 0, "--engine", why[0] != '\0' ? why : cp_error_text(result));
    monitor->row->engine = cp_engine_name(monitor->port);
    monitor->row->gate = cp_gate_name(monitor->port);
    monitor->row->concurrency = cp_concurrency(monitor->port);
    return true;
}

static bool open_glass(struct monitor *monitor)
{
    const struct monitor_options *options = monitor->options;
    const struct glass_config config = {
        .hooks = &input_hooks,
        .context = monitor,
        .screens = (unsigned)options->screens,
        .pixels_max = options->pixels_max,
        .display = options->display,
        .grid = options->view == VIEW_GRID,
    };
    char why[ROW_LINE_BYTES / 2] = "";
    monitor->glass = monitor->glass_kind->open(&config, why, sizeof why);
    return monitor->glass != NULL ||
           skip(monitor, 0, "--view", why[0] != '\0' ? why : "no window can be had");
}

static bool start_threads(struct monitor *monitor)
{
    const unsigned count = (unsigned)monitor->options->workers;
    int result = 0;
    monitor->workers = calloc(count, sizeof *monitor->workers);
    if (monitor->workers == NULL)
        return skip(monitor, -ENOMEM, "--workers", "no memory");
    for (; monitor->worker_count < count && result == 0; monitor->worker_count += result == 0)
        result = os_thread_start(&monitor->workers[monitor->worker_count], OS_ROLE_WORKER, 0, work,
                                 monitor);
    if (result == 0 && monitor->glass_kind != &glass_none) {
        result = os_thread_start(&monitor->window, ROLE_WINDOW, 0, run_window, monitor);
        monitor->has_window = result == 0;
    }
    return result == 0 || skip(monitor, result, "no thread", strerror(-result));
}

static bool open_journal(struct monitor *monitor)
{
    const int result = journal_open(&monitor->journal, monitor->options->journal);
    return result == 0 || skip(monitor, 0, "--journal", strerror(-result));
}

/* ---- time limits ----------------------------------------------------------------------------- */

/* Under the lock. Silence after a request may only mean that nothing changes; a pixel that is
 * asked for anyway must come. */
static void look_at(struct monitor *monitor, struct screen *screen, uint64_t now_ms)
{
    const struct monitor_options *options = monitor->options;
    const uint64_t heard_ms = atomic_load_explicit(&screen->heard_ms, memory_order_relaxed);
    const uint64_t silent_ms = now_ms > heard_ms ? now_ms - heard_ms : 0;
    if (!atomic_load(&screen->ready)) {
        if (now_ms - screen->tick_ms > options->handshake_timeout_ms)
            monitored_stop(screen, CAUSE_TIMEOUT);
        return;
    }
    if (silent_ms <= options->stall_timeout_ms / 2) {
        screen->probed = false;
    } else if (!screen->probed) {
        screen->probed = true;
        monitored_probe(screen);
    } else if (silent_ms > options->stall_timeout_ms) {
        monitored_stop(screen, CAUSE_STALLED);
    }
}

void monitor_look(struct monitor *monitor)
{
    const uint64_t now_ms = os_active_ns() / OS_NS_PER_MS;
    atomic_store(&monitor->now_ms, now_ms);
    pthread_mutex_lock(&monitor->lock);
    for (struct list_node *node = monitor->screens.after; node != &monitor->screens;
         node = node->after)
        look_at(monitor, LIST_MEMBER(node, struct screen, node), now_ms);
    pthread_mutex_unlock(&monitor->lock);
}

/* ---- the run --------------------------------------------------------------------------------- */

struct standing {
    unsigned ready, connected, begun; /* begun: in their handshakes */
    unsigned unseen;                  /* visible, and without a first picture yet */
    bool is_hopeless;                 /* none of those that are missing is tried again */
    bool is_over;                     /* interrupted, all windows closed, no window system */
};

/* Under the lock. */
static bool is_awaited(const struct monitor *monitor, const struct screen *screen)
{
    return atomic_load(&screen->ready) && !atomic_load(&screen->pictured) && screen->place >= 0 &&
           !monitor->credit.screens[screen->place].hidden;
}

static struct standing look(struct monitor *monitor)
{
    struct standing standing = {.is_over = os_interrupted()};
    monitor_look(monitor);
    targets_connect(monitor);
    pthread_mutex_lock(&monitor->lock);
    standing.ready = monitor->ready_count;
    standing.connected = monitor->connected;
    for (struct list_node *node = monitor->screens.after; node != &monitor->screens;
         node = node->after) {
        const struct screen *screen = LIST_MEMBER(node, struct screen, node);
        standing.begun += !atomic_load(&screen->ready);
        standing.unseen += is_awaited(monitor, screen);
    }
    standing.is_hopeless = monitor->targets.count > 0;
    for (unsigned i = 0; i < monitor->targets.count; i++)
        standing.is_hopeless &= monitor->target[i].given_up || monitor->places[i].used;
    if (monitor->glass_lost[0] != '\0') {
        standing.is_over = true;
        monitor_row_fail(monitor->row, "the window system has gone: %s", monitor->glass_lost);
    }
    if (monitor->connected > 0 && monitor->closed_by_hand >= monitor->connected) {
        standing.is_over = true;
        monitor->row->interrupted_by = "windows closed";
    }
    pthread_mutex_unlock(&monitor->lock);
    if (os_interrupted())
        monitor->row->interrupted_by = os_interrupted_by();
    return standing;
}

static void note_missing(struct monitor *monitor, unsigned came, uint64_t gone_ms)
{
    char lost[ROW_LINE_BYTES] = "";
    pthread_mutex_lock(&monitor->lock);
    row_tally_text(monitor->row->screens_lost, "; lost: ", lost);
    monitor_row_fail(monitor->row, "%u of %llu screens came in %llu ms%s%s%s", came,
                     (unsigned long long)monitor->options->screens, (unsigned long long)gone_ms,
                     lost, monitor->accept_error != 0 ? "; the last accept failed: " : "",
                     monitor->accept_error != 0 ? cp_error_text(monitor->accept_error) : "");
    pthread_mutex_unlock(&monitor->lock);
}

/* Until all are there. Without --for as many as are there at the first are enough. False: the run
 * is over. */
static bool gather(struct monitor *monitor)
{
    const struct monitor_options *options = monitor->options;
    const uint64_t began_ms = os_active_ns() / OS_NS_PER_MS;
    for (;;) {
        const struct standing now = look(monitor);
        const uint64_t gone_ms = atomic_load(&monitor->now_ms) - began_ms;
        if (now.is_over)
            return false;
        if (now.connected >= options->screens || (options->for_ms == 0 && now.connected > 0))
            return true;
        /* One that has just come has its own time. */
        const bool is_late = options->for_ms > 0 && gone_ms > options->handshake_timeout_ms &&
                             (now.begun == 0 || gone_ms > 2 * options->handshake_timeout_ms);
        if (is_late || now.is_hopeless) {
            note_missing(monitor, now.connected, gone_ms);
            return false;
        }
        os_park(&monitor->main, (uint64_t)LOOK_MS * OS_NS_PER_MS);
    }
}

/* The watch is of pictures that change: the first ones are behind it, however many come at once. A
 * screen that sends none is not waited for longer than a handshake. */
static void await_pictures(struct monitor *monitor)
{
    const struct monitor_options *options = monitor->options;
    const uint64_t began_ms = os_active_ns() / OS_NS_PER_MS;
    struct standing now = look(monitor);
    while (options->for_ms > 0 && !now.is_over && now.unseen > 0 &&
           atomic_load(&monitor->now_ms) - began_ms < options->handshake_timeout_ms) {
        os_park(&monitor->main, (uint64_t)LOOK_MS * OS_NS_PER_MS);
        now = look(monitor);
    }
    pthread_mutex_lock(&monitor->lock);
    monitor->all_pictured = now.unseen == 0 && monitor->last_picture_ns > 0;
    pthread_mutex_unlock(&monitor->lock);
}

static void watch(struct monitor *monitor)
{
    const uint64_t for_ms = monitor->options->for_ms;
    struct watch before, after;
    struct standing now;
    atomic_store(&monitor->watch_us, os_now_ns() / 1000);
    atomic_store(&monitor->phase, PHASE_WATCHING);
    watch_look(monitor, &before);
    const uint64_t began_ms = os_active_ns() / OS_NS_PER_MS;
    do {
        os_park(&monitor->main, (uint64_t)LOOK_MS * OS_NS_PER_MS);
        now = look(monitor);
    } while (!now.is_over && (for_ms == 0 || atomic_load(&monitor->now_ms) - began_ms < for_ms));
    watch_look(monitor, &after);
    watch_measure(monitor, &before, &after);
    if (for_ms > 0 && monitor->row->interrupted_by == NULL &&
        now.ready < monitor->options->screens) {
        char lost[ROW_LINE_BYTES] = "";
        pthread_mutex_lock(&monitor->lock);
        row_tally_text(monitor->row->screens_lost, "", lost);
        pthread_mutex_unlock(&monitor->lock);
        monitor_row_fail(monitor->row, "%u of %llu screens were there at the end; lost: %s",
                         now.ready, (unsigned long long)monitor->options->screens, lost);
    }
}

/* ---- tearing down ---------------------------------------------------------------------------- */

static bool has_screens(struct monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
    const bool has = list_first(&monitor->screens) != NULL;
    pthread_mutex_unlock(&monitor->lock);
    return has;
}

/* Each screen ends as it does in the run, with its line in the journal. */
static void stop_screens(struct monitor *monitor)
{
    const uint64_t until_ns = os_now_ns() + (uint64_t)STOP_MS * OS_NS_PER_MS;
    atomic_store(&monitor->phase, PHASE_ENDING);
    pthread_mutex_lock(&monitor->lock);
    for (struct list_node *node = monitor->screens.after; node != &monitor->screens;
         node = node->after)
        monitored_stop(LIST_MEMBER(node, struct screen, node), "end");
    pthread_mutex_unlock(&monitor->lock);
    while (has_screens(monitor) && os_now_ns() < until_ns)
        os_park(&monitor->main, (uint64_t)OS_NS_PER_MS);
}

static void close_threads(struct monitor *monitor)
{
    if (monitor->has_window)
        monitor->glass_kind->stop(monitor->glass);
    if (monitor->has_window)
        pthread_join(monitor->window, NULL);
    if (monitor->port == NULL)
        return;
    listening_close(monitor);
    stop_screens(monitor);
    cp_close(monitor->port);
    for (unsigned i = 0; i < monitor->worker_count; i++)
        pthread_join(monitor->workers[i], NULL);
    cp_free(monitor->port);
    monitor->port = NULL;
}

static void tear_down(struct monitor *monitor)
{
    struct list_node *node;
    while ((node = list_first(&monitor->screens)) != NULL) { /* none is in flight any more */
        struct screen *screen = LIST_MEMBER(node, struct screen, node);
        list_remove(node);
        atomic_store(&screen->references, 1);
        monitored_release(screen);
    }
    if (monitor->glass != NULL)
        monitor->glass_kind->close(monitor->glass);
    for (unsigned i = 0; i < monitor->options->screens && monitor->places != NULL; i++)
        delays_free(&monitor->places[i].delays);
    const int error = journal_close(monitor->journal);
    if (error != 0)
        monitor_row_fail(monitor->row, "--journal: cannot write '%s': %s",
                         monitor->options->journal, strerror(-error));
    credit_close(&monitor->credit);
    targets_free(&monitor->targets);
    tls_context_close(monitor->tls);
    free(monitor->places);
    free(monitor->target);
    free(monitor->workers);
    pthread_mutex_destroy(&monitor->lock);
}

static bool set_up(struct monitor *monitor)
{
    read_encodings(monitor);
    return read_secrets(monitor) && find_addresses(monitor) && reserve(monitor) &&
           open_port(monitor) && open_glass(monitor);
}

static void execute(struct monitor *monitor)
{
    atomic_store(&monitor->now_ms, os_active_ns() / OS_NS_PER_MS);
    if (!open_journal(monitor) || !start_threads(monitor) || !listening_open(monitor))
        return;
    if (gather(monitor)) {
        await_pictures(monitor);
        watch(monitor);
    }
    audit_run(monitor);
}

void monitor_run(const struct monitor_options *options, const struct glass_kind *kind,
                 struct monitor_row *row)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) {
        monitor_row_skip(row, "no memory");
        return;
    }
    monitor->options = options;
    monitor->row = row;
    monitor->glass_kind = kind;
    monitor->listener = -1;
    list_init(&monitor->screens);
    pthread_mutex_init(&monitor->lock, NULL);
    os_pauses_begin();
    if (set_up(monitor) && !options->dry_run)
        execute(monitor);
    close_threads(monitor);
    if (row->status != ROW_SKIPPED && !options->dry_run)
        measure_end(monitor);
    tear_down(monitor);
    free(monitor);
}
