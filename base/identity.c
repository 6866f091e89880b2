/* A number for a process that no other process has. */
#include "base/os.h"
#include "base/random.h"

/* Two that start in the same nanosecond of the same boot are two processes on one machine: the
 * monotonic clock's distance from the wall clock tells boots apart, and an address (randomised)
 * tells processes apart. */
uint64_t os_identity(void)
{
    int here;
    return random_mix(os_wall_ns() ^ (os_now_ns() << 20) ^ (uint64_t)(uintptr_t)&here);
}
