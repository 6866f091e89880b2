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
#define LINK_S          8 /* that the check of a link takes, about */
#define CHECK_S_MAX     90
#define CHECK_BYTES_MAX (1 << 16)

/* ---- programs: each distinct command line once, with --dry-run or --help ---- */

struct check {
    struct arena *arena;
    const char *log_path; /* what the asked program says */
    char **asked;         /* command lines */
    unsigned asked_count;
    struct error *error;
};

static bool was_asked(struct check *check, const struct command *command)
{
    char *text = command_shell(check->arena, command);
    for (unsigned i = 0; i < check->asked_count; i++) {
        if (strcmp(check->asked[i], text) == 0)
            return true;
    }
    check->asked = arena_grow(check->arena, check->asked, check->asked_count, sizeof(char *));
    check->asked[check->asked_count++] = text;
    return false;
}

/* A program answers 0 if it takes the options, 2 with the reason if not, or 3. `cell` NULL: it is
 * fanin-lan. Where that cannot be started, the measurement finds out, and its rows fall back.
 * Servers on other computers need not be on this one.
 * EXIT_DONE, or as check_programs. */
static int ask(struct check *check, const struct cell *cell, bool for_fleet, struct command command,
               const char *option, struct place place)
{
    struct arena *arena = check->arena;
    const char *program = command.argv[0];
    command_add(arena, &command, "%s", option);
    if (was_asked(check, &command) || os_interrupted())
        return EXIT_DONE;
    struct command_result result =
        command_run(arena, &command, check->log_path, check->log_path, ANSWER_S_MAX, NULL, NULL);
    const bool elsewhere = cell == NULL || (for_fleet && cell->launcher != NULL);
    if ((result.reason != NULL && elsewhere) || result.exit_code == EXIT_DONE ||
        result.exit_code == EXIT_MACHINE_CANNOT || os_interrupted())
        return EXIT_DONE;
    const char *line = command_last_line(arena, check->log_path);
    if (result.reason != NULL) {
        error_set(check->error, &place, "%s", result.reason);
    } else if (result.exit_code == EXIT_UNKNOWN) {
        error_set(check->error, &place, "%s did not answer %s within %d s", program, option,
                  ANSWER_S_MAX);
    } else if (result.exit_code != EXIT_WRONG_USE || *line == '\0') {
        error_set(check->error, &place, "%s %s: %s, expected 0, 2 or 3: %s", program, option,
                  command_ending(arena, result.exit_code), line);
    } else {
        if (cell != NULL)
            place = command_place(arena, cell, for_fleet, line);
        error_set(check->error, &place, "%s", line);
    }
    check->error->code = -result.error;
    return error_exit_code(check->error);
}

char *check_make_log(struct arena *arena, struct error *error)
{
    static const char *const names[] = {"TMPDIR", "TEMP"};
    const char *folder = "/tmp", *from = "";
    for (unsigned i = 0; i < 2 && *from == '\0'; i++) {
        const char *value = getenv(names[i]);
        if (value == NULL || *value == '\0')
            continue;
        folder = value;
        from = arena_text(arena, "%s=", names[i]);
    }
    char *path = arena_text(arena, "%s/fanin-sweep-XXXXXX", folder);
    int descriptor = mkstemp(path);
    if (descriptor < 0) {
        error_set(error, NULL,
                  "%s%s: cannot create a temporary file there: %s; name a directory that you can "
                  "write, e.g. TMPDIR=$HOME fanin-sweep ...",
                  from, folder, strerror(errno));
        return NULL;
    }
    close(descriptor);
    return path;
}

/* The servers have no --dry-run, but --help behind their options makes them read these and end. */
int check_programs(const struct cells *cells, const struct fleets *fleets,
                   const struct links *links, struct error *error)
{
    struct arena arena = {0};
    struct check check = {
        .arena = &arena, .error = error, .log_path = check_make_log(&arena, error)};
    int result = EXIT_DONE;
    if (check.log_path == NULL) {
        arena_free(&arena);
        return EXIT_MACHINE_CANNOT;
    }
    for (unsigned i = 0; i < links->count && result == EXIT_DONE; i++) {
        const struct link *link = links->items[i];
        result = ask(&check, NULL, false, link_command(&arena, link), "--help", link->place);
    }
    for (unsigned i = 0; i < fleets->count && result == EXIT_DONE; i++) {
        const struct fleet *fleet = fleets->items[i];
        result = ask(&check, fleet->cell, true, fleet_command(&arena, fleet), "--help",
                     cell_place(fleet->cell, "servers-program"));
    }
    for (unsigned i = 0; i < cells->count && result == EXIT_DONE; i++) {
        const struct cell *cell = cells->items[i];
        result = ask(&check, cell, false, command_client(&arena, cell, "row.json"), "--dry-run",
                     cell_place(cell, "client"));
    }
    remove(check.log_path);
    arena_free(&arena);
    return result;
}

/* ---- links, one after the other, with nothing else of ours running:
 *
 *   fanin-lan OPTIONS --check --json FILE --> 0: LINK_OK
 *                                         --> 1: LINK_FAILED, rows run nevertheless
 *                                         --> 2: the sweep ends, links.conf is wrong
 *                                         --> 3, or it cannot be started: LINK_UNAVAILABLE */

