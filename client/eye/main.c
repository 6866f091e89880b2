/* fanin-eye: starts a viewer of screens on an X server, looks at its windows from outside, and
 * writes one row of what the viewer says of itself and what was to be seen. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "client/eye/floor.h"
#include "client/eye/viewer.h"
#include "client/eye/watch.h"

enum {
    WHY_BYTES = 256,
    SLICE_MS = 20,         /* between looks at the viewer's processes */
    STOP_GRACE_MS = 10000, /* for a row after an interrupt */
    VIEWER_END_MS = 500,   /* of one whose window was closed, perhaps because it crashed */
    LAST_KEY_MS = 1000,    /* before the end: so long an effect may take */
    CELL_WIDTH = 1312,     /* of a window of 1280x800 with a viewer's edges */
    CELL_HEIGHT = 840,
    SCREEN_SIDE_MAX = 32767,
};

struct eye {
    const struct monitor_options *options;
    struct monitor_row *row;
    struct x_server server;
    struct watch watch;
    struct viewers viewers;
    bool ours;            /* the viewer leaves a row */
    uint64_t began_ns;    /* the viewer was started */
    uint64_t counting_ns; /* the moment when all windows were there; 0: not yet */
    uint64_t closed_ns;   /* when a window of a viewer that is not ours was closed; 0: none was */
    uint64_t next_key_ns;
    struct viewer_usage before;
    bool ended; /* the viewer did, by itself */
    int exit_code;
    char how[WHY_BYTES];     /* it ended */
    char failure[WHY_BYTES]; /* "" : none */
};

static uint64_t after(uint64_t moment_ns, uint64_t ms)
{
    return moment_ns + ms * OS_NS_PER_MS;
}

/* ---- while the viewer runs ------------------------------------------------------------------- */

static void begin_counting(struct eye *eye)
{
    watch_restart(&eye->watch);
    eye->counting_ns = os_now_ns();
    eye->next_key_ns = eye->counting_ns;
    if (!eye->ours)
        eye->before = viewers_usage(&eye->viewers);
}

static bool is_key_due(const struct eye *eye, uint64_t now_ns)
{
    const struct monitor_options *options = eye->options;
    const uint64_t last_ms =
        options->for_ms > 2 * LAST_KEY_MS ? options->for_ms - LAST_KEY_MS : options->for_ms / 2;
    return options->input_rate > 0 && eye->counting_ns != 0 && now_ns >= eye->next_key_ns &&
           (options->for_ms == 0 || now_ns < after(eye->counting_ns, last_ms));
}

static void press_due(struct eye *eye)
{
    const uint64_t now_ns = os_now_ns();
    if (!is_key_due(eye, now_ns))
        return;
    watch_press(&eye->watch);
    eye->next_key_ns += (uint64_t)(OS_NS_PER_S / eye->options->input_rate);
    if (eye->next_key_ns < now_ns)
        eye->next_key_ns = now_ns;
}

static uint64_t slice_end_ns(const struct eye *eye)
{
    const uint64_t end_ns = after(os_now_ns(), SLICE_MS);
    const bool keys = eye->options->input_rate > 0 && eye->counting_ns != 0;
    return keys && eye->next_key_ns < end_ns ? eye->next_key_ns : end_ns;
}

/* A viewer that leaves a row ends by itself; it has time for its audit. */
static bool is_overdue(struct eye *eye, uint64_t now_ns)
{
    const struct monitor_options *options = eye->options;
    const uint64_t limit_ms =
        options->handshake_timeout_ms + options->for_ms + 2 * options->stall_timeout_ms;
    if (options->for_ms == 0 || now_ns < after(eye->began_ns, limit_ms))
        return false;
    snprintf(eye->failure, sizeof eye->failure, "the viewer did not end within %llu ms",
             (unsigned long long)limit_ms);
    return true;
}

/* What others wrote ends when the time is over that was asked for. */
static bool is_foreign_over(struct eye *eye, uint64_t now_ns)
{
    const struct monitor_options *options = eye->options;
    if (eye->watch.closed > 0 && eye->closed_ns == 0)
        eye->closed_ns = now_ns;
    if (eye->closed_ns != 0) { /* how the viewer ended says more, if it did */
        snprintf(eye->failure, sizeof eye->failure, "a window of the viewer was closed");
        return now_ns >= after(eye->closed_ns, VIEWER_END_MS);
    }
    if (eye->counting_ns != 0)
        return options->for_ms > 0 && now_ns >= after(eye->counting_ns, options->for_ms);
    return now_ns >= after(eye->began_ns, options->handshake_timeout_ms);
}

