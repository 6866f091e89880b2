/* Shares of a processor that cells ask for (keys cpu-share and cpu-period). Their clients run in a
 * control group with such a quota. Each share is measured before the rows, by a bare loop in that
 * group. Where there is no group, the rows run at full speed and say so. */
#ifndef FANIN_CPU_SHARE_H
#define FANIN_CPU_SHARE_H

#include "base/json.h"
#include "base/progress.h"
#include "scenarios/sweep/cpu_group.h"

enum cpu_share_status {
    CPU_SHARE_UNKNOWN,
    CPU_SHARE_OK,
    CPU_SHARE_FAILED, /* the loop got more than a tenth more or less; rows run nevertheless */
    CPU_SHARE_UNAVAILABLE,
};

struct cpu_share {
    double asked; /* of one processor: 0.06 */
    struct cpu_quota_asked quota;
    const struct cpu_group *group;
    enum cpu_share_status status;
    const char *by;     /* of the group, when it was measured; NULL: it was not */
    const char *reason; /* why it is not CPU_SHARE_OK; NULL where it is */
    double held;        /* the quota that a process in the group really has, as a share */
    double got;         /* by the bare loop; NAN: not measured, like the next two */
    double throttled_periods, throttled_ms;
};

struct cpu_shares {
    struct cpu_share **items;
    unsigned count;
    struct cpu_group group; /* of all: one client runs at a time */
};

/* cpu_share_of: the share that the cell asks for, of those in the list or a new one that is not put
 * there; NULL: full speed, or, with an error, what no machine or not this one can give. */
struct cpu_share *cpu_share_of(struct arena *arena, struct cpu_shares *shares,
                               const struct cell *cell, struct error *error);

/* cpu_shares_plan: gives every cell its share, and lists these. May be called again for cells that
 * ask for other shares now. 0, or -1 with an error. */
int cpu_shares_plan(struct arena *arena, const struct cells *cells, struct cpu_shares *shares,
                    struct error *error);

/* cpu_shares_open: makes their group; shares->group.reason: why there is none. Blocks for a moment.
 * Without effect after the first call. cpu_shares_close: removes it. `directory`: of the sweep's
 * output. */
void cpu_shares_open(struct arena *arena, struct cpu_shares *shares, const char *directory);
void cpu_shares_close(struct cpu_shares *shares);

/* cpu_shares_check: opens the group, if there are shares, and measures those that are not known;
 * blocks for a second or less each, longer where the period is long, and says what is not as asked
 * for. `later_s`: what comes behind it, for the progress line. EXIT_DONE, or interrupted
 * EXIT_MEASURED_FAILURE. */
int cpu_shares_check(struct arena *arena, struct cpu_shares *shares, const char *directory,
                     struct progress *progress, double later_s);
double cpu_shares_check_seconds(const struct cpu_shares *shares);

/* cpu_shares_fall_back: cells whose share is unavailable get full speed. */
void cpu_shares_fall_back(const struct cells *cells);

/* cpu_share_enter: gives the group the share's quota, for the client that cpu_share_command starts.
 * NULL, or why it cannot be had. cpu_share_leave: after the client has ended. All take NULL for
 * full speed. `inside_link`: the command is one to be run within a link's namespaces, or not. */
const char *cpu_share_enter(struct arena *arena, const struct cpu_share *share);
struct command cpu_share_command(struct arena *arena, const struct cpu_share *share,
                                 bool inside_link, const struct command *command);
void cpu_share_leave(const struct cpu_share *share);

/* cpu_shares_write: "cpu_shares" of the record. */
void cpu_shares_write(struct json *json, const struct cpu_shares *shares);

#endif