struct link_check {
    struct progress *progress;
    const char *name;
    uint64_t end_ns; /* of the sweep, as expected */
};

static bool tick(void *context)
{
    const struct link_check *check = context;
    struct arena arena = {0};
    uint64_t now_ns = os_now_ns();
    progress_show(check->progress, now_ns, arena_text(&arena, "measuring link %s", check->name), 0,
                  check->end_ns > now_ns ? check->end_ns - now_ns : 0);
    arena_free(&arena);
    return true;
}

static const char *what_failed(struct arena *arena, const char *measured, const char *table_path)
{
    static const struct {
        const char *object, *key, *name;
    } parts[] = {
        {NULL, "rtt_ok", "round trip"},   {"up", "rate_ok", "rate up"},
        {"down", "rate_ok", "rate down"}, {"up", "loss_ok", "loss up"},
        {"down", "loss_ok", "loss down"},
    };
    const char *list = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *object =
            parts[i].object == NULL ? measured : json_find(measured, parts[i].object);
        const char *flag = object == NULL ? NULL : json_find(object, parts[i].key);
        if (flag == NULL || strncmp(flag, "true", 4) != 0)
            list = arena_join(arena, list, ", ", parts[i].name);
    }
    return arena_text(arena, "not as asked for: %s (see %s)", list, table_path);
}

/* From the exit code of fanin-lan --check and what it wrote to LOG.json, LOG.txt and LOG.err. */
static int judge(struct arena *arena, struct link *link, int exit_code, const char *log,
                 struct error *error)
{
    size_t bytes;
    char *object = arena_file(arena, arena_text(arena, "%s.json", log), CHECK_BYTES_MAX, &bytes);
    const char *words = command_last_line(arena, arena_text(arena, "%s.err", log));
    bool sound = link_judge(arena, link, object);
    if (sound)
        object[strcspn(object, "\n")] = '\0';
    if (*words == '\0')
        words = arena_text(arena, "fanin-lan --check: %s", command_ending(arena, exit_code));
    if (exit_code == EXIT_WRONG_USE) {
        error_set(error, &link->place, "%s", words);
        return exit_code;
    }
    link->status = LINK_FAILED;
    link->reason = words;
    switch (exit_code) {
    case EXIT_DONE:
        link->status = sound ? LINK_OK : LINK_FAILED;
        link->reason = sound ? NULL : "fanin-lan --check left no result";
        break;
    case EXIT_MEASURED_FAILURE:
        if (sound)
            link->reason = what_failed(arena, object, arena_text(arena, "%s.txt", log));
        break;
    case EXIT_UNKNOWN:
        link->reason = arena_text(arena, "fanin-lan --check did not end within %d s", CHECK_S_MAX);
        break;
    default:
        link->status = LINK_UNAVAILABLE;
    }
    return EXIT_DONE;
}

static int check_one(struct arena *arena, struct link *link, const char *log,
                     struct link_check *check, struct error *error)
{
    struct command command = link_command(arena, link);
    command_add(arena, &command, "--check");
    command_add(arena, &command, "--json=%s.json", log);
    struct command_result result =
        command_run(arena, &command, arena_text(arena, "%s.txt", log),
                    arena_text(arena, "%s.err", log), CHECK_S_MAX, tick, check);
    if (result.reason != NULL) {
        link->status = LINK_UNAVAILABLE;
        link->reason = result.reason;
        return EXIT_DONE;
    }
    if (os_interrupted() && result.exit_code == EXIT_UNKNOWN)
        return EXIT_MEASURED_FAILURE;
    return judge(arena, link, result.exit_code, log, error);
}

int links_check(struct arena *arena, const struct links *links, const char *directory,
                struct progress *progress, double later_s, struct error *error)
{
    for (unsigned i = 0; i < links->count; i++) {
        struct link *link = links->items[i];
        const char *log = arena_text(arena, "%s/log/link-%s", directory, link->name);
        const char *json_path = arena_text(arena, "%s.json", log);
        double left_s = links_check_seconds(links) + later_s;
        struct link_check check = {.progress = progress,
                                   .name = link->name,
                                   .end_ns = os_now_ns() + (uint64_t)(left_s * OS_NS_PER_S)};
        if (link->status != LINK_UNKNOWN)
            continue;
        remove(json_path);
        int result = check_one(arena, link, log, &check, error);
        remove(json_path);
        remove(arena_text(arena, "%s.err", log));
        if (result != EXIT_DONE)
            return result;
        if (link->status == LINK_FAILED)
            progress_say(progress, "warning: link %s: %s; its rows still run", link->name,
                         link->reason);
        if (link->status == LINK_UNAVAILABLE)
            progress_say(progress, "link %s is unavailable, its rows run on loopback: %s",
                         link->name, link->reason);
    }
    return EXIT_DONE;
}

double links_check_seconds(const struct links *links)
{
    double seconds = 0;
    for (unsigned i = 0; i < links->count; i++)
        seconds += links->items[i]->status == LINK_UNKNOWN ? LINK_S : 0;
    return seconds;
}
