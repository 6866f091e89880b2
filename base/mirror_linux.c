/* A file without a name, mapped into two halves of one reserved range. */
#include <assert.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"
#include "base/os_parts.h"

enum {
    MAPS_EACH = 2,
    MAPS_OTHERWISE = 1024, /* for the program, its libraries, its threads' stacks */
};

size_t os_mirror_step(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t os_mirrors_max(void)
{
    const uint64_t maps = number_in("/proc/sys/vm/max_map_count", "%" SCNu64);
    if (maps == UINT64_MAX)
        return UINT64_MAX;
    return maps > MAPS_OTHERWISE ? (maps - MAPS_OTHERWISE) / MAPS_EACH : 0;
}

static int map_half(uint8_t *at, size_t bytes, int file)
{
    void *half = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    assert(half == MAP_FAILED || half == at);
    return half == MAP_FAILED ? -1 : 0;
}

void *os_mirror_map(size_t bytes)
{
    assert(bytes > 0 && bytes % os_mirror_step() == 0);
    const int file = memfd_create("mirror", MFD_CLOEXEC);
    if (file < 0)
        return NULL;
    uint8_t *memory = MAP_FAILED;
    if (ftruncate(file, (off_t)bytes) != 0)
        goto close_file;
    memory = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        goto close_file;
    if (map_half(memory, bytes, file) != 0 || map_half(memory + bytes, bytes, file) != 0) {
        munmap(memory, 2 * bytes);
        memory = MAP_FAILED;
    }

close_file:
    close(file); /* the maps keep it */
    return memory == MAP_FAILED ? NULL : memory;
}

void os_mirror_unmap(void *memory, size_t bytes)
{
    int failed = munmap(memory, 2 * bytes);
    assert(failed == 0);
    (void)failed;
}
