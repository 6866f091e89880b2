/* One row.
 *
 *   start client --> wait, in slices --> ended ------> read what it wrote --> judge --> append it
 *        |              |      `--------> time is up: stopped, ------------^        |
 *        |              `---------------> interrupted: stopped, no row              |
 *        `-> cannot start: no row                            disk is full: no row <-'
 *
 * The client's object is copied as text behind the sweep's keys, so a new key of the client needs
 * no change here. For a client without a valid row the sweep writes one: failed, and why. What the
 * machine prevented is no result, though: it leaves no row, so that --resume runs it again. */
#include "scenarios/sweep/run.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/row.h"
#include "base/options.h"
#include "scenarios/sweep/command.h"
#include "scenarios/sweep/cpu_share.h"
#include "scenarios/sweep/record.h"
#include "base/json_read.h"

#define FLEET_END_NS ((uint64_t)300 * OS_NS_PER_MS)

struct run {
    struct arena *arena;
    const struct output_dir *output;
    const struct plan_row *row;
    const char *object_path, *summary_path, *log_path;
    const char *started_utc;
    uint64_t client_ns;
    double link_cpu_s;
    int exit_code;      /* EXIT_UNKNOWN: it was stopped, or never started */
    char *object;       /* what the client wrote, NULL if it is no sound row */
    const char *reason; /* why the sweep writes the row for the client; NULL: the client did */
    const char *status; /* of the row */
    const char *host_lost, *host_lost_why; /* NULL: none was */
    void (*tick)(void *context);
    void *context;
    const char *obstacle; /* the cause in the machine that leaves no row; NULL: none */
};

/* ---- the process ---- */

static void fail(struct run *run, const char *reason)
{
    run->status = "failed";
    run->reason = reason;
}

static uint64_t link_cpu_ns(const struct cell *cell)
{
    return cell->link == NULL || !cell->link->own_process
               ? 0
               : os_process_cpu_ns(&cell->fleet->process);
}

/* A client whose servers are gone waits for nothing. */
static bool goes_on(void *context)
{
    struct run *run = context;
    run->tick(run->context);
    run->host_lost_why = fleet_lost_host(run->arena, run->row->cell->fleet, false, &run->host_lost);
    return run->host_lost_why == NULL;
}

static void run_client(struct run *run)
{
    const struct cell *cell = run->row->cell;
    run->obstacle = fleet_list_servers(run->arena, cell);
    if (run->obstacle != NULL)
        return;
    struct command command = fleet_client(run->arena, cell, run->object_path);
    const char *refused = cpu_share_enter(run->arena, cell->cpu_share);
    if (refused != NULL) {
        run->obstacle = arena_text(run->arena, "cpu-share: %s; remove the cause", refused);
        return;
    }
    uint64_t link_began_ns = link_cpu_ns(cell);
    remove(run->object_path);
    struct command_result result = command_run(run->arena, &command, run->summary_path,
                                               run->log_path, cell->timeout_s, goes_on, run);
    cpu_share_leave(cell->cpu_share);
    run->exit_code = result.exit_code;
    run->client_ns = result.ran_ns;
    run->link_cpu_s = (double)(link_cpu_ns(cell) - link_began_ns) / OS_NS_PER_S;
    if (result.reason != NULL) {
        run->obstacle = arena_text(run->arena, "%s; remove the cause", result.reason);
    } else if (result.exit_code == EXIT_UNKNOWN) {
        if (cell->link != NULL)
            fleet_stop(cell->fleet); /* a client that ignores SIGTERM ends with its link */
        fail(run, arena_text(run->arena, "stopped after %llu s (key timeout)",
                             (unsigned long long)cell->timeout_s));
    }
}

/* ---- what it left ---- */

/* A row is one line. Outside of texts, where JSON allows none, line ends are blanks. */
static void join_lines(char *object)
{
    for (; *object != '\0'; object++) {
        if (*object == '\n' || *object == '\r')
            *object = ' ';
    }
}

static const char *last_words(struct run *run)
{
    const char *line = command_last_line(run->arena, run->log_path);
    return arena_text(run->arena, "%s%s%s", command_ending(run->arena, run->exit_code),
                      *line == '\0' ? "" : ": ", line);
}

static void note_unwritable(struct run *run, const char *path, int error)
{
    run->obstacle = arena_text(run->arena, "cannot write %s: %s; make room", path, strerror(error));
}

/* A client without a row may have met a full disk, which says nothing about its cell: tries to
 * write as much as a row. */
static void note_full_disk(struct run *run)
{
    enum { TRIAL_BYTES = 16 << 10 };
    static const char zeros[TRIAL_BYTES];
    const char *path = arena_text(run->arena, "%s/trial", run->output->path);
    FILE *file = fopen(path, "wb");
    int error = file == NULL ? errno : 0;
    if (file != NULL && (fwrite(zeros, 1, sizeof zeros, file) != sizeof zeros || fflush(file) != 0))
        error = errno;
    if (file != NULL && fclose(file) != 0 && error == 0)
        error = errno;
    if (error != 0)
        note_unwritable(run, run->output->path, error);
    remove(path);
}

