/* Shares of a processor: from cells, measured, and in the record. */
#include "scenarios/sweep/cpu_share.h"

#include <math.h>
#include <string.h>

#include "base/json_read.h"
#include "base/options.h"
#include "base/os.h"
#include "scenarios/sweep/output_dir.h"

enum {
    US_PER_MS = 1000,
    CHECK_MS_MIN = 500,
    CHECK_PERIODS = 12,
    CHECK_PATIENCE_S = 30, /* beyond the loop's own time */
    LOOP_BYTES_MAX = 1 << 16,
};

static const double tolerance = 0.1;

static const char *const status_names[] = {[CPU_SHARE_UNKNOWN] = "unchecked",
                                           [CPU_SHARE_OK] = "ok",
                                           [CPU_SHARE_FAILED] = "failed",
                                           [CPU_SHARE_UNAVAILABLE] = "unavailable"};

/* ---- which shares ---- */

static int check_limits(const struct cell *cell, struct cpu_quota_asked quota, struct error *error)
{
    const struct place place = cell_place(cell, "cpu-share");
    const double percent = cell->cpu_share_asked * 100, period_ms = (double)cell->cpu_period_ms;
    const int processors = os_cpu_affinity();
    if (cell->cpu_share_asked > processors)
        return error_set(error, &place,
                         "cpu-share = %.10g%%: %d%% is all that %d processors have; use less",
                         percent, 100 * processors, processors);
    if (quota.quota_us < CPU_QUOTA_US_MIN)
        return error_set(error, &place,
                         "cpu-share = %.10g%% of cpu-period = %.0fms is %.4g ms, and the kernel "
                         "takes no quota below 1 ms: use at least %.4g%%, or a longer period (up "
                         "to %d ms)",
                         percent, period_ms, percent / 100 * period_ms, 100 / period_ms,
                         CPU_PERIOD_MS_MAX);
    return 0;
}

struct cpu_share *cpu_share_of(struct arena *arena, struct cpu_shares *shares,
                               const struct cell *cell, struct error *error)
{
    const uint64_t period_us = cell->cpu_period_ms * US_PER_MS;
    const struct cpu_quota_asked quota = {
        (uint64_t)llround(cell->cpu_share_asked * (double)period_us), period_us};
    error->text[0] = '\0';
    if (cell->cpu_share_asked == CELL_FULL_SPEED || check_limits(cell, quota, error) != 0)
        return NULL;
    for (unsigned i = 0; i < shares->count; i++) {
        struct cpu_share *share = shares->items[i];
        if (share->asked == cell->cpu_share_asked && share->quota.period_us == period_us)
            return share;
    }
    struct cpu_share *share = arena_take(arena, sizeof *share);
    *share = (struct cpu_share){.asked = cell->cpu_share_asked,
                                .quota = quota,
                                .group = &shares->group,
                                .held = (double)quota.quota_us / (double)period_us,
                                .got = NAN,
                                .throttled_periods = NAN,
                                .throttled_ms = NAN};
    return share;
}

static bool is_listed(const struct cpu_shares *shares, const struct cpu_share *share)
{
    for (unsigned i = 0; i < shares->count; i++) {
        if (shares->items[i] == share)
            return true;
    }
    return false;
}

int cpu_shares_plan(struct arena *arena, const struct cells *cells, struct cpu_shares *shares,
                    struct error *error)
{
    for (unsigned i = 0; i < cells->count; i++) {
        struct cell *cell = cells->items[i];
        cell->cpu_share = cpu_share_of(arena, shares, cell, error);
        if (cell->cpu_share == NULL && error->text[0] != '\0')
            return -1;
        if (cell->cpu_share == NULL || is_listed(shares, cell->cpu_share))
            continue;
        shares->items = arena_grow(arena, shares->items, shares->count, sizeof(struct cpu_share *));
        shares->items[shares->count++] = cell->cpu_share;
    }
    return 0;
}

