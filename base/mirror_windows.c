/* A section without a name, viewed twice in a row. Where two views fit is found by reserving the
 * range and letting go of it again: another thread may get in between, so it is tried again. */
#include <assert.h>

#include "base/os.h"
#include "base/winapi.h"

enum { TRIES = 16 };

size_t os_mirror_step(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwAllocationGranularity;
}

uint64_t os_mirrors_max(void)
{
    return UINT64_MAX;
}

static void *view_twice(HANDLE section, size_t bytes)
{
    uint8_t *at = VirtualAlloc(NULL, 2 * bytes, MEM_RESERVE, PAGE_NOACCESS);
    if (at == NULL)
        return NULL;
    VirtualFree(at, 0, MEM_RELEASE);
    if (MapViewOfFileEx(section, FILE_MAP_ALL_ACCESS, 0, 0, bytes, at) != at)
        return NULL;
    if (MapViewOfFileEx(section, FILE_MAP_ALL_ACCESS, 0, 0, bytes, at + bytes) == at + bytes)
        return at;
    UnmapViewOfFile(at);
    return NULL;
}

void *os_mirror_map(size_t bytes)
{
    void *memory = NULL;
    assert(bytes > 0 && bytes % os_mirror_step() == 0);
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE,
                                        (DWORD)((uint64_t)bytes >> 32), (DWORD)bytes, NULL);
    if (section == NULL)
        return NULL;
    for (unsigned i = 0; i < TRIES && memory == NULL; i++)
        memory = view_twice(section, bytes);
    CloseHandle(section); /* the views keep it */
    return memory;
}

void os_mirror_unmap(void *memory, size_t bytes)
{
    UnmapViewOfFile(memory);
    UnmapViewOfFile((uint8_t *)memory + bytes);
}
