#include "base/os.h"

/* Two that start in the same nanosecond of the same boot are two processes on one machine: the
 * monotonic clock's distance from the wall clock tells boots apart, and an address (randomised)
 * tells processes apart. */
uint64_t os_identity(void)
{
    int here;
    uint64_t mixed = os_wall_ns() ^ (os_now_ns() << 20) ^ (uint64_t)(uintptr_t)&here;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}
