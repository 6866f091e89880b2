/* Viewers: how each is started, and what it leaves. */
#include "client/eye/viewer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rfb/protocol.h"
#include "client/eye/viewer_row.h"
#include "client/monitor/addresses.h"

/* An argv that grows. */
struct arguments {
    struct arena *arena;
    char **argv;
    size_t count;
};

struct viewer_kind {
    const char *program;
    const char *package; /* NULL: it is ours, and lies beside us */
    /* Whether it can do as it is told; else `why`. */
    bool (*able)(const struct monitor_options *options, char *why, size_t why_bytes);
    /* Of one process. `address` HOST::PORT: the screen's; NULL: it listens. */
    void (*argue)(struct arguments *arguments, const struct monitor_options *options,
                  const char *display, const char *address);
};

static void add(struct arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct arguments *arguments, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    arguments->argv =
        arena_grow(arguments->arena, arguments->argv, arguments->count, sizeof *arguments->argv);
    arguments->argv[arguments->count++] = arena_format(arguments->arena, format, values);
    va_end(values);
}

/* ---- ours ------------------------------------------------------------------------------------ */

static void add_text(struct arguments *arguments, const char *name, const char *value)
{
    if (value != NULL)
        add(arguments, "--%s=%s", name, value);
}

static void add_count(struct arguments *arguments, const char *name, uint64_t value)
{
    add(arguments, "--%s=%llu", name, (unsigned long long)value);
}

#define ADD_text(name, key)   add_text(arguments, name, options->key)
#define ADD_count(name, key)  add_count(arguments, name, options->key)
#define ADD_from1(name, key)  add_count(arguments, name, options->key)
#define ADD_number(name, key) add(arguments, "--%s=%.17g", name, options->key)
#define ADD_flag(name, key)   add(arguments, "--%s=%s", name, options->key ? "yes" : "no")
#define ADD_choice(name, key) add_text(arguments, name, option_##key##_names[options->key])

/* A row's key as an option: for_ms is --for. */
static const char *option_name(struct arguments *arguments, const char *key)
{
    const size_t bytes = strlen(key);
    const bool millis = bytes > 3 && strcmp(key + bytes - 3, "_ms") == 0;
    char *name = arena_copy(arguments->arena, key, millis ? bytes - 3 : bytes);
    for (char *at = name; (at = strchr(at, '_')) != NULL;)
        *at = '-';
    return name;
}

