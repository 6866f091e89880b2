/* What is checked before the first row: that each program takes its options, and that each link is
 * as asked for. */
#include "scenarios/sweep/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/options.h"
#include "scenarios/sweep/command.h"

#define ANSWER_S_MAX    30
#define CHECK_S_MAX     90
#define CHECK_BYTES_MAX (1 << 16)

/* ---- programs: each distinct command line once, with --dry-run or --help ---- */

struct check {
    struct arena arena;
    char *log_path; /* what the asked program says */
    char **asked;   /* command lines */
    unsigned asked_count;
    struct error *error;
};

static bool was_asked(struct check *check, const struct command *command)
{
    char *text = command_shell(&check->arena, command);

    for (unsigned i = 0; i < check->asked_count; i++) {
        if (strcmp(check->asked[i], text) == 0)
            return true;
    }
    check->asked = arena_grow(&check->arena, check->asked, check->asked_count, sizeof(char *));
    check->asked[check->asked_count++] = text;
    return false;
}

/* A program answers 0 if it takes the options, 2 with the reason if not, or 3. `cell` NULL: it is
 * fanin-lan. Where that cannot be started, the measurement finds out, and its rows fall back. */
static int ask(struct check *check, const struct cell *cell, bool for_fleet, struct command command,
               const char *option, struct place place)
{
    struct command_result result;
    const char *line;

    command_add(&check->arena, &command, option);
    if (was_asked(check, &command) || os_interrupted())
        return 0;
    result = command_run(&check->arena, &command, check->log_path, check->log_path, ANSWER_S_MAX,
                         NULL, NULL);
    if (result.reason != NULL)
        return cell == NULL ? 0 : error_set(check->error, &place, "%s", result.reason);
    if (result.exit_code == EXIT_DONE || result.exit_code == EXIT_MACHINE_CANNOT ||
        os_interrupted())
        return 0;
    if (result.exit_code == EXIT_UNKNOWN)
        return error_set(check->error, &place, "%s did not answer %s within %d s", command.argv[0],
                         option, ANSWER_S_MAX);
    line = command_last_line(&check->arena, check->log_path);
    if (result.exit_code != EXIT_WRONG_USE || *line == '\0')
        return error_set(check->error, &place, "%s %s: %s, expected 0, 2 or 3: %s", command.argv[0],
                         option, command_ending(&check->arena, result.exit_code), line);
    if (cell != NULL)
        place = command_place(&check->arena, cell, for_fleet, line);
    return error_set(check->error, &place, "%s", line);
}

/* The servers have no --dry-run, but --help behind their options makes them read these and end. */
static int ask_all(struct check *check, const struct cells *cells, const struct fleets *fleets,
                   const struct links *links)
{
    int result = 0;

    for (unsigned i = 0; i < links->count && result == 0; i++) {
        const struct link *link = links->items[i];

        result = ask(check, NULL, false, link_command(&check->arena, link), "--help", link->place);
    }
    for (unsigned i = 0; i < fleets->count && result == 0; i++) {
        const struct fleet *fleet = fleets->items[i];

        result = ask(check, fleet->cell, true, fleet_command(&check->arena, fleet), "--help",
                     cell_place(fleet->cell, "servers-program"));
    }
    for (unsigned i = 0; i < cells->count && result == 0; i++) {
        const struct cell *cell = cells->items[i];

        result = ask(check, cell, false, command_client(&check->arena, cell, "row.json"),
                     "--dry-run", cell_place(cell, "client"));
    }
    return result;
}

/* Nothing may lie in the output folder before the scenario is known to be good, so the answers go
 * here. */
static char *make_log(struct arena *arena)
{
    static const char *const variables[] = {"TMPDIR", "TEMP"};
    const char *folder = NULL;
    char *path;
    int descriptor;

    for (unsigned i = 0; i < 2 && folder == NULL; i++)
        folder = getenv(variables[i]);
    path = arena_text(arena, "%s/fanin-sweep-XXXXXX", folder == NULL ? "/tmp" : folder);
    descriptor = mkstemp(path);
    if (descriptor < 0)
        return NULL;
    close(descriptor);
    return path;
}

int check_programs(const struct cells *cells, const struct fleets *fleets,
                   const struct links *links, struct error *error)
{
    struct check check = {.error = error};
    int result = -1;

    check.log_path = make_log(&check.arena);
    if (check.log_path == NULL) {
        error_set(error, NULL, "cannot create a temporary file (in TMPDIR): %s", strerror(errno));
    } else {
        result = ask_all(&check, cells, fleets, links);
        remove(check.log_path);
    }
    arena_free(&check.arena);
    return result;
}

/* ---- links, one after the other, with nothing else of ours running:
 *
 *   fanin-lan OPTIONS --check --json FILE --> 0: LINK_OK
 *                                         --> 1: LINK_FAILED, rows run nevertheless
 *                                         --> 2: the sweep ends, links.conf is wrong
 *                                         --> 3, or it cannot be started: LINK_UNAVAILABLE */

struct link_check {
    struct arena *arena;
    struct link *link;
    struct progress *progress;
    const char *json_path, *table_path, *log_path;
    uint64_t began_ns;
    double left_s; /* from its begin to the sweep's end */
};

static void set_status(struct link *link, enum link_status status, const char *reason)
{
    link->status = status;
    link->reason = reason;
}

