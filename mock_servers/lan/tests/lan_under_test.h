/* Runs the real fanin-lan and keeps its output. A test may also be one of the commands that
 * fanin-lan runs: it then is called with an argument. */
#ifndef FANIN_LAN_UNDER_TEST_H
#define FANIN_LAN_UNDER_TEST_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/tests/test.h"

enum {
    LAN_TEXT_BYTES = 16384,
    LAN_PATH_BYTES = 1024,
    LAN_SIGNALLED = 128,
    LAN_NOBODY = 65534,
};

struct lan_run {
    pid_t pid;
    int outputs[2]; /* ends of pipes that the test reads */
    char out[LAN_TEXT_BYTES], error[LAN_TEXT_BYTES];
    int exit_code; /* 128 + signal */
};

extern char lan_program[], lan_self[]; /* paths of fanin-lan and of the test */

/* lan_find: finds both, from the test's argv[0], and puts fanin's programs into PATH. */
void lan_find(const char *self);

/* What a child does before it executes fanin-lan. */
typedef void lan_preparation(void);

#define LAN_WORDS(...)    ((const char *const[]){__VA_ARGS__, NULL})
#define LAN_RUN(run, ...) lan_run_as(run, NULL, LAN_WORDS(__VA_ARGS__))

/* lan_start: starts fanin-lan with a NULL-terminated list of words. lan_await_output: blocks until
 * it has written `text` to standard output (0) or standard error (1). lan_finish: reads both to
 * their ends, which come only when no process that fanin-lan started is left. */
void lan_start(struct lan_run *run, lan_preparation *prepare, const char *const words[]);
void lan_await_output(struct lan_run *run, int which, const char *text);
void lan_finish(struct lan_run *run);
void lan_run_as(struct lan_run *run, lan_preparation *prepare, const char *const words[]);

/* lan_has: whether this machine has such a link; else run->error says why not. */
bool lan_has(struct lan_run *run, lan_preparation *prepare, const char *link);

/* lan_need: skips the test, with the reason, where this machine has no such link. */
void lan_need(lan_preparation *prepare, const char *link);
void lan_skip_if(bool condition, const char *reason);

#endif