/* Exit code and row have to agree: a process that crashed after its row is not a result. */
static bool agrees(const struct run *run)
{
    static const char *const statuses[] = {
        [EXIT_DONE] = "ok", [EXIT_MEASURED_FAILURE] = "failed", [EXIT_MACHINE_CANNOT] = "skipped"};
    return run->exit_code >= EXIT_DONE && run->exit_code <= EXIT_MACHINE_CANNOT &&
           statuses[run->exit_code] != NULL && strcmp(run->status, statuses[run->exit_code]) == 0;
}

static void judge_object(struct run *run)
{
    size_t bytes;
    run->object = arena_file(run->arena, run->object_path, ROW_BYTES_MAX, &bytes);
    if (run->reason != NULL)
        return;
    if (run->object == NULL && run->exit_code == EXIT_MACHINE_CANNOT) {
        run->status = "skipped";
        run->reason = command_last_line(run->arena, run->log_path);
        return;
    }
    if (run->object == NULL) {
        fail(run, arena_text(run->arena, "no row: %s", last_words(run)));
        return;
    }
    /* A NUL inside: not text, so not a row. */
    if (strlen(run->object) == bytes && json_is_object(run->object))
        run->status = json_find_text(run->arena, run->object, "status");
    if (run->status == NULL)
        fail(run,
             arena_text(run->arena, "its output is not a row (a JSON object with a status): %s",
                        last_words(run)));
    else if (!agrees(run))
        fail(run, arena_text(run->arena, "its row says status %s, but it ended with %s",
                             run->status, last_words(run)));
    else
        join_lines(run->object);
}

/* The client sees its connections end before the process that had them has gone. */
static void note_dead_fleet(struct run *run)
{
    const struct cell *cell = run->row->cell;
    struct fleet *fleet = cell->fleet;
    const bool suspect = run->exit_code != EXIT_DONE && !cell->failures_expected;
    int exit_code = 0;
    if (run->host_lost_why == NULL && run->obstacle == NULL)
        run->host_lost_why = fleet_lost_host(run->arena, fleet, suspect, &run->host_lost);
    if (run->host_lost_why != NULL) {
        fail(run, run->host_lost_why);
        return;
    }
    if (fleet == NULL || !fleet_has_ended(fleet, suspect ? FLEET_END_NS : 0, &exit_code))
        return;
    const char *line = fleet_last_words(run->arena, fleet);
    fail(run,
         arena_text(run->arena, "the servers ended during the row (%s)%s%s",
                    fleet_ending(run->arena, fleet, exit_code), *line == '\0' ? "" : ": ", line));
}

/* ---- the row ---- */

/* The keys that the sweep adds, from base/row_keys.h. */
struct sweep_keys {
#define ROW_SWEEP(kind, key, unit, null, meaning) ROW_FIELD_##kind(key)
#include "base/row_keys.h"
};

static void set_link_keys(struct sweep_keys *keys, const struct run *run)
{
    const struct cell *cell = run->row->cell;
    const struct link *link = cell->link;
    keys->link = link == NULL ? CELL_LOOPBACK : link->name;
    keys->link_asked = cell->link_asked;
    keys->link_options = link == NULL ? "" : link->options;
    keys->link_reason = cell->link_reason;
    if (link == NULL)
        return;
    keys->link_rate_bits_per_s = link->rate_bits_per_s;
    keys->link_rtt_ms = link->rtt_ms;
    if (link->own_process)
        keys->link_cpu_s = run->link_cpu_s;
}

static void set_cpu_share_keys(struct sweep_keys *keys, const struct cell *cell)
{
    const struct cpu_share *share = cell->cpu_share;
    if (cell->cpu_share_asked != CELL_FULL_SPEED)
        keys->cpu_share_asked = cell->cpu_share_asked;
    keys->cpu_share_by = share == NULL ? "" : share->group->by;
    keys->cpu_share_reason = cell->cpu_share_reason == NULL ? "" : cell->cpu_share_reason;
    if (share == NULL)
        return;
    keys->cpu_share = share->held;
    keys->cpu_period_ms = (double)cell->cpu_period_ms;
}

/* On a link the process that we know is fanin-lan, not the servers', and on hosts a launcher. */
static uint64_t fleet_peak_bytes(const struct cell *cell)
{
    const struct fleet *fleet = cell->fleet;
    bool known = fleet != NULL && fleet->running && fleet->link == NULL && fleet->hosts == NULL &&
                 cell->skip_reason == NULL;
    return known ? os_process_peak_bytes(&fleet->process) : 0;
}

static void set_host_keys(struct sweep_keys *keys, const struct run *run)
{
    const struct cell *cell = run->row->cell;
    keys->launcher = cell->launcher_asked;
    keys->host_lost = run->host_lost == NULL ? "" : run->host_lost;
    if (cell->fleet != NULL && cell->fleet->hosts != NULL)
        keys->hosts = hosts_count(cell->fleet->hosts);
}