static bool is_over(struct eye *eye)
{
    const uint64_t now_ns = os_now_ns();
    os_active_ns(); /* a look: pauses are counted */
    if (os_interrupted())
        return true;
    eye->ended = viewers_ended(&eye->viewers, eye->how, sizeof eye->how, &eye->exit_code);
    if (eye->ended && !eye->ours)
        snprintf(eye->failure, sizeof eye->failure, "%s", eye->how);
    return eye->ended || (eye->ours ? is_overdue(eye, now_ns) : is_foreign_over(eye, now_ns));
}

static void look(struct eye *eye)
{
    eye->began_ns = os_now_ns();
    os_pauses_begin();
    do {
        if (!watch_until(&eye->watch, slice_end_ns(eye))) {
            snprintf(eye->failure, sizeof eye->failure, "the X server %s has gone",
                     eye->server.name);
            return;
        }
        if (eye->counting_ns == 0 && watch_found(&eye->watch) >= eye->options->screens)
            begin_counting(eye);
        press_due(eye);
    } while (!is_over(eye));
}

/* ---- the row --------------------------------------------------------------------------------- */

static void describe_foreign(struct eye *eye)
{
    struct monitor_row *row = eye->row;
    const struct viewer_usage after_run = viewers_usage(&eye->viewers);
    row->gate = "none";
    row->screens_connected = watch_read(&eye->watch);
    row->screens_returned = 0;
    for (uint64_t i = 0; i < eye->watch.closed; i++)
        row_tally_add(row->screens_lost, "closed");
    if (eye->counting_ns != 0)
        row->elapsed_ms = (double)(os_now_ns() - eye->counting_ns) / OS_NS_PER_MS;
    if (eye->counting_ns != 0 && after_run.cpu_ns >= eye->before.cpu_ns)
        row->cpu_s = (double)(after_run.cpu_ns - eye->before.cpu_ns) / OS_NS_PER_S;
    if (after_run.peak_bytes > 0)
        row->peak_rss_kb = after_run.peak_bytes / 1024;
    if (after_run.threads > 0)
        row->total_threads = after_run.threads;
    row->paused_ms = (double)os_paused_ns() / OS_NS_PER_MS;
    row->interrupted_by = os_interrupted_by();
    snprintf(row->audit, sizeof row->audit, "none: %s answers no audit", row->viewer);
}

static void take_row(struct eye *eye)
{
    enum { CANNOT = 3 };
    if (viewers_row(&eye->viewers, eye->row))
        return;
    if (eye->ended && eye->exit_code == CANNOT)
        monitor_row_skip(eye->row, "%s: it says why above", eye->how);
    else
        monitor_row_fail(eye->row, "%s",
                         eye->ended           ? eye->how
                         : *eye->failure != 0 ? eye->failure
                                              : "the viewer left no row");
}

static void describe_seen(struct eye *eye)
{
    struct monitor_row *row = eye->row;
    const struct delay_figures seen = watch_delays(&eye->watch);
    const struct delay_figures input = watch_input(&eye->watch);
    row->eye_screens = watch_read(&eye->watch);
    row->eye_stamps = seen.count;
    row->screen_ms_p50 = seen.p50_ms;
    row->screen_ms_p95 = seen.p95_ms;
    row->screen_ms_p99 = seen.p99_ms;
    row->screen_ms_max = seen.max_ms;
    row->worst_screen_p95_ms = seen.worst_p95_ms;
    row->keys_sent = eye->watch.keys_sent;
    row->keys_seen = eye->watch.keys_seen;
    row->input_ms_p50 = input.p50_ms;
    row->input_ms_p95 = input.p95_ms;
}

/* An interrupt while things start ends them in many ways, none of which is the cause. */
static bool was_interrupted(struct eye *eye)
{
    if (!os_interrupted() || eye->counting_ns != 0)
        return false;
    eye->row->interrupted_by = os_interrupted_by();
    monitor_row_fail(eye->row, "interrupted by %s before all windows were there",
                     os_interrupted_by());
    return true;
}