/* All options as they were understood here, so that ours and theirs are the same. */
static void argue_ours(struct arguments *arguments, const struct monitor_options *options,
                       const char *display, const char *address)
{
#define ROW_OPTION(kind, key, unit, null, meaning)                                                 \
    if (strcmp(#key, "viewer") != 0)                                                               \
        ADD_##kind(option_name(arguments, #key), key);
#include "client/monitor/row_keys.h"
    ADD_text("listen", listen);
    ADD_text("connect", connect);
    ADD_text("address", address);
    ADD_count("port", port);
    ADD_flag("allow-anyone", allow_anyone);
    ADD_count("pixels-max", pixels_max);
    ADD_count("handshake-timeout", handshake_timeout_ms);
    ADD_count("stall-timeout", stall_timeout_ms);
    ADD_text("password-file", password_file);
    ADD_text("tls-authority", tls_authority);
    ADD_text("journal", journal);
    ADD_number("link-rate", link_rate_bits_per_s);
    add(arguments, "--display=%s", display);
    add(arguments, "--json=-");
}

static bool able_ours(const struct monitor_options *options, char *why, size_t why_bytes)
{
    return true;
}

/* ---- others ---------------------------------------------------------------------------------- */

static bool able_foreign(const struct monitor_options *options, char *why, size_t why_bytes)
{
    if (options->security == SECURITY_NONE)
        return true;
    why_write(why, why_bytes, "--security %s: this viewer is started without; take none",
              option_security_names[options->security]);
    return false;
}

/* Of the encodings asked for, those that it knows, by the names that it has for them. */
static const char *tight_encodings(struct arena *arena, const struct monitor_options *options)
{
    const char *list = "", *at = options->encodings;
    while (*at != '\0') {
        const size_t bytes = strcspn(at, ",");
        const char *name = arena_copy(arena, at, bytes);
        if (strcmp(name, "zrle") != 0)
            list = arena_join(arena, list, " ", name);
        at += bytes + (at[bytes] == ',');
    }
    return list;
}

static bool able_xtightvnc(const struct monitor_options *options, char *why, size_t why_bytes)
{
    if (strcmp(options->encodings, "zrle") == 0) {
        why_write(why, why_bytes, "--encodings zrle: xtightvncviewer does not know it");
        return false;
    }
    if (options->topology == TOPOLOGY_ACCEPT && options->port < RFB_LISTEN_PORT) {
        why_write(why, why_bytes, "--port %llu: xtightvncviewer listens on %d and above",
                  (unsigned long long)options->port, RFB_LISTEN_PORT);
        return false;
    }
    return able_foreign(options, why, why_bytes);
}

/* One that listens starts another of itself for each screen that comes. */
static void argue_xtightvnc(struct arguments *arguments, const struct monitor_options *options,
                            const char *display, const char *address)
{
    add(arguments, "-display");
    add(arguments, "%s", display);
    add(arguments, "-encodings");
    add(arguments, "%s", tight_encodings(arguments->arena, options));
    if (options->quality == QUALITY_LOSSLESS) {
        add(arguments, "-nojpeg");
    } else {
        add(arguments, "-quality");
        add(arguments, "%llu", (unsigned long long)options->quality);
    }
    if (!options->control)
        add(arguments, "-viewonly");
    if (address == NULL)
        add(arguments, "-listen");
    if (address == NULL)
        add(arguments, "%llu", (unsigned long long)(options->port - RFB_LISTEN_PORT));
    else
        add(arguments, "%s", address);
}

static bool able_xtigervnc(const struct monitor_options *options, char *why, size_t why_bytes)
{
    if (options->topology == TOPOLOGY_ACCEPT && options->screens > 1) {
        why_write(why, why_bytes,
                  "--topology accept: xtigervncviewer takes one screen that connects to it; take "
                  "connect");
        return false;
    }
    return able_foreign(options, why, why_bytes);
}

static void argue_xtigervnc(struct arguments *arguments, const struct monitor_options *options,
                            const char *display, const char *address)
{
    const char *first = options->encodings;
    add(arguments, "-display");
    add(arguments, "%s", display);
    add(arguments, "-AutoSelect=0");
    add(arguments, "-FullColour=1");
    add(arguments, "-PreferredEncoding=%s",
        strncmp(first, "zrle", 4) == 0  ? "ZRLE"
        : strncmp(first, "raw", 3) == 0 ? "Raw"
                                        : "Tight");
    add(arguments, "-NoJPEG=%d", options->quality == QUALITY_LOSSLESS);
    if (options->quality != QUALITY_LOSSLESS)
        add(arguments, "-QualityLevel=%llu", (unsigned long long)options->quality);
    add(arguments, "-ViewOnly=%d", !options->control);
    add(arguments, "-SecurityTypes=None");
    add(arguments, "-Shared=1");
    add(arguments, "-RemoteResize=0");
    add(arguments, "-ReconnectOnError=0");
    add(arguments, "-AlertOnFatalError=0");
    if (address == NULL)
        add(arguments, "-listen");
    if (address == NULL)
        add(arguments, "%llu", (unsigned long long)options->port);
    else
        add(arguments, "%s", address);
}

/* By enum viewer. */
static const struct viewer_kind kinds[] = {
    {"fanin-monitor", NULL, able_ours, argue_ours},
    {"fanin-peer-vncclient", NULL, able_ours, argue_ours},
    {"xtightvncviewer", "xtightvncviewer", able_xtightvnc, argue_xtightvnc},
    {"xtigervncviewer", "tigervnc-viewer", able_xtigervnc, argue_xtigervnc},
};

bool viewer_leaves_row(const struct monitor_options *options)
{
    return kinds[options->viewer].package == NULL;
}

/* ---- starting -------------------------------------------------------------------------------- */

static int start_one(struct viewers *viewers, const struct monitor_options *options,
                     const char *display, const char *address, const char *out, char *why,
                     size_t why_bytes)
{
    const struct viewer_kind *kind = viewers->kind;
    struct arguments arguments = {.arena = &viewers->arena};
    char directory[1024] = ".";
    if (kind->package == NULL && os_program_directory(directory, sizeof directory) == 0)
        add(&arguments, "%s/%s", directory, kind->program);
    else
        add(&arguments, "%s", kind->program);
    kind->argue(&arguments, options, display, address);
    arguments.argv =
        arena_grow(arguments.arena, arguments.argv, arguments.count, sizeof *arguments.argv);
    arguments.argv[arguments.count] = NULL;
    struct os_process *process = &viewers->processes[viewers->count];
    const int error = os_process_start(process, arguments.argv, out, NULL);
    if (error == -ENOENT && kind->package == NULL)
        return why_write(why, why_bytes, "%s is not there", arguments.argv[0]);
    if (error == -ENOENT)
        return why_write(why, why_bytes, "%s is not installed (Debian: %s)", kind->program,
                         kind->package);
    if (error != 0)
        return why_write(why, why_bytes, "cannot start %s: %s", arguments.argv[0],
                         strerror(-error));
    viewers->count++;
    return 0;
}

/* Its row comes by a pipe, which it opens by our end's name in /proc: no file is left behind. */
static int start_ours(struct viewers *viewers, const struct monitor_options *options,
                      const char *display, char *why, size_t why_bytes)
{
    int ends[2];
    char out[32];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return why_write(why, why_bytes, "cannot make a pipe: %s", strerror(errno));
    viewers->row_from = ends[0];
    snprintf(out, sizeof out, "/proc/self/fd/%d", ends[1]);
    const int result = start_one(viewers, options, display, NULL, out, why, why_bytes);
    close(ends[1]);
    return result;
}

/* HOST::PORT: with one colon it would be a display's number. */
static const char *viewer_address(struct arena *arena, const struct net_address *address)
{
    char text[NET_TEXT_BYTES];
    char *colon = strrchr(net_address_text(address, text), ':');
    *colon = '\0';
    return arena_text(arena, "%s::%s", text, colon + 1);
}

static int start_foreign(struct viewers *viewers, const struct monitor_options *options,
                         const char *display, char *why, size_t why_bytes)
{
    struct targets targets = {NULL, 0};
    if (options->topology == TOPOLOGY_ACCEPT)
        return start_one(viewers, options, display, NULL, "/dev/null", why, why_bytes);
    int result = addresses_connect(options, &targets, why, why_bytes);
    for (unsigned i = 0; result == 0 && i < targets.count; i++)
        result =
            start_one(viewers, options, display, viewer_address(&viewers->arena, &targets.all[i]),
                      "/dev/null", why, why_bytes);
    targets_free(&targets);
    return result;
}

int viewers_start(struct viewers *viewers, const struct monitor_options *options,
                  const char *display, char *why, size_t why_bytes)
{
    *viewers = (struct viewers){.kind = &kinds[options->viewer], .row_from = -1};
    viewers->processes = arena_take(&viewers->arena, options->screens * sizeof(struct os_process));
    if (!viewers->kind->able(options, why, why_bytes))
        return -1;
    if (viewers->kind->package == NULL)
        return start_ours(viewers, options, display, why, why_bytes);
    return start_foreign(viewers, options, display, why, why_bytes);
}

/* ---- ending ---------------------------------------------------------------------------------- */

bool viewers_ended(struct viewers *viewers, char *how, size_t how_bytes, int *exit_code)
{
    enum { BY_SIGNAL = 128 };
    for (unsigned i = 0; i < viewers->count; i++) {
        struct os_process *process = &viewers->processes[i];
        if (process->handle <= 0 || os_process_wait(process, 0, exit_code) == 0)
            continue;
        const bool killed = *exit_code > BY_SIGNAL;
        snprintf(how, how_bytes, "%s ended with %s %d", viewers->kind->program,
                 killed ? "signal" : "exit code", killed ? *exit_code - BY_SIGNAL : *exit_code);
        return true;
    }
    return false;
}

void viewers_stop(struct viewers *viewers, uint64_t grace_ms)
{
    for (unsigned i = 0; i < viewers->count; i++)
        os_process_stop(&viewers->processes[i], grace_ms * OS_NS_PER_MS);
}

void viewers_close(struct viewers *viewers)
{
    enum { GRACE_MS = 1000 };
    viewers_stop(viewers, GRACE_MS);
    if (viewers->row_from >= 0)
        close(viewers->row_from);
    viewers->row_from = -1;
    arena_free(&viewers->arena);
}

/* ---- what it leaves -------------------------------------------------------------------------- */

bool viewers_row(struct viewers *viewers, struct monitor_row *row)
{
    char *text = arena_take(&viewers->arena, ROW_BYTES_MAX + 1);
    size_t used = 0;
    ssize_t got = 0;
    if (viewers->row_from < 0)
        return false;
    while (used < ROW_BYTES_MAX &&
           (got = read(viewers->row_from, text + used, ROW_BYTES_MAX - used)) > 0)
        used += (size_t)got;
    return json_is_object(text) && viewer_row_read(&viewers->arena, text, row);
}

/* Whether the process is of one of our viewers' groups; *threads then has its threads. */
static bool is_viewers(const struct viewers *viewers, const char *pid, uint64_t *threads)
{
    char path[64], text[1024];
    long group = 0, count = 0;
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "r");
    const char *end = file != NULL && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    if (file != NULL)
        fclose(file);
    if (end == NULL || sscanf(end,
                              ") %*c %*d %ld %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                              "%*d %*d %ld",
                              &group, &count) != 2)
        return false;
    *threads = (uint64_t)count;
    for (unsigned i = 0; i < viewers->count; i++)
        if (group != 0 && viewers->processes[i].handle == group) /* 0: the kernel's threads */
            return true;
    return false;
}

struct viewer_usage viewers_usage(const struct viewers *viewers)
{
    struct viewer_usage usage = {0, 0, 0};
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        uint64_t threads;
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            !is_viewers(viewers, entry->d_name, &threads))
            continue;
        const struct os_process process = {.handle = atoi(entry->d_name)};
        usage.cpu_ns += os_process_cpu_ns(&process);
        usage.peak_bytes += os_process_peak_bytes(&process);
        usage.threads += threads;
    }
    if (processes != NULL)
        closedir(processes);
    return usage;
}
