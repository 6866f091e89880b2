/* Runs a built program against devices in the test's own process: its exit code, its output, its
 * resource limits. A test program has one fleet and one results. */
#ifndef FANIN_TESTS_PROGRAM_H
#define FANIN_TESTS_PROGRAM_H

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/options.h"
#include "base/os.h"
#include "client/collector/tests/devices.h"
#include "client/collector/tests/results.h"

enum { ARGUMENTS_MAX = 16 };

extern struct devices devices;

/* Limits of the next programs: descriptors, address space; 0: those of the test. */
struct program_limit {
    __typeof__(RLIMIT_AS) resource;
    rlim_t most;
};
extern struct program_limit program_limits[2];

/* The path of a file that the next programs take for /etc/hosts, in a mount namespace of their own,
 * where names come from it alone; NULL: the system's. program_finish skips the test where that is
 * not allowed. */
extern const char *program_hosts;

/* What else the next programs' processes do before they become the program; false: it cannot be
 * done here, and the test is skipped. */
extern bool (*program_prepare)(void);

/* A program that is running: its standard output and error go to files. */
struct running {
    pid_t child;
    FILE *output, *errors;
};

/* devices_reset: none. devices_open: `good` devices, then `bad` ones with `fault`; they want the
 * login that devices.user and .password say, and have the clock that .clock_ahead_ns,
 * .clock_step_ns and .timeless say. devices_script: `count` that say what `script` has.
 * devices_close: a teardown, which may come twice; then no login is wanted, and the clock is right.
 */
void devices_reset(void);
void devices_open(unsigned good, unsigned bad, enum device_fault fault);
void devices_script(unsigned count, const struct device_script *script);
int devices_close(void **state);

/* program_start: with --servers for the devices. Skips the test if the program is not built.
 * program_finish: blocks until it ends, and fills in the results. */
void program_start(struct running *running, const char *name, const char *const *options);
void program_finish(struct running *running);
void program_run(const char *name, const char *const *options);

/* program_run_patiently: program_run with a short --stall-timeout and --connect-timeout, and again
 * with longer ones (and new devices) while more than `late` servers stalled or did not connect in
 * time: a busy machine makes good ones slow. */
void program_run_patiently(const char *name, const char *const *options, unsigned late);

/* await_unanswered: blocks until mute devices have read `count` requests. */
void await_unanswered(unsigned count);

#endif