static void write_sweep_keys(struct json *json, const struct run *run, uint64_t overhead_ns)
{
    const struct cell *cell = run->row->cell;
    uint64_t peak_bytes = fleet_peak_bytes(cell);
    struct sweep_keys keys = {
#define ROW_SWEEP(kind, key, unit, null, meaning) .key = ROW_NULL_##kind,
#include "base/row_keys.h"
    };
    keys.schema = ROW_SCHEMA;
    keys.scenario = cell->scenario;
    keys.section = cell->section;
    keys.cell = cell->name;
    keys.label = cell->label;
    keys.machine = cell->machine;
    keys.calibrated = cell->calibrated;
    keys.calibration_reason = cell->calibration_reason;
    keys.client = cell->client;
    keys.repeat = run->row->repeat;
    keys.order = run->row->order;
    keys.time_utc = run->started_utc;
    keys.sweep_overhead_ms = (double)overhead_ns / OS_NS_PER_MS;
    keys.fleet = cell->fleet_options;
    if (peak_bytes > 0)
        keys.fleet_rss_kb = peak_bytes / 1024;
    set_link_keys(&keys, run);
    set_cpu_share_keys(&keys, cell);
    set_host_keys(&keys, run);
    if (run->exit_code != EXIT_UNKNOWN)
        keys.exit_code = run->exit_code;
#define ROW_SWEEP(kind, key, unit, null, meaning) row_put_##kind(json, #key, keys.key);
#include "base/row_keys.h"
}

static bool append_row(const struct run *run, uint64_t overhead_ns)
{
    FILE *rows = run->output->rows;
    struct json json;
    json_open(&json, rows);
    write_sweep_keys(&json, run, overhead_ns);
    if (run->reason != NULL) {
        json_text(&json, "status", run->status);
        json_text(&json, "reason", run->reason);
        json_text(&json, "audit",
                  run->row->cell->skip_reason == NULL ? RUN_AUDIT_NONE : "none: it was not run");
        return json_close(&json) == 0;
    }
    errno = 0;
    fprintf(rows, ",%s\n", strchr(run->object, '{') + 1);
    return fflush(rows) == 0 && !ferror(rows);
}

/* Output of a client that is not used stays beside its log, for debugging. */
static void tidy_up(const struct run *run)
{
    FILE *log = fopen(run->log_path, "rb");
    bool empty = log == NULL || fgetc(log) == EOF;
    if (log != NULL)
        fclose(log);
    if (empty)
        remove(run->log_path);
    if (run->reason != NULL)
        rename(run->object_path,
               arena_text(run->arena, "%s/log/row-%u.json", run->output->path, run->row->order));
    remove(run->object_path);
    remove(run->summary_path);
}

/* `by_client`: the client left the row, and not the sweep. */
static enum run_end end_of(const struct cell *cell, const char *status, bool by_client)
{
    if (status != NULL && strcmp(status, "ok") == 0)
        return RUN_GOOD;
    if (status != NULL && strcmp(status, "skipped") == 0)
        return RUN_SKIPPED;
    return by_client && cell->failures_expected ? RUN_GOOD : RUN_BAD;
}

enum run_end run_end_of_line(struct arena *arena, const char *line, const struct cell *cell)
{
    const char *audit = json_find_text(arena, line, "audit");
    return end_of(cell, json_find_text(arena, line, "status"),
                  audit == NULL || strcmp(audit, RUN_AUDIT_NONE) != 0);
}

struct run_result run_row(struct arena *arena, const struct output_dir *output,
                          const struct plan_row *row, uint64_t began_ns,
                          void (*tick)(void *context), void *context)
{
    struct run run = {
        .arena = arena,
        .output = output,
        .row = row,
        .object_path = arena_text(arena, "%s/client.json", output->path),
        .summary_path = arena_text(arena, "%s/client.txt", output->path),
        .log_path = arena_text(arena, "%s/log/row-%u.txt", output->path, row->order),
        .started_utc = record_time(arena, false),
        .exit_code = EXIT_UNKNOWN,
        .tick = tick,
        .context = context,
        .status = row->cell->skip_reason == NULL ? NULL : "skipped",
        .reason = row->cell->skip_reason,
    };
    if (row->cell->skip_reason == NULL) {
        assert(row->cell->fleet == NULL || row->cell->fleet->running);
        run_client(&run);
        if (os_interrupted()) {
            run.reason = NULL;
            tidy_up(&run);
            return (struct run_result){.end = RUN_INTERRUPTED};
        }
        note_dead_fleet(&run);
        judge_object(&run);
        if (run.reason != NULL && run.obstacle == NULL)
            note_full_disk(&run);
        tidy_up(&run);
    }
    if (run.obstacle == NULL && !append_row(&run, os_now_ns() - began_ns - run.client_ns))
        note_unwritable(&run, output->rows_path, errno);
    if (run.obstacle != NULL)
        return (struct run_result){.end = RUN_UNWRITTEN, .reason = run.obstacle};
    return (struct run_result){
        .end = end_of(row->cell, run.status, run.reason == NULL),
        .reason = run.reason != NULL ? run.reason : json_find_text(arena, run.object, "reason"),
        .object = run.reason != NULL ? NULL : run.object,
        .host_lost = run.host_lost_why,
    };
}
