/* Windows' part of os.h: clock, threads, sleeping, the process's own figures, memory.
 * Other processes are in process_windows.c, files and facts about the computer in
 * machine_windows.c.
 *
 * Needs Windows 10 (1607) or later, because of thread descriptions. */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os_parts.h"
#include "base/winapi.h"

#include <psapi.h>
#include <tlhelp32.h>

/* mingw-w64 has them in its library since before it had them in its headers. */
WINBASEAPI HRESULT WINAPI SetThreadDescription(HANDLE thread, PCWSTR description);
WINBASEAPI HRESULT WINAPI GetThreadDescription(HANDLE thread, PWSTR *description);

/* CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, which older headers lack too. */
enum { TIMER_HIGH_RESOLUTION = 2 };

enum { EXIT_ABORTED = 128 + 6 };

/* ---- before main ------------------------------------------------------------------------- */

/* The C library ends an aborted process with code 3, which has another meaning in this suite. */
static void end_aborted(int number)
{
    _exit(EXIT_ABORTED);
}

/* Starts Winsock, makes files binary, and lets a failure end the process instead of opening a
 * window. */
__attribute__((constructor)) static void process_prepare(void)
{
    WSADATA unused;
    WSAStartup(MAKEWORD(2, 2), &unused); /* if it fails, so does every socket, and says so */
    _fmode = _O_BINARY;
    _setmode(_fileno(stdout), _O_BINARY);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    signal(SIGABRT, end_aborted);
}

/* ---- codes ------------------------------------------------------------------------------- */

/* ERROR_HANDLES_CLOSED, which older headers lack: Wine 8's code for an operation whose handle was
 * closed. */
enum { HANDLES_CLOSED = 676 };

/* A socket's event has a Winsock code if a call fails at once, and a Win32 code in a completion.
 * ERROR_UNEXP_NET_ERR is the status of an invalid connection, translated. */
static const struct {
    int error;
    DWORD codes[7]; /* ends with 0 */
} errors[] = {
    {ENOENT, {ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_INVALID_NAME, ERROR_BAD_PATHNAME}},
    {ENOTDIR, {ERROR_DIRECTORY}},
    {EACCES, {ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, WSAEACCES}},
    {EEXIST, {ERROR_ALREADY_EXISTS, ERROR_FILE_EXISTS}},
    {ENOEXEC, {ERROR_BAD_EXE_FORMAT, ERROR_EXE_MACHINE_TYPE_MISMATCH}},
    {ENAMETOOLONG, {ERROR_FILENAME_EXCED_RANGE}},
    {ENOSPC, {ERROR_DISK_FULL}},
    {ENOMEM,
     {ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, ERROR_COMMITMENT_LIMIT, ERROR_WORKING_SET_QUOTA,
      ERROR_NOT_ENOUGH_SERVER_MEMORY}},
    {ENOBUFS, {ERROR_NO_SYSTEM_RESOURCES, WSAENOBUFS}},
    {EMFILE, {ERROR_TOO_MANY_OPEN_FILES, WSAEMFILE}},
    {EAGAIN, {WSAEWOULDBLOCK}},
    {ECONNREFUSED, {WSAECONNREFUSED, ERROR_CONNECTION_REFUSED}},
    {ECONNRESET, {WSAECONNRESET, WSAENETRESET, ERROR_NETNAME_DELETED}},
    {ECONNABORTED, {WSAECONNABORTED, ERROR_CONNECTION_ABORTED, HANDLES_CLOSED}},
    {EMSGSIZE, {WSAEMSGSIZE, ERROR_MORE_DATA}},
    {ECANCELED, {WSA_OPERATION_ABORTED}},
    {ETIMEDOUT, {WSAETIMEDOUT, ERROR_SEM_TIMEOUT}},
    {ENETDOWN, {WSAENETDOWN}},
    {ENETUNREACH, {WSAENETUNREACH, ERROR_NETWORK_UNREACHABLE}},
    {EHOSTDOWN, {WSAEHOSTDOWN}},
    {EHOSTUNREACH,
     {WSAEHOSTUNREACH, ERROR_HOST_UNREACHABLE, ERROR_PROTOCOL_UNREACHABLE, ERROR_PORT_UNREACHABLE}},
    {ENOTCONN, {WSAENOTCONN, ERROR_CONNECTION_INVALID, ERROR_UNEXP_NET_ERR}},
    {EISCONN, {WSAEISCONN}},
    {ESHUTDOWN, {WSAESHUTDOWN}},
    {EADDRINUSE, {WSAEADDRINUSE, ERROR_ADDRESS_ALREADY_ASSOCIATED}},
    {EADDRNOTAVAIL, {WSAEADDRNOTAVAIL}},
    {EINVAL, {WSAEINVAL, WSAEFAULT, WSA_INVALID_PARAMETER}},
    {ENOTSOCK, {WSAENOTSOCK}},
    {EBADF, {WSA_INVALID_HANDLE}},
    {EAFNOSUPPORT, {WSAEAFNOSUPPORT}},
    {EPROTONOSUPPORT, {WSAEPROTONOSUPPORT}},
    {EOPNOTSUPP, {WSAEOPNOTSUPP, ERROR_NOT_SUPPORTED}},
};

