/* Windows' part of os.h: directories, files, facts about the computer.
 *
 * Under Wine the fact "os" names Wine and its version first. */
#include "base/os.h"

#include <assert.h>
#include <cpuid.h>
#include <errno.h>
#include <io.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/os_parts.h"
#include "base/winapi.h"

enum { FACT_BYTES_MAX = 256 };

/* ---- directories ------------------------------------------------------------------------- */

/* "C:name" is a name in drive C's own directory. */
const char path_separators[] = "/\\", path_name_starts[] = "/\\:";

int directory_make_one(const char *path)
{
    size_t bytes = strlen(path);
    if (CreateDirectoryA(path, NULL) || (bytes > 0 && path[bytes - 1] == ':')) /* "C:" is there */
        return 0;
    int error = winapi_error();
    DWORD found = GetFileAttributesA(path);
    if (found == INVALID_FILE_ATTRIBUTES)
        return error;
    return found & FILE_ATTRIBUTE_DIRECTORY ? 0 : -ENOTDIR;
}

int os_program_directory(char *path, size_t path_bytes)
{
    assert(path_bytes > 0);
    DWORD bytes = GetModuleFileNameA(NULL, path, (DWORD)path_bytes);
    if (bytes == 0)
        return winapi_error();
    if (bytes >= path_bytes)
        return -ENAMETOOLONG;
    char *slash = strrchr(path, '\\');
    assert(slash);
    *slash = '\0';
    return 0;
}

/* ---- files ------------------------------------------------------------------------------- */

int os_file_target(const char *path, char *target, size_t target_bytes, bool *plain)
{
    DWORD found = GetFileAttributesA(path);
    HANDLE file = INVALID_HANDLE_VALUE;
    *plain = true;
    if (found != INVALID_FILE_ATTRIBUTES)
        file =
            CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (found != INVALID_FILE_ATTRIBUTES && file == INVALID_HANDLE_VALUE)
        return winapi_error();
    if (file != INVALID_HANDLE_VALUE) {
        *plain = GetFileType(file) == FILE_TYPE_DISK && !(found & FILE_ATTRIBUTE_REPARSE_POINT);
        CloseHandle(file);
    }
    return snprintf(target, target_bytes, "%s", path) < (int)target_bytes ? 0 : -ENAMETOOLONG;
}

int os_file_settle(FILE *out, const char *target)
{
    if (GetFileAttributesA(target) == INVALID_FILE_ATTRIBUTES)
        return 0;
    HANDLE file = (HANDLE)_get_osfhandle(_fileno(out));
    return FlushFileBuffers(file) ? 0 : winapi_error();
}

int os_file_replace(const char *from, const char *to)
{
    return MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING) ? 0 : winapi_error();
}

int os_lock_take(struct os_lock *lock, const char *path, const char *text)
{
    /* Others may read it and not write it: that is the lock. */
    HANDLE file = CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_ALWAYS,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD written, bytes = (DWORD)strlen(text);
    if (file == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_SHARING_VIOLATION ? -EWOULDBLOCK : winapi_error();
    if (!SetEndOfFile(file) || !WriteFile(file, text, bytes, &written, NULL)) {
        int error = winapi_error();
        CloseHandle(file);
        return error;
    }
    lock->handle = (intptr_t)file;
    return 0;
}

void os_lock_release(struct os_lock *lock, const char *path)
{
    CloseHandle((HANDLE)lock->handle);
    DeleteFileA(path); /* fails where another process holds it already */
}

/* ---- facts about the computer ------------------------------------------------------------ */

struct record {
    void (*item)(void *context, const char *name, const char *value);
    void *context;
};

static void __attribute__((format(printf, 3, 4)))
fact_say(const struct record *record, const char *name, const char *format, ...)
{
    char value[FACT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    if (value[0] != '\0')
        record->item(record->context, name, value);
}

/* By name, since no header has Wine's own functions and no library those of the kernel's. */
static void *function_of_ntdll(const char *name)
{
    return (void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), name);
}

const char *winapi_wine_version(void)
{
    const char *(*get_version)(void) = function_of_ntdll("wine_get_version");
    return get_version ? get_version() : NULL;
}

/* "Windows 10.0.19045", also if the program was made for another version. */
static void fact_os(const struct record *record)
{
    char windows[64] = "";
    const char *wine = winapi_wine_version();
    RTL_OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof(version)};
    LONG (*get_version)(RTL_OSVERSIONINFOW *) = function_of_ntdll("RtlGetVersion");
    if (get_version && get_version(&version) == 0)
        snprintf(windows, sizeof(windows), "Windows %lu.%lu.%lu", version.dwMajorVersion,
                 version.dwMinorVersion, version.dwBuildNumber);
    if (wine)
        fact_say(record, "os", "Wine %.100s as %s", wine, windows);
    else
        fact_say(record, "os", "%s", windows);
}

/* Under Wine: the kernel of the host. */
static void fact_kernel(const struct record *record)
{
    const char *system = "", *release = "";
    void (*get_host)(const char **, const char **) = function_of_ntdll("wine_get_host_version");
    if (!get_host)
        return;
    get_host(&system, &release);
    fact_say(record, "kernel", "%.100s %.100s", system, release);
}

/* The processor says its name in three pieces of 16 bytes. */
static void fact_cpu(const struct record *record)
{
    enum { FIRST_PIECE = 0x80000002, LAST_PIECE = 0x80000004 };
    unsigned words[12 + 1] = {0}, *word = words;
    for (unsigned piece = FIRST_PIECE; piece <= LAST_PIECE; piece++, word += 4)
        if (!__get_cpuid(piece, &word[0], &word[1], &word[2], &word[3]))
            return;
    const char *name = (const char *)words;
    fact_say(record, "cpu", "%s", name + strspn(name, " "));
}

static void fact_virtual(const struct record *record)
{
    enum { FEATURES = 1, HYPERVISOR_BIT = 31 };
    unsigned a, b, c, d;
    if (__get_cpuid(FEATURES, &a, &b, &c, &d))
        fact_say(record, "virtual", "%s", c >> HYPERVISOR_BIT & 1 ? "yes" : "no");
}

void os_machine_describe(void (*item)(void *context, const char *name, const char *value),
                         void *context)
{
    struct record record = {item, context};
    char host[FACT_BYTES_MAX];
    DWORD bytes = sizeof(host);
    MEMORYSTATUSEX memory = {.dwLength = sizeof(memory)};
    if (GetComputerNameA(host, &bytes))
        fact_say(&record, "host", "%s", host);
    fact_os(&record);
    fact_kernel(&record);
    fact_cpu(&record);
    if (GlobalMemoryStatusEx(&memory))
        fact_say(&record, "memory_kb", "%llu", memory.ullTotalPhys / 1024);
    fact_say(&record, "cpus", "%d", os_cpu_count());
    fact_virtual(&record);
}
