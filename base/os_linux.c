/* Linux's part of os.h: clock, threads, parking, the process's own figures, memory.
 * Limits that stop calls are in limits_linux.c, other processes in process_linux.c, files and facts
 * about the computer in machine_linux.c. */
#include "base/os.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os_parts.h"

/* ---- the system's files ------------------------------------------------------------------- */

bool os_file_read(const char *path, char *text, size_t text_bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    size_t filled = 0;
    ssize_t got = descriptor;
    while (got >= 0 && filled < text_bytes - 1 &&
           (got = read(descriptor, text + filled, text_bytes - 1 - filled)) > 0)
        filled += (size_t)got;
    text[got < 0 ? 0 : filled] = '\0';
    if (descriptor >= 0)
        close(descriptor);
    return got >= 0;
}

uint64_t os_file_number(const char *path, const char *format)
{
    char text[128];
    uint64_t number;
    return os_file_read(path, text, sizeof text) && sscanf(text, format, &number) == 1 ? number
                                                                                       : UINT64_MAX;
}

/* ---- clock ------------------------------------------------------------------------------- */

static uint64_t clock_read_ns(clockid_t clock)
{
    struct timespec time;
    int failed = clock_gettime(clock, &time);
    assert(failed == 0);
    (void)failed;
    return os_timespec_ns(time);
}

uint64_t os_now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t os_wall_ns(void)
{
    return clock_read_ns(CLOCK_REALTIME);
}

uint64_t thread_cpu_ns(void)
{
    return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t suspended_ns(void)
{
    const uint64_t since_boot_ns = clock_read_ns(CLOCK_BOOTTIME), now_ns = os_now_ns();
    return since_boot_ns > now_ns ? since_boot_ns - now_ns : 0;
}

void os_sleep_ns(uint64_t duration_ns)
{
    struct timespec deadline = os_timespec(os_deadline_ns(duration_ns));
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR)
        continue;
}

/* ---- threads ----------------------------------------------------------------------------- */

void thread_name_set(pthread_t thread, const char *role)
{
    pthread_setname_np(thread, role);
}

int thread_stack_set(pthread_attr_t *attributes, size_t stack_bytes)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t least_bytes = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    if (stack_bytes < least_bytes)
        stack_bytes = least_bytes;
    return pthread_attr_setstacksize(attributes,
                                     (stack_bytes + page_bytes - 1) / page_bytes * page_bytes);
}

/* A thread that ends between the listing and the look is not counted. */
static bool thread_has_role(const char *id, const char *role)
{
    char path[64], name[ROLE_BYTES + 1];
    snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", id);
    if (!os_file_read(path, name, sizeof(name)))
        return false;
    name[strcspn(name, "\n")] = '\0';
    return strcmp(name, role) == 0;
}

int os_thread_count(const char *role)
{
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return -errno;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.' && (!role || thread_has_role(entry->d_name, role));
    closedir(tasks);
    return count;
}

int os_cpu_affinity(void)
{
    cpu_set_t allowed;
    long count = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
    if (count < 1) /* more processors than cpu_set_t has bits */
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (int)count;
}

/* ---- parking ----------------------------------------------------------------------------- */

bool word_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct timespec deadline = os_timespec(deadline_ns);
    long failed =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
                deadline_ns == UINT64_MAX ? NULL : &deadline, NULL, FUTEX_BITSET_MATCH_ANY);
    return !failed || errno != ETIMEDOUT;
}

void word_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
}

/* ---- this process ------------------------------------------------------------------------ */

enum { STATUS_BYTES_MAX = 4096 };

static uint64_t status_field_kb(const char *status, const char *field)
{
    const char *line = strstr(status, field);
    return line ? strtoull(line + strlen(field), NULL, 10) : 0;
}

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * OS_NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

uint64_t os_work_ns(void)
{
    return thread_cpu_ns();
}

