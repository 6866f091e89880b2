#include "scenarios/check.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "scenarios/command.h"

#define ANSWER_NS_MAX ((uint64_t)30 * OS_NS_PER_S)

struct check {
    struct arena arena;
    char *log_path; /* what the asked program says */
    char **asked;   /* command lines */
    unsigned asked_count;
    struct complaint *complaint;
};

/* Where `line` names the option, or NULL. A longer name that begins alike is another option. */
static const char *find_option(struct arena *arena, const char *line, const char *key)
{
    const char *option = arena_text(arena, "--%s", key);
    const char *at = line;

    while ((at = strstr(at, option)) != NULL) {
        char after = at[strlen(option)];

        if (!isalnum((unsigned char)after) && after != '-')
            return at;
        at += strlen(option);
    }
    return NULL;
}

static const char *option_name(const char *key, bool for_fleet)
{
    if (for_fleet)
        return strncmp(key, "fleet.", 6) == 0 ? key + 6 : NULL;
    return cell_passes_on(key) ? key : NULL;
}

/* The program names the option it dislikes; the option it names first is where the reader has to look. */
static struct place find_place(struct check *check, const struct cell *cell, bool for_fleet,
                               const char *line)
{
    struct place place = cell->place;
    const char *first = NULL;

    for (unsigned i = 0; i < cell->pair_count; i++) {
        const char *name = option_name(cell->pairs[i].key, for_fleet);
        const char *at = name == NULL ? NULL : find_option(&check->arena, line, name);

        if (at != NULL && (first == NULL || at < first)) {
            first = at;
            place = cell->pairs[i].place;
        }
    }
    return place;
}

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

static int ask(struct check *check, const struct cell *cell, bool for_fleet, struct command command)
{
    struct place place;
    struct os_process process;
    const char *line;
    int exit_code = 0, error;

    command_add(&check->arena, &command, "--dry-run");
    if (was_asked(check, &command))
        return 0;
    remove(check->log_path);
    error = os_process_start(&process, command.argv, check->log_path, check->log_path);
    place = place_of(cell, for_fleet ? "servers-program" : "client");
    if (error != 0)
        return complain(check->complaint, &place, "cannot start %s: %s", command.argv[0],
                        strerror(-error));
    if (os_process_wait(&process, ANSWER_NS_MAX, &exit_code) == 0) {
        os_process_stop(&process, 0);
        return complain(check->complaint, &place, "%s did not answer --dry-run within %llu s",
                        command.argv[0], (unsigned long long)(ANSWER_NS_MAX / OS_NS_PER_S));
    }
    if (exit_code == EXIT_DONE || exit_code == EXIT_MACHINE_CANNOT)
        return 0;
    line = command_last_line(&check->arena, check->log_path);
    place = find_place(check, cell, for_fleet, line);
    if (exit_code == EXIT_WRONG_USE && *line != '\0')
        return complain(check->complaint, &place, "%s", line);
    return complain(check->complaint, &place, "%s --dry-run: %s; 0, 2 or 3 would be right: %s",
                    command.argv[0], command_ending(&check->arena, exit_code), line);
}

static int ask_all(struct check *check, const struct cells *cells, const struct fleets *fleets)
{
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

/* Nothing may lie in the output folder before the scenario is known to be good, so the answers go here. */
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
                   struct complaint *complaint)
{
    struct check check = {.complaint = complaint};
    int result = -1;

    check.log_path = make_log(&check.arena);
    if (check.log_path == NULL) {
        complain(complaint, NULL, "cannot make a temporary file (TMPDIR says where): %s",
                 strerror(errno));
    } else {
        result = ask_all(&check, cells, fleets);
        remove(check.log_path);
    }
    arena_free(&check.arena);
    return result;
}
