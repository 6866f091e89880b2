/* A bare loop, to see how much of a processor a process gets where it runs. */
#ifndef FANIN_SPIN_H
#define FANIN_SPIN_H

#include <stdint.h>

/* spin_print: computes for that long, on as many processors as the process may use, and writes one
 * JSON object to standard output: share (CPU time over wall time, of one processor), wall_ms,
 * cpu_ms; cpu_quota, throttled_periods and throttled_ms as in a row. Under a quota it measures from
 * the first to the last time that the group ran again after having been stopped, so that no part of
 * a period counts. Blocks. Returns the program's exit code. */
int spin_print(uint64_t duration_ms);

#endif