uint64_t os_cpu_ns(void)
{
    return clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void os_usage_read(struct os_usage *usage)
{
    *usage = (struct os_usage){0};
    struct rusage spent;
    if (getrusage(RUSAGE_SELF, &spent) == 0) {
        usage->user_ns = timeval_ns(spent.ru_utime);
        usage->system_ns = timeval_ns(spent.ru_stime);
        usage->switches_voluntary = (uint64_t)spent.ru_nvcsw;
        usage->switches_involuntary = (uint64_t)spent.ru_nivcsw;
    }
    /* Not ru_maxrss: it survives exec, so that a small client would report its starter's peak. */
    char status[STATUS_BYTES_MAX];
    os_file_read("/proc/self/status", status, sizeof(status));
    usage->rss_bytes = status_field_kb(status, "\nVmRSS:") * 1024;
    usage->rss_peak_bytes = status_field_kb(status, "\nVmHWM:") * 1024;
}

uint64_t os_process_peak_bytes(const struct os_process *process)
{
    char path[64], status[STATUS_BYTES_MAX];
    snprintf(path, sizeof(path), "/proc/%jd/status", (intmax_t)process->handle);
    os_file_read(path, status, sizeof(status));
    return status_field_kb(status, "\nVmHWM:") * 1024;
}

uint64_t os_process_cpu_ns(const struct os_process *process)
{
    clockid_t clock;
    struct timespec time;
    if (process->handle <= 0 || clock_getcpuclockid((pid_t)process->handle, &clock) != 0 ||
        clock_gettime(clock, &time) != 0)
        return 0;
    return os_timespec_ns(time);
}

/* The kernel's table of descriptors grows by doubling, and once there are several threads each step
 * waits until all processors have let go of the old one: 10 to 20 ms, in the middle of connecting.
 * A descriptor at the end makes it grow at once, if this is done before there are threads. A table
 * that stays small only costs time. */
int os_descriptors_reserve(uint64_t count, uint64_t *limit)
{
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return -errno;
    if (descriptors.rlim_cur < count) {
        *limit = descriptors.rlim_max;
        descriptors.rlim_cur = count;
        if (count > *limit || setrlimit(RLIMIT_NOFILE, &descriptors) != 0)
            return -EMFILE;
    }
    int last =
        count > 0 && count <= INT_MAX ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)count - 1) : -1;
    if (last >= 0)
        close(last);
    return 0;
}

/* ---- memory ------------------------------------------------------------------------------ */

void *os_pages_map(size_t bytes)
{
    assert(bytes > 0);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void os_pages_clear(void *pages, size_t bytes)
{
    int failed = madvise(pages, bytes, MADV_DONTNEED);
    assert(failed == 0);
    (void)failed;
}

void os_pages_unmap(void *pages, size_t bytes)
{
    if (!pages)
        return;
    int failed = munmap(pages, bytes);
    assert(failed == 0);
    (void)failed;
}

/* ---- mirrors: a file without a name, mapped into two halves of one reserved range ---------- */

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
    const uint64_t maps = os_file_number("/proc/sys/vm/max_map_count", "%" SCNu64);
    if (maps == UINT64_MAX)
        return UINT64_MAX;
    return maps > MAPS_OTHERWISE ? (maps - MAPS_OTHERWISE) / MAPS_EACH : 0;
}

static bool map_half(uint8_t *at, size_t bytes, int file)
{
    return mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == at;
}

void *os_mirror_map(size_t bytes)
{
    assert(bytes > 0 && bytes % os_mirror_step() == 0);
    uint8_t *memory =
        mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    const int file = memfd_create("mirror", MFD_CLOEXEC);
    bool mapped = file >= 0 && ftruncate(file, (off_t)bytes) == 0 &&
                  map_half(memory, bytes, file) && map_half(memory + bytes, bytes, file);
    if (file >= 0)
        close(file); /* the maps keep it */
    if (!mapped)
        os_pages_unmap(memory, 2 * bytes);
    return mapped ? memory : NULL;
}

void os_mirror_unmap(void *memory, size_t bytes)
{
    os_pages_unmap(memory, 2 * bytes);
}
