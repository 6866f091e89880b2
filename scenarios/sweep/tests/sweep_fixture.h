/* What the end-to-end tests of fanin-sweep share: a temporary directory, a client and servers that
 * are shell scripts, and helpers that run the sweep and read its output. The scripts obey --mode
 * and --fault and record their process ids, so that tests can count what a sweep leaves behind. */
#ifndef FANIN_SWEEP_FIXTURE_H
#define FANIN_SWEEP_FIXTURE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/options.h"
#include "base/os.h"
#include "base/tests/find.h"
#include "base/arena.h"
#include "base/tests/test.h"
#include "scenarios/sweep/output_dir.h"
#include "base/json_read.h"

#define PATIENCE_NS   ((uint64_t)60 * OS_NS_PER_S)
#define LOOK_AGAIN_NS ((uint64_t)5 * OS_NS_PER_MS)

struct fixture {
    struct arena arena;
    char folder[256]; /* of the test */
    const char *out;  /* of the sweep */
    const char *sweep;
    struct os_process process;
    void (*test)(struct fixture *fixture);
};

/* SWEEP_TEST(name) { ... }: a test whose body has a `fixture`. FIXTURE_TEST: the same with a set-up
 * of its own, which calls set_up. */
#define SWEEP_TEST(name) FIXTURE_TEST(name, set_up)
#define FIXTURE_TEST(name, set_up)                                                                 \
    TEST_ADDED_BY(                                                                                 \
        test_add((struct CMUnitTest){#name, run_in_fixture, set_up, tear_down, (void *)name}),     \
        name, struct fixture *fixture)
int set_up(void **state); /* *state is the test before, the fixture after */
int tear_down(void **state);
void run_in_fixture(void **state);

/* ---- files of the test's directory ---- */

const char *path_of(struct fixture *fixture, const char *name);
void write_file(struct fixture *fixture, const char *name, const char *text);
const char *read_file(struct fixture *fixture, const char *name); /* "": there is none */
bool exists(struct fixture *fixture, const char *name);

/* write_systemd: a systemd-run that is found before all others: a script's lines behind one that
 * adds its arguments to the file "scopes". */
#define NO_SYSTEMD    "echo 'no systemd runs here' >&2; exit 1"
#define PLAIN_SYSTEMD "while [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\""
void write_systemd(struct fixture *fixture, const char *script);

/* write_scenario: t.conf; `keys` begin on line 7. One repeat, unless they say otherwise. */
void write_scenario(struct fixture *fixture, const char *keys);

/* ---- running the sweep ---- */

void start(struct fixture *fixture, const char *const *words);
int finish(struct fixture *fixture); /* its exit code */

/* start_sweep: fanin-sweep FOLDER/t.conf --out=FOLDER/out, and one more argument if not NULL. */
void start_sweep(struct fixture *fixture, const char *more);
int sweep(struct fixture *fixture, const char *more);
/* run_scenario: write_scenario, then sweep into a new directory, which ends with `exit_code`. */
void run_scenario(struct fixture *fixture, const char *keys, const char *more, int exit_code);

/* A sweep of one scenario, and what it says on standard output or error. */
struct sweep_case {
    const char *keys, *more;
    int exit_code;
    const char *said;
};

/* assert_cases: runs each in a new output directory. Wrong use is one line, and starts nothing. */
void assert_cases(struct fixture *fixture, const struct sweep_case *cases, size_t count);

#define ASSERT_CASES(fixture, cases) assert_cases(fixture, cases, sizeof(cases) / sizeof *(cases))

void start_resume(struct fixture *fixture, const char *more, const char *and_more);
int resume(struct fixture *fixture, const char *more, const char *and_more);

/* interrupt: sends the signal to what was started, and waits for its end. */
int interrupt(struct fixture *fixture, int signal);

/* interrupt_scenario: runs it until so many programs have started, then sends `signal`. */
void interrupt_scenario(struct fixture *fixture, const char *keys, unsigned started, int signal);

void assert_contains(const char *said, const char *text);
void assert_said(struct fixture *fixture, const char *text);
void assert_printed(struct fixture *fixture, const char *text);

/* ---- rows ---- */

struct rows rows_of(struct fixture *fixture);
const char *text_of(struct fixture *fixture, const char *line, const char *key);
void assert_text(struct fixture *fixture, const char *line, const char *key, const char *text);
double number_of(const char *line, const char *key);

/* await_rows: returns when rows.jsonl has so many lines. */
void await_rows(struct fixture *fixture, unsigned count);

/* assert_rows: every row is there once, in the planned order. */
void assert_rows(struct fixture *fixture, unsigned count);

/* row_of: the one row of the cell. */
const char *row_of(struct fixture *fixture, const char *cell);

/* ---- processes ---- */

unsigned count_pids(struct fixture *fixture, bool alive);

/* wait_a_little: for a loop that began at `began_ns`; fails with `complaint` and what the file
 * holds once patience is over. */
void wait_a_little(struct fixture *fixture, uint64_t began_ns, const char *complaint,
                   const char *file);
void await_started(struct fixture *fixture, unsigned count);
void assert_nothing_left(struct fixture *fixture);

#endif
