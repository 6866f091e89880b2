/* What the Linux halves of noise.h share: one look at a machine. Included by noise_*_linux.c. */
#ifndef FANIN_NOISE_LOOK_H
#define FANIN_NOISE_LOOK_H

#include "scenarios/sweep/noise.h"

struct look_process {
    long pid;
    uint64_t began; /* tells it from a later one with the same number */
    uint64_t ticks; /* of CPU time so far */
    char name[64];
};

/* Counters since the machine started. */
struct look_counters {
    uint64_t total, idle, stolen; /* ticks of all CPUs */
    unsigned cpus;
    uint64_t swapped_pages;
    struct look_process *processes;
    unsigned process_count;
};

struct look {
    struct arena *arena;
    const struct noise_question *question;
    struct noise *noise;
    struct look_counters before, after;
    unsigned cpus; /* that this process may run on */
};

/* look_text: the file at `path`, which begins with /proc or /sys, without a last line end; NULL if
 * it cannot be read. */
const char *look_text(const struct look *look, const char *path);

/* look_number: the number behind `field` in `text`; false if the field is not there. */
bool look_number(const char *text, const char *field, uint64_t *number);

/* look_calm, look_noisy, look_unknown: add a finding. */
void look_calm(struct look *look, const char *name, const char *found);
void look_noisy(struct look *look, const char *name, const char *found, const char *why,
                const char *advice);
void look_unknown(struct look *look, const char *name);

/* look_share: ticks in percent of all CPUs' between the two readings. */
double look_share(const struct look *look, uint64_t before, uint64_t after);

/* One finding each, noise_cpu_linux.c: */
void look_at_busy_cpus(struct look *look);
void look_at_load(struct look *look);
void look_at_few_cpus(struct look *look);
void look_at_quota(struct look *look);
void look_at_threads_per_core(struct look *look);
void look_at_governor(struct look *look);
void look_at_turbo(struct look *look);
void look_at_heat(struct look *look);
void look_at_virtual_machine(struct look *look);
void look_at_steal(struct look *look);

/* noise_net_linux.c: */
void look_at_listeners(struct look *look);
void look_at_port_range(struct look *look);
void look_at_pacing(struct look *look);

#endif
