/* Linux's part of os.h: directories, files, facts about the computer. */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/os_parts.h"

/* ---- directories ------------------------------------------------------------------------- */

const char path_separators[] = "/", path_name_starts[] = "/";

int directory_make_one(const char *path)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    int error = -errno;
    struct stat found;
    if (stat(path, &found) != 0)
        return error;
    return S_ISDIR(found.st_mode) ? 0 : -ENOTDIR;
}

int os_program_directory(char *path, size_t path_bytes)
{
    assert(path_bytes > 0);
    ssize_t bytes = readlink("/proc/self/exe", path, path_bytes);
    if (bytes < 0)
        return -errno;
    if ((size_t)bytes >= path_bytes)
        return -ENAMETOOLONG;
    path[bytes] = '\0';
    char *slash = strrchr(path, '/');
    assert(slash);
    *(slash == path ? slash + 1 : slash) = '\0';
    return 0;
}

/* ---- files ------------------------------------------------------------------------------- */

/* In a directory that may not be written, a file has to be written in place. */
static bool can_be_replaced(char *resolved)
{
    char *name = strrchr(resolved, '/') + 1, first = *name;
    *name = '\0';
    bool can = access(resolved, W_OK) == 0;
    *name = first;
    return can;
}

int os_file_target(const char *path, char *target, size_t target_bytes, bool *plain)
{
    struct statx found;
    char resolved[PATH_MAX];
    *plain = true;
    if (statx(AT_FDCWD, path, 0, STATX_TYPE | STATX_NLINK, &found) == 0) {
        if (S_ISDIR(found.stx_mode))
            return -EISDIR;
        if (access(path, W_OK) != 0)
            return -errno;
        /* A link in /proc to a pipe, or to a file that has no name any more, names no path. */
        *plain = S_ISREG(found.stx_mode) && found.stx_nlink > 0 &&
                 !(found.stx_attributes & STATX_ATTR_MOUNT_ROOT);
        if (*plain && realpath(path, resolved) != NULL) {
            path = resolved;
            *plain = can_be_replaced(resolved);
        }
    } else if (errno != ENOENT) {
        return -errno;
    } else { /* of a link to nothing the file is made where it leads */
        *plain = statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &found) != 0;
    }
    return snprintf(target, target_bytes, "%s", path) < (int)target_bytes ? 0 : -ENAMETOOLONG;
}

int os_file_settle(FILE *out, const char *target)
{
    enum { PERMISSIONS = 0777 };
    struct stat old;
    if (stat(target, &old) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (fchmod(fileno(out), old.st_mode & PERMISSIONS) != 0)
        return -errno;
    return fsync(fileno(out)) == 0 ? 0 : -errno;
}

int os_file_replace(const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : -errno;
}

/* True: the lock is of the file that has the name now, and not of one removed meanwhile. */
static bool lock_is_current(int file, const char *path)
{
    struct stat held, named;
    return fstat(file, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

int os_lock_take(struct os_lock *lock, const char *path, const char *text)
{
    for (;;) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666), error = 0;
        if (file < 0)
            return -errno;
        if (flock(file, LOCK_EX | LOCK_NB) != 0)
            error = errno == ENOLCK || errno == ENOSYS || errno == EINVAL ? ENOTSUP : errno;
        else if (!lock_is_current(file, path)) {
            close(file);
            continue;
        } else if (ftruncate(file, 0) != 0 ||
                   write(file, text, strlen(text)) != (ssize_t)strlen(text))
            error = errno;
        if (error == 0) {
            lock->handle = file;
            return 0;
        }
        close(file);
        return -error;
    }
}

void os_lock_release(struct os_lock *lock, const char *path)
{
    unlink(path); /* while it is still held */
    close((int)lock->handle);
}

/* ---- facts about the computer ------------------------------------------------------------ */

enum { FACT_BYTES_MAX = 256, TEXT_BYTES_MAX = 16384 };

struct record {
    void (*item)(void *context, const char *name, const char *value);
    void *context;
};

/* Facts that stand in a file behind `field`, up to a character of `end`. */
static const struct {
    const char *name, *path, *field, *end;
} facts[] = {
    {"host", "/proc/sys/kernel/hostname", "", "\n"},
    {"kernel", "/proc/sys/kernel/osrelease", "", "\n"},
    {"mtu_lo", "/sys/class/net/lo/mtu", "", "\n"},
    {"tcp_rmem", "/proc/sys/net/ipv4/tcp_rmem", "", "\n"},
    {"tcp_wmem", "/proc/sys/net/ipv4/tcp_wmem", "", "\n"},
    {"tcp_congestion_control", "/proc/sys/net/ipv4/tcp_congestion_control", "", "\n"},
    {"port_range", "/proc/sys/net/ipv4/ip_local_port_range", "", "\n"},
    {"somaxconn", "/proc/sys/net/core/somaxconn", "", "\n"},
    {"rmem_max", "/proc/sys/net/core/rmem_max", "", "\n"},
    {"wmem_max", "/proc/sys/net/core/wmem_max", "", "\n"},
    {"clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource", "", "\n"},
    {"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", "\n"},
    {"os", "/etc/os-release", "PRETTY_NAME=", "\n"},
    {"cpu", "/proc/cpuinfo", "model name", "\n"},
    {"memory_kb", "/proc/meminfo", "MemTotal:", "k"},
    {"load1", "/proc/loadavg", "", " "},
};

/* Reports `value` up to a character of `end`, without surrounding blanks and quotes. */
static void fact_report(const struct record *record, const char *name, const char *value,
                        const char *end)
{
    char line[FACT_BYTES_MAX];
    value += strspn(value, " \t:=\"");
    size_t bytes = strcspn(value, end);
    while (bytes > 0 && strchr(" \t\"", value[bytes - 1]))
        bytes--;
    if (bytes == 0)
        return;
    if (bytes >= sizeof(line))
        bytes = sizeof(line) - 1;
    memcpy(line, value, bytes);
    line[bytes] = '\0';
    for (char *tab = line; (tab = strchr(tab, '\t'));)
        *tab = ' ';
    record->item(record->context, name, line);
}

/* A hypervisor sets a CPU flag on x86; systems without that line of flags leave the fact out. */
static void fact_virtual(const struct record *record)
{
    char text[TEXT_BYTES_MAX], product[FACT_BYTES_MAX];
    os_file_read("/proc/cpuinfo", text, sizeof(text));
    char *flags = strstr(text, "\nflags");
    if (!flags)
        return;
    flags[1 + strcspn(flags + 1, "\n")] = '\0';
    const char *value = "no";
    if (strstr(flags, " hypervisor"))
        value = os_file_read("/sys/class/dmi/id/product_name", product, sizeof(product)) ? product
                                                                                         : "yes";
    fact_report(record, "virtual", value, "\n");
}

void os_machine_describe(void (*item)(void *context, const char *name, const char *value),
                         void *context)
{
    struct record record = {item, context};
    char text[TEXT_BYTES_MAX];
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        os_file_read(facts[i].path, text, sizeof(text));
        const char *found = strstr(text, facts[i].field);
        if (found)
            fact_report(&record, facts[i].name, found + strlen(facts[i].field), facts[i].end);
    }
    snprintf(text, sizeof(text), "%d", os_cpu_count());
    fact_report(&record, "cpus", text, "");
    struct cpu_quota quota;
    cpu_quota_read("", &quota);
    snprintf(text, sizeof text, "%.2f CPUs, %s", quota.cpus, quota.group);
    if (isfinite(quota.cpus))
        fact_report(&record, "cpu_quota", text, "");
    fact_virtual(&record);
}