/* What the viewer found wrong itself comes first: it is nearer to the cause. */
static void judge(struct eye *eye)
{
    struct monitor_row *row = eye->row;
    if (was_interrupted(eye))
        return;
    if (*eye->failure != '\0')
        monitor_row_fail(row, "%s", eye->failure);
    if (row->eye_screens < eye->options->screens)
        monitor_row_fail(row, "the eye read stamps in %llu windows of %llu",
                         (unsigned long long)row->eye_screens,
                         (unsigned long long)eye->options->screens);
    if (row->keys_seen < row->keys_sent)
        monitor_row_fail(row, "%llu of %llu keys had no effect that the eye saw",
                         (unsigned long long)(row->keys_sent - row->keys_seen),
                         (unsigned long long)row->keys_sent);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void run_viewer(struct eye *eye)
{
    char why[WHY_BYTES] = "";
    if (viewers_start(&eye->viewers, eye->options, eye->server.name, why, sizeof why) != 0) {
        monitor_row_skip(eye->row, "%s", why);
        return;
    }
    look(eye);
    if (!eye->ours)
        describe_foreign(eye);
    viewers_stop(&eye->viewers, eye->ours ? STOP_GRACE_MS : LAST_KEY_MS);
    if (eye->ours)
        take_row(eye);
    describe_seen(eye);
    if (eye->row->status != ROW_SKIPPED)
        judge(eye);
}

/* The display's size: so many cells in a square that all windows have one. */
static int open_server(struct eye *eye, char *why, size_t why_bytes)
{
    const unsigned screens = (unsigned)eye->options->screens;
    unsigned columns = (unsigned)ceil(sqrt(screens));
    const unsigned width = columns * CELL_WIDTH;
    const unsigned height = (screens + columns - 1) / columns * CELL_HEIGHT;
    eye->watch.columns = columns;
    if (width > SCREEN_SIDE_MAX || height > SCREEN_SIDE_MAX)
        return why_write(why, why_bytes, "--screens %u: no X server has room for so many windows",
                         screens);
    return x_server_open(&eye->server, eye->options->display, width, height, why, why_bytes);
}

static void run(struct eye *eye)
{
    char why[WHY_BYTES] = "";
    struct monitor_row *row = eye->row;
    if (open_server(eye, why, sizeof why) != 0 ||
        floor_measure(&eye->server, &row->eye_floor_ms_p50, &row->eye_floor_ms_p95, why,
                      sizeof why) != 0 ||
        watch_open(&eye->watch, &eye->server, why, sizeof why) != 0) {
        if (!was_interrupted(eye))
            monitor_row_skip(row, "%s", why);
    } else {
        eye->watch.arrange = !eye->ours && eye->options->display == NULL;
        eye->watch.columns = (unsigned)ceil(sqrt((double)eye->options->screens));
        eye->watch.cell_width = CELL_WIDTH;
        eye->watch.cell_height = CELL_HEIGHT;
        run_viewer(eye);
        watch_close(&eye->watch);
    }
    x_server_close(&eye->server);
}

static const struct program_help help = {
    .name = "fanin-eye",
    .about =
        "Measures the delay of a viewer of screens from outside. It starts the viewer on an X "
        "server, watches the viewer's windows, and reads the stamps in them: fanin-screens paints "
        "into each picture when its change was scheduled. Without --display it starts an Xvfb and "
        "stops it at the end. One row has the viewer's own figures and what the eye saw.",
    .examples =
        "  seven mock screens in our monitor; the second command is the screens:\n"
        "  fanin-eye --screens 7 --for 10s\n"
        "  fanin-screens --count 7 --connect 127.0.0.1\n"
        "\n"
        "  the same, with 5 keys pressed a second:\n"
        "  fanin-eye --screens 7 --for 10s --control --input-rate 5 --json row.json\n"
        "\n"
        "  another viewer, of screens that listen (fanin-screens --count 2):\n"
        "  fanin-eye --viewer xtightvnc --connect 127.0.0.1:5900,127.0.0.1:5901 --for 10s\n",
    .eye = true,
};

int main(int argc, char **argv)
{
    struct monitor_options options = {.viewer = VIEWER_MONITOR};
    os_writes_fail();
    const int parsed = monitor_options_read(&help, argc, argv, &options);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    if (options.view != VIEW_WINDOWS) {
        fprintf(stderr, "fanin-eye: --view %s: the eye looks at windows; take windows\n",
                option_view_names[options.view]);
        return EXIT_WRONG_USE;
    }
    if (options.dry_run)
        return EXIT_DONE;
    if (!row_json_check(help.name, options.json))
        return EXIT_MACHINE_CANNOT;
    static struct monitor_row row;
    struct eye eye = {.options = &options, .row = &row, .ours = viewer_leaves_row(&options)};
    os_interrupts_catch();
    monitor_row_init(&row, &options);
    run(&eye);
    const int code = monitor_row_finish(&row);
    viewers_close(&eye.viewers);
    return code;
}