/* ---- their group ---- */

void cpu_shares_open(struct arena *arena, struct cpu_shares *shares, const char *directory)
{
    if (shares->group.root == NULL)
        shares->group.root = "";
    cpu_group_open(arena, &shares->group, arena_text(arena, "%s/log/cpu-group", directory));
}

void cpu_shares_close(struct cpu_shares *shares)
{
    cpu_group_close(&shares->group);
}

const char *cpu_share_enter(struct arena *arena, const struct cpu_share *share)
{
    return share == NULL ? NULL : cpu_group_set(arena, share->group, share->quota);
}

struct command cpu_share_command(struct arena *arena, const struct cpu_share *share,
                                 bool inside_link, const struct command *command)
{
    if (share == NULL || cpu_group_is_inside(share->group) != inside_link)
        return *command;
    return cpu_group_command(arena, share->group, share->quota, command);
}

void cpu_share_leave(const struct cpu_share *share)
{
    if (share != NULL)
        cpu_group_empty(share->group);
}

/* ---- a bare loop in it ---- */

struct share_check {
    struct progress *progress;
    const struct cpu_share *share;
    uint64_t end_ns; /* of the sweep, as expected */
};

static bool tick(void *context)
{
    const struct share_check *check = context;
    struct arena arena = {0};
    const uint64_t now_ns = os_now_ns();
    progress_show(check->progress, now_ns,
                  arena_text(&arena, "measuring cpu-share %.10g%%", check->share->asked * 100), 0,
                  check->end_ns > now_ns ? check->end_ns - now_ns : 0);
    arena_free(&arena);
    return true;
}

static uint64_t loop_ms(const struct cpu_share *share)
{
    const uint64_t periods_ms = CHECK_PERIODS * share->quota.period_us / US_PER_MS;
    return periods_ms > CHECK_MS_MIN ? periods_ms : CHECK_MS_MIN;
}

static void set_unavailable(struct cpu_share *share, const char *reason)
{
    share->status = CPU_SHARE_UNAVAILABLE;
    share->reason = reason;
}

/* `loop`: what the loop says. A systemd whose users have no cpu controller makes scopes without a
 * quota. */
static void judge(struct arena *arena, struct cpu_share *share, const char *loop)
{
    double quota = NAN;
    json_find_number(loop, "cpu_quota", &quota);
    json_find_number(loop, "throttled_periods", &share->throttled_periods);
    json_find_number(loop, "throttled_ms", &share->throttled_ms);
    if (!(quota <= share->asked * (1 + tolerance))) {
        set_unavailable(share,
                        arena_text(arena, "a process in a %s has no such quota", share->group->by));
        return;
    }
    if (!json_find_number(loop, "share", &share->got)) {
        set_unavailable(share, "the bare loop left no result");
        return;
    }
    share->by = share->group->by;
    share->held = quota;
    share->status = CPU_SHARE_OK;
    if (fabs(share->got - share->asked) <= tolerance * share->asked)
        return;
    const bool never_stopped = share->got < share->asked && share->throttled_periods == 0;
    share->status = CPU_SHARE_FAILED;
    share->reason = arena_text(
        arena, "a bare loop got %.3g %% of a processor instead of %.3g %%%s", share->got * 100,
        share->asked * 100,
        never_stopped ? "; it never used its quota up: the rest of the machine is busy" : "");
}

