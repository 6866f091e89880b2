/* Linux's part of os.h: clock, threads, parking, the process's own figures, memory.
 * Other processes are in process_linux.c, files and facts about the computer in machine_linux.c. */
#include "base/os.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

void os_sleep_ns(uint64_t duration_ns)
{
    uint64_t now_ns = os_now_ns();
    /* A moment so far away that the sum does not fit is as good as the kernel's last one. */
    struct timespec deadline =
        os_timespec(duration_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + duration_ns);
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
static bool thread_has_role(int tasks, const char *id, const char *role)
{
    char path[32], name[ROLE_BYTES + 1] = "";
    if (snprintf(path, sizeof(path), "%.20s/comm", id) >= (int)sizeof(path))
        return false;
    int descriptor = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t bytes = read(descriptor, name, ROLE_BYTES);
    close(descriptor);
    if (bytes <= 0)
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
    for (struct dirent *entry; (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.')
            continue;
        if (!role || thread_has_role(dirfd(tasks), entry->d_name, role))
            count++;
    }
    closedir(tasks);
    return count;
}

int os_cpu_count(void)
{
    cpu_set_t allowed;
    long count = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
    if (count < 1) /* more processors than cpu_set_t has bits */
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (int)count;
}

/* ---- parking ----------------------------------------------------------------------------- */

static long futex_call(_Atomic uint32_t *word, int operation, uint32_t value,
                       const struct timespec *deadline)
{
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, deadline, NULL,
                   FUTEX_BITSET_MATCH_ANY);
}

bool word_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct timespec deadline = os_timespec(deadline_ns);
    long failed =
        futex_call(word, FUTEX_WAIT_BITSET, value, deadline_ns == UINT64_MAX ? NULL : &deadline);
    return !failed || errno != ETIMEDOUT;
}

void word_wake(_Atomic uint32_t *word)
{
    futex_call(word, FUTEX_WAKE_BITSET, 1, NULL);
}

/* ---- this process ------------------------------------------------------------------------ */

enum { STATUS_BYTES_MAX = 4096 };

static uint64_t status_field_kb(const char *status, const char *field)
{
    const char *line = strstr(status, field);
    return line ? strtoull(line + strlen(field), NULL, 10) : 0;
}

/* status_read: leaves "" where there is nothing to read. */
static void status_read(const char *path, char status[STATUS_BYTES_MAX])
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = descriptor < 0 ? 0 : read(descriptor, status, STATUS_BYTES_MAX - 1);
    if (descriptor >= 0)
        close(descriptor);
    status[bytes > 0 ? bytes : 0] = '\0';
}

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * OS_NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

void os_usage_read(struct os_usage *usage)
{
    assert(usage);
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
    status_read("/proc/self/status", status);
    usage->rss_bytes = status_field_kb(status, "\nVmRSS:") * 1024;
    usage->rss_peak_bytes = status_field_kb(status, "\nVmHWM:") * 1024;
}

uint64_t os_process_peak_bytes(const struct os_process *process)
{
    assert(process);
    char path[64], status[STATUS_BYTES_MAX];
    snprintf(path, sizeof(path), "/proc/%jd/status", (intmax_t)process->handle);
    status_read(path, status);
    return status_field_kb(status, "\nVmHWM:") * 1024;
}

uint64_t os_process_cpu_ns(const struct os_process *process)
{
    assert(process);
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
static void descriptors_make_room(uint64_t count)
{
    int last =
        count > 0 && count <= INT_MAX ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)count - 1) : -1;
    if (last >= 0)
        close(last);
}

static int descriptors_allow(uint64_t count, uint64_t *limit)
{
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return -errno;
    if (descriptors.rlim_cur >= count)
        return 0;
    *limit = descriptors.rlim_max;
    if (descriptors.rlim_max < count)
        return -EMFILE;
    descriptors.rlim_cur = count;
    return setrlimit(RLIMIT_NOFILE, &descriptors) == 0 ? 0 : -EMFILE;
}

int os_descriptors_reserve(uint64_t count, uint64_t *limit)
{
    assert(limit);
    int result = descriptors_allow(count, limit);
    if (result == 0)
        descriptors_make_room(count);
    return result;
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
