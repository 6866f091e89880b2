/* A program that collects and leaves a row: its command line made into options, servers and
 * requests, what its run notes, and where the row goes. The same for fanin-client and its peers. */
#ifndef FANIN_COLLECTOR_PROGRAM_H
#define FANIN_COLLECTOR_PROGRAM_H

#include <pthread.h>

#include "client/collector/processes.h"
#include "client/collector/measure.h"
#include "client/collector/servers.h"

/* Why a connection has ended that --for ended: no failure. Compared by its address. */
extern const char program_time_up[];

enum { PROGRAM_OPEN = -1 };

struct program {
    const struct program_text *text;
    struct collector_options options;
    struct servers servers;
    struct request_set requests;
    struct row row;

    /* What program_measure reads: */
    struct attempt *attempts;            /* one for each server */
    struct attempt_times *attempt_times; /* the same; NULL once they are measured */
    struct opening *openings;            /* the same; not touched before a server says something */
    pthread_mutex_t failed_lock;         /* over row.addresses_failed and: */
    uint64_t failed_unnamed;             /* those for which there was no room in it */
    struct processes fleet;
    double busiest_cpu_s; /* CPU time of the process in it that took the most; NAN: not known */
    char unanswered[ROW_LINE_BYTES / 2]; /* processes that did not say what they sent, and why */
    struct clocks clocks;
    atomic_flag refused;            /* row.refusal is filled in, or about to be */
    struct resources before, after; /* servers asked; last connection over */
    _Atomic uint64_t first_ns;      /* first byte; UINT64_MAX: none yet */
    uint64_t last_ns;               /* last frame processed */
    struct scheme_figures figures;
    struct audit audit;
    struct hints hints;
};

/* program_open: PROGRAM_OPEN, or the exit code to end with (--help, wrong use); then there is
 * nothing to close. Resolves the servers' names, which may block. */
int program_open(struct program *program, const struct program_text *text, int argc, char **argv);

/* program_reserve: a descriptor and an attempt for each server. False: the row is skipped and says
 * why. From here on Ctrl-C only sets a flag. */
bool program_reserve(struct program *program);

/* program_connect: connects to server `index` and notes the attempt; blocks up to --connect-timeout
 * for each of its addresses. 0 with *handle the caller's, or a negative result of an attempt. */
int program_connect(struct program *program, uint32_t index, cp_handle *handle);

/* program_measure_connects: every server was connected or has failed, which took `cpu_ns` of CPU
 * time. 0, or -1: there is no memory, and the row is skipped. */
int program_measure_connects(struct program *program, uint64_t cpu_ns);

/* program_address_failed: notes in the row that server `index` cannot be reached at its present
 * address (result < 0), and turns to its next one. False: all have failed. Any thread. */
bool program_address_failed(struct program *program, uint32_t index, int result);

/* program_interrupted: whether the run is to end before its time; the row says because of what. */
bool program_interrupted(struct program *program);

/* program_note_refusal: server `index` said `text` instead of serving a login or a request; the
 * row keeps the first. Any thread; the row is read when the threads have ended. */
void program_note_refusal(struct program *program, uint32_t index, const char *text);

/* program_look: the first bytes of server `index`, in pieces; the owner of its connection. */
void program_look(struct program *program, uint32_t index, const void *data, size_t bytes);

/* program_count: adds what the connection to server `index` has brought, the last of it at
 * `last_ns` (0: nothing came), and why it ended. `stream` may be NULL: there was none; `reason`
 * NULL: it has all. program_count_begin: before the first. */
void program_count_begin(struct program *program);
void program_count(struct program *program, uint32_t index, const struct stream *stream,
                   const char *reason, uint64_t last_ns);

/* program_has_latencies: frames carry the time that they were sent at. */
bool program_has_latencies(const struct program *program);

/* program_measure: the rest of the row, when its connects and its sums over connections are known.
 * Asks the fleet again, and may block for as long. */
void program_measure(struct program *program);

/* program_skip: this machine cannot: skips the row with the reason that is formatted, and with the
 * limit that a call has met which failed with `error`, a negative errno value (0: none did). */
void program_skip(struct program *program, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* program_refuse: says `why` on standard error, closes without a row. Returns EXIT_WRONG_USE. */
int program_refuse(struct program *program, const char *why);

/* program_close: writes the row and the summary, frees. Returns the exit code that the row asks
 * for, or EXIT_MACHINE_CANNOT if row or summary could not be written. */
int program_close(struct program *program);

#endif
