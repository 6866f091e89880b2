/* Runs an example of this build, as its user would, and shell commands that are its clients. */
#ifndef FANIN_TESTS_EXAMPLE_H
#define FANIN_TESTS_EXAMPLE_H

#include <stdio.h>
#include <sys/types.h>

#include "base/tests/test.h"

enum { EXAMPLE_TEXT_BYTES = 4096, LONG_WAIT_MS = 120000 };

struct example {
    pid_t process;
    unsigned port, descriptors; /* of a server: where it listens; how many it has without clients */
    FILE *output, *errors;
    char said[EXAMPLE_TEXT_BYTES], complained[EXAMPLE_TEXT_BYTES]; /* after example_end */
};

/* example_start: runs `name` with these arguments, which NULL ends. */
void example_start(struct example *example, const char *name, const char *const *arguments);

/* example_serve: runs a server on a free port of 127.0.0.1, with these arguments behind the port's,
 * and waits until it listens. */
void example_serve(struct example *example, const char *name, const char *const *arguments);

/* example_end: sends the signal (0: none) and waits. Its exit code, or less than 0: it was ended by
 * that signal. */
int example_end(struct example *example, int signal);

/* assert_ends_well: a server's descriptors become those without clients, within LONG_WAIT_MS; it
 * ends by SIGTERM with exit code 0 and without a complaint, and says that no connection is open. */
void assert_ends_well(struct example *example);

/* assert_wrong_use: run with these arguments, which NULL ends, it says one line with `reason` in it
 * and nothing else, and ends with that exit code. assert_helps: --help goes to standard output. */
void assert_wrong_use(const char *name, int exit_code, const char *reason, ...);
void assert_helps(const char *name);

/* example_descriptors: how many it has. example_memory_kb: anonymous memory that it has touched. */
unsigned example_descriptors(const struct example *example);
unsigned long example_memory_kb(const struct example *example);

/* assert_descriptors: they become that many within LONG_WAIT_MS. */
void assert_descriptors(const struct example *example, unsigned count);

/* port_listen: a listening socket of the test's own on a free port of 127.0.0.1.
 * port_free: one that nobody had a moment ago. port_await: until somebody listens there.
 * False: nobody did. */
int port_listen(unsigned *port);
unsigned port_free(void);
bool port_await(unsigned port);

/* need_program: skips the test unless the program is installed. */
void need_program(const char *program);

/* assert_shell: the command, made by printf's format, succeeds. */
void assert_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* shell_start: runs it in the background; a process to kill. `exec` in it makes the process the
 * program's own. shell_end: by SIGTERM. */
pid_t shell_start(const char *format, ...) __attribute__((format(printf, 1, 2)));
void shell_end(pid_t process);

#endif