static void tick(void *context)
{
    const struct link_check *check = context;
    struct arena arena = {0};
    uint64_t now_ns = os_now_ns();
    double left_ns = check->left_s * OS_NS_PER_S - (double)(now_ns - check->began_ns);

    progress_show(check->progress, now_ns,
                  arena_text(&arena, "measuring link %s", check->link->name), 0,
                  left_ns > 0 ? (uint64_t)left_ns : 0);
    arena_free(&arena);
}

static bool says_ok(const char *object, const char *key)
{
    const char *flag = object == NULL ? NULL : json_find(object, key);

    return flag != NULL && strncmp(flag, "true", 4) == 0;
}

static const char *what_failed(const struct link_check *check)
{
    static const struct {
        const char *object, *key, *name;
    } parts[] = {
        {NULL, "rtt_ok", "round trip"},   {"up", "rate_ok", "rate up"},
        {"down", "rate_ok", "rate down"}, {"up", "loss_ok", "loss up"},
        {"down", "loss_ok", "loss down"},
    };
    const char *list = "", *measured = check->link->check;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *object =
            parts[i].object == NULL ? measured : json_find(measured, parts[i].object);

        if (!says_ok(object, parts[i].key))
            list =
                arena_text(check->arena, "%s%s%s", list, *list == '\0' ? "" : ", ", parts[i].name);
    }
    return arena_text(check->arena, "not as asked for: %s (see %s)", list, check->table_path);
}

static const char *last_words(const struct link_check *check, int exit_code)
{
    const char *line = command_last_line(check->arena, check->log_path);

    return *line != '\0' ? line
                         : arena_text(check->arena, "fanin-lan --check: %s",
                                      command_ending(check->arena, exit_code));
}

static int judge(struct link_check *check, int exit_code, struct error *error)
{
    struct link *link = check->link;
    size_t bytes;
    char *object = arena_file(check->arena, check->json_path, CHECK_BYTES_MAX, &bytes);
    bool sound = link_judge(check->arena, link, object);

    if (sound)
        object[strcspn(object, "\n")] = '\0';
    switch (exit_code) {
    case EXIT_DONE:
        set_status(link, sound ? LINK_OK : LINK_FAILED,
                   sound ? NULL : "fanin-lan --check left no result");
        return EXIT_DONE;
    case EXIT_MEASURED_FAILURE:
        set_status(link, LINK_FAILED, sound ? what_failed(check) : last_words(check, exit_code));
        return EXIT_DONE;
    case EXIT_WRONG_USE:
        error_set(error, &link->place, "%s", last_words(check, exit_code));
        return EXIT_WRONG_USE;
    case EXIT_UNKNOWN:
        set_status(
            link, LINK_FAILED,
            arena_text(check->arena, "fanin-lan --check did not end within %d s", CHECK_S_MAX));
        return EXIT_DONE;
    default:
        set_status(link, LINK_UNAVAILABLE, last_words(check, exit_code));
        return EXIT_DONE;
    }
}

static int check_one(struct link_check *check, struct error *error)
{
    struct command command = link_command(check->arena, check->link);
    struct command_result result;

    check->began_ns = os_now_ns();
    command_add(check->arena, &command, "--check");
    command_add(check->arena, &command, arena_text(check->arena, "--json=%s", check->json_path));
    result = command_run(check->arena, &command, check->table_path, check->log_path, CHECK_S_MAX,
                         tick, check);
    if (result.reason != NULL) {
        set_status(check->link, LINK_UNAVAILABLE, result.reason);
        return EXIT_DONE;
    }
    if (os_interrupted() && result.exit_code == EXIT_UNKNOWN)
        return EXIT_MEASURED_FAILURE;
    return judge(check, result.exit_code, error);
}

static void say(struct progress *progress, const struct link *link)
{
    if (link->status == LINK_FAILED)
        progress_say(progress, "warning: link %s: %s; its rows still run", link->name,
                     link->reason);
    if (link->status == LINK_UNAVAILABLE)
        progress_say(progress, "link %s is unavailable, its rows run on loopback: %s", link->name,
                     link->reason);
}

int links_check(struct arena *arena, const struct links *links, const char *directory,
                struct progress *progress, double later_s, struct error *error)
{
    for (unsigned i = 0; i < links->count; i++) {
        struct link *link = links->items[i];
        const char *log = arena_text(arena, "%s/log/link-%s", directory, link->name);
        struct link_check check = {
            .arena = arena,
            .link = link,
            .progress = progress,
            .left_s = links_check_seconds(links) + later_s,
            .json_path = arena_text(arena, "%s.json", log),
            .table_path = arena_text(arena, "%s.txt", log),
            .log_path = arena_text(arena, "%s.err", log),
        };
        int result;

        if (link->status != LINK_UNKNOWN)
            continue;
        remove(check.json_path);
        remove(check.table_path);
        result = check_one(&check, error);
        remove(check.json_path);
        remove(check.log_path);
        if (result != EXIT_DONE)
            return result;
        say(progress, link);
    }
    return EXIT_DONE;
}

double links_check_seconds(const struct links *links)
{
    double seconds = 0;

    for (unsigned i = 0; i < links->count; i++)
        seconds += links->items[i]->status == LINK_UNKNOWN ? LINK_CHECK_SECONDS : 0;
    return seconds;
}
