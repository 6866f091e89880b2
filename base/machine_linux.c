/* Linux's part of os.h: terminal, directories, facts about the computer. */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/os_parts.h"

bool os_is_terminal(int descriptor)
{
    return isatty(descriptor) == 1;
}

/* ---- directories ------------------------------------------------------------------------- */

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

char *path_separator(char *path)
{
    return strchr(path, '/');
}

const char *os_path_name(const char *path)
{
    assert(path);
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int os_program_directory(char *path, size_t path_bytes)
{
    assert(path && path_bytes > 0);
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

/* ---- facts about the computer ------------------------------------------------------------ */

enum { FACT_BYTES_MAX = 256, TEXT_BYTES_MAX = 16384 };

struct record {
    void (*item)(void *context, const char *name, const char *value);
    void *context;
};

/* Facts that are a file of one line. */
static const struct {
    const char *name, *path;
} fact_files[] = {
    {"host", "/proc/sys/kernel/hostname"},
    {"kernel", "/proc/sys/kernel/osrelease"},
    {"mtu_lo", "/sys/class/net/lo/mtu"},
    {"tcp_rmem", "/proc/sys/net/ipv4/tcp_rmem"},
    {"tcp_wmem", "/proc/sys/net/ipv4/tcp_wmem"},
    {"tcp_congestion_control", "/proc/sys/net/ipv4/tcp_congestion_control"},
    {"port_range", "/proc/sys/net/ipv4/ip_local_port_range"},
    {"somaxconn", "/proc/sys/net/core/somaxconn"},
    {"rmem_max", "/proc/sys/net/core/rmem_max"},
    {"wmem_max", "/proc/sys/net/core/wmem_max"},
    {"clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource"},
    {"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"},
};

/* False: the file cannot be read. A long file is cut: the facts are near its beginning. */
static bool file_read(const char *path, char *text, size_t text_bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    size_t filled = 0;
    ssize_t got = 0;
    while (filled < text_bytes - 1 &&
           (got = read(descriptor, text + filled, text_bytes - 1 - filled)) > 0)
        filled += (size_t)got;
    close(descriptor);
    text[filled] = '\0';
    return got >= 0;
}

/* Reports `value` up to a character of `end`, without surrounding blanks and
 * quotes. */
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

/* Reports what follows `field` in the text of the file at `path`. */
static void fact_find(const struct record *record, const char *name, const char *path,
                      const char *field, const char *end)
{
    char text[TEXT_BYTES_MAX];
    const char *found = file_read(path, text, sizeof(text)) ? strstr(text, field) : NULL;
    if (found)
        fact_report(record, name, found + strlen(field), end);
}

/* A hypervisor sets a CPU flag on x86; systems without that line of flags leave the
 * fact out. */
static void fact_virtual(const struct record *record)
{
    char text[TEXT_BYTES_MAX], product[FACT_BYTES_MAX];
    if (!file_read("/proc/cpuinfo", text, sizeof(text)))
        return;
    char *flags = strstr(text, "\nflags");
    if (!flags)
        return;
    flags[1 + strcspn(flags + 1, "\n")] = '\0';
    if (!strstr(flags, " hypervisor"))
        fact_report(record, "virtual", "no", "");
    else if (file_read("/sys/class/dmi/id/product_name", product, sizeof(product)))
        fact_report(record, "virtual", product, "\n");
    else
        fact_report(record, "virtual", "yes", "");
}

void os_machine_describe(void (*item)(void *context, const char *name, const char *value),
                         void *context)
{
    assert(item);
    struct record record = {item, context};
    char text[FACT_BYTES_MAX];
    for (size_t i = 0; i < sizeof(fact_files) / sizeof(fact_files[0]); i++)
        if (file_read(fact_files[i].path, text, sizeof(text)))
            fact_report(&record, fact_files[i].name, text, "\n");
    fact_find(&record, "os", "/etc/os-release", "PRETTY_NAME=", "\n");
    fact_find(&record, "cpu", "/proc/cpuinfo", "model name", "\n");
    fact_find(&record, "memory_kb", "/proc/meminfo", "MemTotal:", "k");
    snprintf(text, sizeof(text), "%d", os_cpu_count());
    fact_report(&record, "cpus", text, "");
    fact_find(&record, "load1", "/proc/loadavg", "", " ");
    fact_virtual(&record);
}
