/* Runs each distinct command line once with --dry-run or --help. */
#include "scenarios/sweep/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "scenarios/sweep/command.h"

#define ANSWER_NS_MAX ((uint64_t)30 * OS_NS_PER_S)

struct check {
    struct arena arena;
    char *log_path; /* what the asked program says */
    char **asked;   /* command lines */
    unsigned asked_count;
    struct error *error;
};

static struct place place_of(const struct cell *cell, const char *key)
{
    const struct pair *pair = cell_find(cell, key);

    return pair == NULL ? cell->place : pair->place;
}

static bool was_asked(struct check *check, const struct command *command)
{
    char *text = command_text(&check->arena, command);

    for (unsigned i = 0; i < check->asked_count; i++) {
        if (strcmp(check->asked[i], text) == 0)
            return true;
    }
    check->asked = arena_grow(&check->arena, check->asked, check->asked_count, sizeof(char *));
    check->asked[check->asked_count++] = text;
    return false;
}

/* What a program may answer: 0 if it takes the options, 2 with the reason if not, 3. */
static int judge(struct check *check, const struct command *command, int exit_code,
                 const struct place *place)
{
    const char *line = command_last_line(&check->arena, check->log_path);

    if (exit_code == EXIT_DONE || exit_code == EXIT_MACHINE_CANNOT)
        return 0;
    if (exit_code == EXIT_WRONG_USE && *line != '\0')
        return error_set(check->error, place, "%s", line);
    return error_set(check->error, place, "%s %s: %s, expected 0, 2 or 3: %s", command->argv[0],
                     command->argv[command->count - 1], command_ending(&check->arena, exit_code),
                     line);
}

/* Runs it to its end. 1: it ended; 0: it cannot be started; -1 with an error. */
static int run(struct check *check, const struct command *command, const struct place *place,
               int *exit_code)
{
    struct os_process process;
    int error;

    remove(check->log_path);
    error = os_process_start(&process, command->argv, check->log_path, check->log_path);
    if (error != 0) {
        error_set(check->error, place, "cannot start %s: %s", command->argv[0], strerror(-error));
        return 0;
    }
    if (os_process_wait(&process, ANSWER_NS_MAX, exit_code) == 1)
        return 1;
    os_process_stop(&process, 0);
    return error_set(check->error, place, "%s did not answer %s within %llu s", command->argv[0],
                     command->argv[command->count - 1],
                     (unsigned long long)(ANSWER_NS_MAX / OS_NS_PER_S));
}

/* The servers have no --dry-run, but --help behind their options makes them read these and end. */
static int ask(struct check *check, const struct cell *cell, bool for_fleet, struct command command)
{
    struct place place = place_of(cell, for_fleet ? "servers-program" : "client");
    int exit_code = 0;

    command_add(&check->arena, &command, for_fleet ? "--help" : "--dry-run");
    if (was_asked(check, &command))
        return 0;
    if (run(check, &command, &place, &exit_code) != 1)
        return -1;
    if (exit_code == EXIT_WRONG_USE)
        place = command_place(&check->arena, cell, for_fleet,
                              command_last_line(&check->arena, check->log_path));
    return judge(check, &command, exit_code, &place);
}

/* Where fanin-lan cannot be started, the measurement will find out, and its rows fall back. */
static int ask_link(struct check *check, const struct link *link)
{
    struct command command = link_command(&check->arena, link);
    int exit_code = 0, result;

    command_add(&check->arena, &command, "--help");
    result = run(check, &command, &link->place, &exit_code);
    if (result == 0)
        check->error->text[0] = '\0';
    return result == 1 ? judge(check, &command, exit_code, &link->place) : result;
}

static int ask_all(struct check *check, const struct cells *cells, const struct fleets *fleets,
                   const struct links *links)
{
    for (unsigned i = 0; i < links->count; i++) {
        if (ask_link(check, links->items[i]) != 0)
            return -1;
    }
    for (unsigned i = 0; i < fleets->count; i++) {
        const struct fleet *fleet = fleets->items[i];
        struct command command = command_fleet(&check->arena, fleet->cell);

        command_add(&check->arena, &command,
                    arena_text(&check->arena, "--count=%llu", (unsigned long long)fleet->count));
        command_add(&check->arena, &command,
                    arena_text(&check->arena, "--port=%llu", (unsigned long long)fleet->base));
        if (ask(check, fleet->cell, true, command) != 0)
            return -1;
    }
    for (unsigned i = 0; i < cells->count && !os_interrupted(); i++) {
        const struct cell *cell = cells->items[i];

        if (ask(check, cell, false, command_client(&check->arena, cell, "row.json")) != 0)
            return -1;
    }
    return 0;
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
