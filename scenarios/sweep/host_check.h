/* Checks this machine for what makes results vary: quickly before each sweep, and for --check.
 * What the system does not say is unknown. */
#ifndef FANIN_HOST_CHECK_H
#define FANIN_HOST_CHECK_H

#include <stdio.h>

#include "base/json.h"
#include "scenarios/sweep/fleet.h"

enum {
    HOST_CHECK_MS = 1000,      /* --check watches the CPUs for this long */
    HOST_CHECK_QUICK_MS = 300, /* a sweep does for this long */
    FINDINGS = 14,
};

enum finding_level { LEVEL_UNKNOWN, LEVEL_CALM, LEVEL_NOISY };

struct port_range {
    uint64_t first, count;
};

/* Since boot, of all CPUs, in a unit of the system's. */
struct cpu_times {
    uint64_t total, idle, stolen;
    unsigned cpus;
};

struct host_check {
    struct arena *arena; /* for all texts */

    /* What the sweep needs of the machine. */
    const char *root;       /* prefix of /proc and /sys: "" outside of tests */
    const char *root_later; /* the same for the second reading of counters */
    uint64_t watch_ns;      /* between the two readings */
    struct port_range *ports;
    unsigned port_count;
    uint64_t servers;     /* of the largest fleet */
    uint64_t descriptors; /* of the largest program */

    /* What was found. */
    const char *time_utc;
    struct cpu_times before, after;
    unsigned cpus; /* that this process may use */
    struct {
        const char *name;
        enum finding_level level;
        const char *found;
    } findings[FINDINGS];
};

/* host_check_of: a check for what the fleets need. Without fleets: 200 servers from port 20000
 * on. */
struct host_check host_check_of(struct arena *arena, const struct fleets *fleets,
                                unsigned watch_ms);

/* host_check_run: blocks for watch_ns. 0, or -1 with an error if even the CPU times cannot be
 * read. */
int host_check_run(struct host_check *check, struct error *error);

unsigned host_check_count(const struct host_check *check, enum finding_level level);

/* host_check_names: the noisy findings' names; "" if there is none. */
const char *host_check_names(const struct host_check *check);

/* host_check_print: a table for people. */
void host_check_print(FILE *out, const struct host_check *check);

/* host_check_write: the members of an open object. */
void host_check_write(struct json *json, const struct host_check *check);

/* ---- between host_check.c and its half for the system ---- */

/* NULL, or why they cannot be read below check->root. */
const char *cpu_times_read(const struct host_check *check, struct cpu_times *times);

/* look_at_system: sets what the system says, but for busy-cpus and few-cpus. */
void look_at_system(struct host_check *check);

/* host_check_set: sets one finding. printf's format. */
void host_check_set(struct host_check *check, const char *name, bool noisy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* host_check_set_memory: from what the system has available, against what the largest fleet and its
 * client need. */
void host_check_set_memory(struct host_check *check, uint64_t left_kb, uint64_t all_kb);

double percent(uint64_t part, uint64_t all);

#endif
