/* Command lines of the programs that a sweep starts. */
#ifndef FANIN_COMMAND_H
#define FANIN_COMMAND_H

#include "base/os.h"
#include "scenarios/sweep/cell.h"

struct command {
    char **argv; /* NULL-terminated */
    unsigned count;
};

/* command_begin: the words of `program`; the first is looked for beside fanin-sweep if it has no
 * slash, and left to PATH if it is not there. */
struct command command_begin(struct arena *arena, const char *program);

/* command_add: one more argument, in printf's format. */
void command_add(struct arena *arena, struct command *command, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* command_word: `word` as a shell takes it: in quotes where it needs them. */
const char *command_word(struct arena *arena, const char *word);

/* command_client: the cell's client with all its options, the port base and where its row is to
 * go. Of a fleet that runs on hosts it gets the list of servers. */
struct command command_client(struct arena *arena, const struct cell *cell, const char *row_path);

/* command_shell: one line of sh that runs the command. */
char *command_shell(struct arena *arena, const struct command *command);

/* command_place: which key of the cell a program's message is about: the one whose option it names
 * first; the section when it names none. `for_fleet`: the program is the fleet's. */
struct place command_place(struct arena *arena, const struct cell *cell, bool for_fleet,
                           const char *line);

enum { EXIT_UNKNOWN = -1, EXIT_SIGNAL_BASE = 128 /* and the signal that killed it */ };

struct command_result {
    int error;     /* why it could not be started: a negative errno value; else 0 */
    int exit_code; /* EXIT_UNKNOWN: it was stopped, or never started */
    uint64_t ran_ns;
    const char *reason; /* why it cannot be started; NULL: it was */
};

/* command_run: starts the command with its output in these files and waits for its end, at most
 * `limit_s`; calls tick(context) several times a second. Stops it when the time is up, the sweep is
 * interrupted, or tick says false. */
struct command_result command_run(struct arena *arena, const struct command *command,
                                  const char *stdout_path, const char *stderr_path,
                                  uint64_t limit_s, bool (*tick)(void *context), void *context);

/* command_unstarted: why it cannot be started, with the limit that was met. */
const char *command_unstarted(struct arena *arena, const struct command *command, int error);

/* command_last_line: the last line of a program's log that is not blank; "" if there is none. */
const char *command_last_line(struct arena *arena, const char *log_path);

/* command_ending: an exit code in words: "exit code 2", "killed by signal 11". */
const char *command_ending(struct arena *arena, int exit_code);

#endif