int winapi_errno(DWORD code)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        for (const DWORD *known = errors[i].codes; *known != 0; known++)
            if (*known == code)
                return errors[i].error;
    return EIO;
}

/* ---- clock ------------------------------------------------------------------------------- */

uint64_t os_now_ns(void)
{
    LARGE_INTEGER ticks, ticks_per_s;
    QueryPerformanceFrequency(&ticks_per_s);
    QueryPerformanceCounter(&ticks);
    uint64_t count = (uint64_t)ticks.QuadPart, rate = (uint64_t)ticks_per_s.QuadPart;
    return count / rate * OS_NS_PER_S + count % rate * OS_NS_PER_S / rate;
}

uint64_t os_wall_ns(void)
{
    static const uint64_t unix_epoch_s = 11644473600; /* after Windows' own, the year 1601 */
    FILETIME time;
    GetSystemTimePreciseAsFileTime(&time);
    return winapi_filetime_ns(time) - unix_epoch_s * OS_NS_PER_S;
}

uint64_t thread_cpu_ns(void)
{
    FILETIME created, ended, system, user;
    if (!GetThreadTimes(GetCurrentThread(), &created, &ended, &system, &user))
        return 0;
    return winapi_filetime_ns(system) + winapi_filetime_ns(user);
}

/* The performance counter runs on while the machine is suspended. */
uint64_t suspended_ns(void)
{
    return 0;
}

/* Sleep() may last a scheduler's tick of 16 ms longer; a timer of this kind, since Windows 10
 * (1803), a fraction of 1 ms. */
void os_sleep_ns(uint64_t duration_ns)
{
    enum { STEP_S_MAX = 1000 };
    uint64_t now_ns = os_now_ns(), deadline_ns = os_deadline_ns(duration_ns);
    HANDLE timer =
        CreateWaitableTimerExW(NULL, NULL, TIMER_HIGH_RESOLUTION, TIMER_MODIFY_STATE | SYNCHRONIZE);
    for (; now_ns < deadline_ns; now_ns = os_now_ns()) {
        uint64_t left_ns = deadline_ns - now_ns, step_ns_max = (uint64_t)STEP_S_MAX * OS_NS_PER_S;
        uint64_t step_ns = left_ns < step_ns_max ? left_ns : step_ns_max;
        LARGE_INTEGER due = {
            .QuadPart = -(LONGLONG)((step_ns + WINAPI_FILETIME_NS - 1) / WINAPI_FILETIME_NS)};
        if (timer && SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE))
            WaitForSingleObject(timer, INFINITE);
        else
            Sleep(winapi_ms(step_ns));
    }
    if (timer)
        CloseHandle(timer);
}

/* ---- threads ----------------------------------------------------------------------------- */

void thread_name_set(pthread_t thread, const char *role)
{
    wchar_t name[ROLE_BYTES] = L"";
    for (size_t i = 0; role[i] != '\0'; i++)
        name[i] = (unsigned char)role[i];
    SetThreadDescription(pthread_gethandle(thread), name);
}

int thread_stack_set(pthread_attr_t *attributes, size_t stack_bytes)
{
    return pthread_attr_setstacksize(attributes, stack_bytes);
}

