/* Builds command lines, and explains how a program ended. */
#include "scenarios/sweep/command.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/sweep/fleet.h"
#include "scenarios/sweep/output_dir.h"

enum {
    LOG_BYTES_MAX = 64 << 20,
    LIMIT_BYTES = 512,
    SIGNAL_KILL = 9 /* everywhere */,
    SIGNAL_MAX = 64
};

#define SLICE_NS      ((uint64_t)100 * OS_NS_PER_MS)
#define STOP_GRACE_NS ((uint64_t)OS_NS_PER_S)

static const char *find_program(struct arena *arena, const char *name)
{
    static const char *const suffixes[] = {"", ".exe"};
    char directory[4096];
    if (os_path_name(name) != name || os_program_directory(directory, sizeof directory) != 0)
        return name;
    for (unsigned i = 0; i < 2; i++) {
        const char *path = arena_text(arena, "%s/%s%s", directory, name, suffixes[i]);
        if (file_is_readable(path))
            return path;
    }
    return name;
}

void command_add(struct arena *arena, struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    /* The NULL at the end is counted by the array, not by `count`. */
    if (command->count == 0)
        command->argv = arena_grow(arena, command->argv, 0, sizeof(char *));
    command->argv = arena_grow(arena, command->argv, (size_t)command->count + 1, sizeof(char *));
    command->argv[command->count++] = arena_format(arena, format, arguments);
    command->argv[command->count] = NULL;
    va_end(arguments);
}

struct command command_begin(struct arena *arena, const char *program)
{
    struct command command = {0};
    while (*program != '\0') {
        size_t length = strcspn(program, " \t");
        const char *word = arena_copy(arena, program, length);
        if (length != 0)
            command_add(arena, &command, "%s",
                        command.count == 0 ? find_program(arena, word) : word);
        program += length + (program[length] != '\0');
    }
    if (command.count == 0)
        command_add(arena, &command, "%s", "");
    return command;
}

/* Where the cell's servers are: in the list written when the hosts were ready. Before that, for a
 * --dry-run, as many on as many hosts, all of them this computer. */
static const char *hosts_servers(struct arena *arena, const struct cell *cell)
{
    const struct fleet *fleet = cell->fleet;
    const uint64_t each = cell->servers / cell->host_count, rest = cell->servers % cell->host_count;
    const char *list = "";
    if (fleet->hosts != NULL)
        return arena_text(arena, "@%s", fleet->list_path);
    for (unsigned i = 0; i < cell->host_count && (each > 0 || i < rest); i++)
        list = arena_join(arena, list, ",",
                          arena_text(arena, "127.0.0.1:%llu+%llu", (unsigned long long)fleet->base,
                                     (unsigned long long)(each + (i < rest))));
    return list;
}

struct command command_client(struct arena *arena, const struct cell *cell, const char *row_path)
{
    struct command command = command_begin(arena, cell->client);
    const struct fleet *fleet = cell->fleet;
    const bool listed = fleet != NULL && cell->host_count > 0;
    for (unsigned i = 0; i < cell->pair_count; i++) {
        const struct pair *pair = &cell->pairs[i];
        if (key_passes_on(pair->key) && !(listed && strcmp(pair->key, "servers") == 0))
            command_add(arena, &command, "--%s=%s", pair->key, pair->value);
    }
    if (listed)
        command_add(arena, &command, "--servers=%s", hosts_servers(arena, cell));
    else if (fleet != NULL)
        command_add(arena, &command, "--port=%llu", (unsigned long long)fleet->base);
    if (cell->host_count > 1 && cell_find(cell, "start") == NULL)
        command_add(arena, &command, "--start=together");
    command_add(arena, &command, "--json=%s", row_path);
    return command;
}

static char *quote(struct arena *arena, const char *word)
{
    char *text = arena_text(arena, "'");
    const char *end;
    while ((end = strchr(word, '\'')) != NULL) {
        text = arena_text(arena, "%s%.*s'\\''", text, (int)(end - word), word);
        word = end + 1;
    }
    return arena_text(arena, "%s%s'", text, word);
}