static int check_one(struct arena *arena, struct cpu_share *share, const char *log,
                     struct share_check *check)
{
    const char *out = arena_text(arena, "%s.json", log), *err = arena_text(arena, "%s.err", log);
    const uint64_t spin_ms = loop_ms(share);
    const char *refused = cpu_share_enter(arena, share);
    if (refused != NULL) {
        set_unavailable(share, refused);
        return EXIT_DONE;
    }
    struct command loop = command_begin(arena, "fanin-sweep");
    command_add(arena, &loop, "--spin=%llums", (unsigned long long)spin_ms);
    loop = cpu_group_command(arena, share->group, share->quota, &loop);
    const struct command_result result =
        command_run(arena, &loop, out, err, CHECK_PATIENCE_S + spin_ms / US_PER_MS, tick, check);
    cpu_share_leave(share);
    if (os_interrupted() && result.exit_code == EXIT_UNKNOWN)
        return EXIT_MEASURED_FAILURE;
    size_t bytes;
    const char *object = arena_file(arena, out, LOOP_BYTES_MAX, &bytes);
    const char *words = command_last_line(arena, err);
    if (result.reason != NULL)
        set_unavailable(share, result.reason);
    else if (result.exit_code != EXIT_DONE || object == NULL || !json_is_object(object))
        set_unavailable(share, *words != '\0' ? words : command_ending(arena, result.exit_code));
    else
        judge(arena, share, object);
    remove(out);
    remove(err);
    return EXIT_DONE;
}

static void tell(struct progress *progress, const struct cpu_share *share)
{
    const double percent = share->asked * 100;
    if (share->status == CPU_SHARE_FAILED)
        progress_say(progress, "warning: cpu-share %.10g%%: %s; its rows still run", percent,
                     share->reason);
    if (share->status == CPU_SHARE_UNAVAILABLE)
        progress_say(progress, "cpu-share %.10g%% is unavailable, its rows run at full speed: %s",
                     percent, share->reason);
}

int cpu_shares_check(struct arena *arena, struct cpu_shares *shares, const char *directory,
                     struct progress *progress, double later_s)
{
    if (shares->count != 0)
        cpu_shares_open(arena, shares, directory);
    for (unsigned i = 0; i < shares->count; i++) {
        struct cpu_share *share = shares->items[i];
        const double left_s = cpu_shares_check_seconds(shares) + later_s;
        struct share_check check = {.progress = progress,
                                    .share = share,
                                    .end_ns = os_now_ns() + (uint64_t)(left_s * OS_NS_PER_S)};
        if (share->status != CPU_SHARE_UNKNOWN)
            continue;
        if (shares->group.by == NULL)
            set_unavailable(share, shares->group.reason);
        else if (check_one(arena, share, arena_text(arena, "%s/log/cpu-share", directory),
                           &check) != EXIT_DONE)
            return EXIT_MEASURED_FAILURE;
        tell(progress, share);
    }
    return EXIT_DONE;
}

double cpu_shares_check_seconds(const struct cpu_shares *shares)
{
    double seconds = 0;
    for (unsigned i = 0; i < shares->count; i++)
        if (shares->items[i]->status == CPU_SHARE_UNKNOWN)
            seconds += (double)loop_ms(shares->items[i]) / 1e3;
    return seconds;
}

void cpu_shares_fall_back(const struct cells *cells)
{
    for (unsigned i = 0; i < cells->count; i++) {
        struct cell *cell = cells->items[i];
        if (cell->cpu_share == NULL || cell->cpu_share->status != CPU_SHARE_UNAVAILABLE)
            continue;
        cell->cpu_share_reason = cell->cpu_share->reason;
        cell->cpu_share = NULL;
    }
}

/* ---- the record ---- */

void cpu_shares_write(struct json *json, const struct cpu_shares *shares)
{
    json_array_open(json, "cpu_shares");
    for (unsigned i = 0; i < shares->count; i++) {
        const struct cpu_share *share = shares->items[i];
        json_object_open(json, NULL);
        json_number(json, "asked", share->asked);
        json_number(json, "period_ms", (double)share->quota.period_us / US_PER_MS);
        json_text(json, "by", share->by);
        json_number(json, "got", share->got);
        json_number(json, "throttled_periods", share->throttled_periods);
        json_number(json, "throttled_ms", share->throttled_ms);
        json_text(json, "status", status_names[share->status]);
        json_text(json, "reason", share->reason);
        json_object_close(json);
    }
    json_array_close(json);
}