/* A thread that ends between the listing and the look is not counted. */
static bool thread_has_role(DWORD id, const char *role)
{
    HANDLE thread = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, id);
    PWSTR name = NULL;
    if (!thread)
        return false;
    bool same = SUCCEEDED(GetThreadDescription(thread, &name)) && name;
    for (size_t i = 0; same && (i == 0 || role[i - 1] != '\0'); i++)
        same = name[i] == (unsigned char)role[i];
    LocalFree(name);
    CloseHandle(thread);
    return same;
}

int os_thread_count(const char *role)
{
    HANDLE threads = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0); /* the whole system's */
    if (threads == INVALID_HANDLE_VALUE)
        return winapi_error();
    int count = 0;
    THREADENTRY32 thread = {.dwSize = sizeof(thread)};
    for (BOOL more = Thread32First(threads, &thread); more; more = Thread32Next(threads, &thread))
        if (thread.th32OwnerProcessID == GetCurrentProcessId() &&
            (!role || thread_has_role(thread.th32ThreadID, role)))
            count++;
    CloseHandle(threads);
    return count;
}

int os_cpu_affinity(void)
{
    DWORD_PTR allowed = 0, installed;
    GetProcessAffinityMask(GetCurrentProcess(), &allowed, &installed);
    int count = __builtin_popcountll(allowed);
    return count < 1 ? 1 : count;
}

/* ---- parking ----------------------------------------------------------------------------- */

bool word_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    uint64_t now_ns = deadline_ns == UINT64_MAX ? 0 : os_now_ns();
    if (now_ns >= deadline_ns)
        return false;
    uint64_t left_ns = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - now_ns;
    /* Its time-outs may come a little early. */
    return WaitOnAddress((void *)word, &value, sizeof(value), winapi_ms(left_ns)) ||
           os_now_ns() < deadline_ns;
}

void word_wake(_Atomic uint32_t *word)
{
    WakeByAddressSingle((void *)word);
}

/* ---- this process ------------------------------------------------------------------------ */

void os_usage_read(struct os_usage *usage)
{
    *usage = (struct os_usage){0};
    HANDLE self = GetCurrentProcess();
    FILETIME began, ended, system, user;
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof(memory)};
    if (GetProcessTimes(self, &began, &ended, &system, &user)) {
        usage->user_ns = winapi_filetime_ns(user);
        usage->system_ns = winapi_filetime_ns(system);
    }
    if (K32GetProcessMemoryInfo(self, &memory, sizeof(memory))) {
        usage->rss_bytes = memory.WorkingSetSize;
        usage->rss_peak_bytes = memory.PeakWorkingSetSize;
        usage->committed_peak_bytes = memory.PeakPagefileUsage;
    }
}

uint64_t os_work_ns(void)
{
    return os_now_ns();
}

uint64_t os_cpu_ns(void)
{
    struct os_usage usage;
    os_usage_read(&usage);
    return usage.user_ns + usage.system_ns;
}

/* Windows has no such limit. */
int os_descriptors_reserve(uint64_t count, uint64_t *limit)
{
    return 0;
}

/* There are no such limits short of memory itself. */
bool os_limit_met(int error, char *text, size_t text_bytes)
{
    assert(text_bytes > 0);
    text[0] = '\0';
    return false;
}

/* ---- memory ------------------------------------------------------------------------------ */

void *os_pages_map(size_t bytes)
{
    assert(bytes > 0);
    return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void os_pages_clear(void *pages, size_t bytes)
{
    BOOL given_back = VirtualFree(pages, bytes, MEM_DECOMMIT);
    void *again = VirtualAlloc(pages, bytes, MEM_COMMIT, PAGE_READWRITE);
    assert(given_back && again == pages);
    (void)given_back, (void)again;
}

/* A mapping ends as a whole, so `bytes` is not needed. */
void os_pages_unmap(void *pages, size_t bytes)
{
    if (!pages)
        return;
    BOOL freed = VirtualFree(pages, 0, MEM_RELEASE);
    assert(freed);
    (void)freed;
}

/* ---- mirrors: a section without a name, viewed twice in a row ----------------------------- */

/* Where two views fit is found by reserving the range and letting go of it again: another thread
 * may get in between, so it is tried again. */
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