const char *command_word(struct arena *arena, const char *word)
{
    bool plain = *word != '\0' && strpbrk(word, " \t\n\"'\\$&;|<>()*?[]#~`!") == NULL;
    return plain ? word : quote(arena, word);
}

char *command_shell(struct arena *arena, const struct command *command)
{
    char *text = quote(arena, command->argv[0]);
    for (unsigned i = 1; i < command->count; i++)
        text = arena_text(arena, "%s %s", text, quote(arena, command->argv[i]));
    return text;
}

/* Where `line` names the option, or NULL. A longer name that begins alike is another option. */
static const char *find_option(struct arena *arena, const char *line, const char *key)
{
    const char *option = arena_text(arena, "--%s", key);
    while ((line = strstr(line, option)) != NULL) {
        char after = line[strlen(option)];
        if (!isalnum((unsigned char)after) && after != '-')
            break;
        line += strlen(option);
    }
    return line;
}

struct place command_place(struct arena *arena, const struct cell *cell, bool for_fleet,
                           const char *line)
{
    struct place place = cell->place;
    const char *first = NULL;
    for (unsigned i = 0; i < cell->pair_count; i++) {
        const char *key = cell->pairs[i].key;
        const char *option = for_fleet ? key_fleet_option(key) : key_passes_on(key) ? key : NULL;
        const char *at = option == NULL ? NULL : find_option(arena, line, option);
        if (at != NULL && (first == NULL || at < first)) {
            first = at;
            place = cell->pairs[i].place;
        }
    }
    return place;
}

const char *command_unstarted(struct arena *arena, const struct command *command, int error)
{
    char limit[LIMIT_BYTES] = "";
    /* -ENOSPC: of the disk, for what the program would write. */
    const bool met = error != -ENOSPC && os_limit_met(error, limit, sizeof limit);
    return arena_text(arena, "cannot start %s: %s%s%s", command->argv[0], strerror(-error),
                      met ? "; " : "", limit);
}

struct command_result command_run(struct arena *arena, const struct command *command,
                                  const char *stdout_path, const char *stderr_path,
                                  uint64_t limit_s, bool (*tick)(void *context), void *context)
{
    struct command_result result = {.exit_code = EXIT_UNKNOWN};
    struct os_process process;
    remove(stdout_path);
    remove(stderr_path);
    int error = os_process_start(&process, command->argv, stdout_path, stderr_path);
    if (error != 0) {
        result.error = error;
        result.reason = command_unstarted(arena, command, error);
        return result;
    }
    /* A sweep that is stopped (Ctrl-Z) may be stopped with its client. */
    const uint64_t began_ns = os_now_ns(), began_active_ns = os_active_ns();
    while (os_process_wait(&process, SLICE_NS, &result.exit_code) == 0) {
        if (os_interrupted() || os_active_ns() - began_active_ns > limit_s * OS_NS_PER_S ||
            (tick != NULL && !tick(context))) {
            os_process_stop(&process, STOP_GRACE_NS);
            result.exit_code = EXIT_UNKNOWN;
            break;
        }
    }
    result.ran_ns = os_now_ns() - began_ns;
    return result;
}

const char *command_last_line(struct arena *arena, const char *log_path)
{
    size_t length;
    char *text = arena_file(arena, log_path, LOG_BYTES_MAX, &length);
    if (text == NULL)
        return "";
    while (length != 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        text[--length] = '\0';
    while (length != 0 && text[length - 1] != '\n')
        length--;
    return text + length;
}

const char *command_ending(struct arena *arena, int exit_code)
{
    const char *hint = exit_code == EXIT_SIGNAL_BASE + SIGNAL_KILL
                           ? ", as the kernel does when memory runs out: see dmesg"
                           : "";
    /* Above them are programs' own codes: ssh ends with 255. */
    if (exit_code > EXIT_SIGNAL_BASE && exit_code <= EXIT_SIGNAL_BASE + SIGNAL_MAX)
        return arena_text(arena, "killed by signal %d%s", exit_code - EXIT_SIGNAL_BASE, hint);
    return arena_text(arena, "exit code %d", exit_code);
}
