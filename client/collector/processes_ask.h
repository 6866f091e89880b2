/* What processes.c and processes_ask.c share. */
#ifndef FANIN_COLLECTOR_PROCESSES_ASK_H
#define FANIN_COLLECTOR_PROCESSES_ASK_H

#include "client/collector/processes.h"

#define PROCESSES_NONE UINT32_MAX

/* processes_add: one more process; its index, or PROCESSES_NONE without memory. */
uint32_t processes_add(struct processes *fleet, const struct server_process *process);

/* processes_correct: from now on latencies are corrected by what was learnt of the clocks. */
void processes_correct(struct program *program);

/* What the processes that have answered say together. */
struct processes_sum {
    uint64_t processes, bytes, frames, cpu_ns, cpu_ns_max;
};
struct processes_sum processes_sum(const struct processes *fleet);

/* processes_ask_again: asks what was sent in all, and the time; program->audit.unanswered says
 * which processes have not answered, and why. */
void processes_ask_again(struct program *program);

#endif
