/* From lines of a launcher's children to hosts that are ready, have failed or are lost:
 *
 *   slot: READY --> ready --(child ended, FAILED, silent)--> lost
 *         FAILED, child ended, time is up --> failed */
#include "scenarios/sweep/hosts_parts.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#define SILENCE_NS ((uint64_t)HOSTS_SILENCE_S * OS_NS_PER_S)
/* After which a launcher that goes on with the other hosts is believed that it lost this one: two
 * signs of life are due in it. */
#define SUSPECT_NS    ((uint64_t)OS_NS_PER_S)
#define SUSPECTED_NS  ((uint64_t)50 * OS_NS_PER_MS) /* from one look at its log to the next */
#define CODES_NS      ((uint64_t)2 * OS_NS_PER_S)
#define LOOK_AGAIN_NS ((uint64_t)2 * OS_NS_PER_MS)

/* ---- slots; under the lock ---- */

static unsigned slots_of(const struct hosts *hosts, const struct child *child, unsigned *first)
{
    *first = hosts->each ? (unsigned)(child - hosts->children) : 0;
    return hosts->each ? 1 : hosts->slot_count;
}

/* The child's slot for what the host of that name says; NULL: none. */
static struct slot *find_slot(struct hosts *hosts, const struct child *child, const char *said)
{
    unsigned first, count = slots_of(hosts, child, &first);
    for (unsigned i = first; i < first + count; i++) {
        struct slot *slot = &hosts->slots[i];
        const char *name = slot->host.ready ? slot->host.said : slot->host.name;
        if (hosts->each || host_is_called(name, said))
            return slot;
    }
    return NULL;
}

static struct slot *free_slot(struct hosts *hosts)
{
    for (unsigned i = 0; i < hosts->slot_count; i++)
        if (!hosts->slots[i].host.ready && hosts->slots[i].host.failure == NULL)
            return &hosts->slots[i];
    return NULL;
}

static void fail(struct hosts *hosts, struct slot *slot, const char *words)
{
    if (slot->host.failure == NULL)
        slot->host.failure = arena_text(&hosts->arena, "%s", words);
}

static const struct child *child_of(const struct hosts *hosts, const struct slot *slot)
{
    return &hosts->children[hosts->each ? slot - hosts->slots : 0];
}

static void note_life(const struct hosts *hosts, struct slot *slot)
{
    struct stat log;
    slot->life_ns = os_now_ns();
    slot->life_count++;
    slot->log_bytes[1] = slot->log_bytes[0];
    if (stat(child_of(hosts, slot)->log_path, &log) == 0)
        slot->log_bytes[0] = (size_t)log.st_size;
}

static void seat(const struct hosts *hosts, struct slot *slot, const struct host *ready)
{
    const char *name = slot->host.name;
    slot->host = *ready;
    slot->host.name = *name == '\0' ? ready->said : name;
    note_life(hosts, slot);
}

static bool is_known(const struct hosts *hosts, const struct host *ready)
{
    for (unsigned i = 0; i < hosts->slot_count; i++) {
        const struct host *known = &hosts->slots[i].host;
        if (known->ready && strcmp(known->process, ready->process) == 0 &&
            strcmp(known->said, ready->said) == 0)
            return true;
    }
    return false;
}

/* A host may call itself otherwise than it was asked for. When as many have come as were asked, all
 * are there. */
static void seat_strays(struct hosts *hosts)
{
    unsigned free_count = 0;
    for (unsigned i = 0; i < hosts->slot_count; i++)
        free_count += !hosts->slots[i].host.ready;
    if (free_count != hosts->stray_count)
        return;
    for (unsigned i = 0; i < hosts->stray_count; i++) {
        struct slot *slot = free_slot(hosts);
        if (slot != NULL)
            seat(hosts, slot, &hosts->strays[i]);
    }
    hosts->stray_count = 0;
}

/* "lab1" is not in "lab10: Killed". */
static bool names_host(const char *line, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = line; length > 0 && (at = strstr(at, name)) != NULL; at += length)
        if ((at == line || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[length]))
            return true;
    return false;
}

/* Of a line READY that cannot be read. It is of the host that it names; without names, of any that
 * is not ready. */
static void take_damaged(struct hosts *hosts, const struct child *child)
{
    enum { SHOWN_BYTES = 80 };
    char *shown = arena_copy(&hosts->arena, child->line, strnlen(child->line, SHOWN_BYTES));
    unsigned first, count = slots_of(hosts, child, &first);
    struct slot *slot = hosts->numbers ? free_slot(hosts) : NULL;
    for (unsigned i = first; i < first + count; i++)
        if (hosts->each || names_host(child->line, hosts->slots[i].host.name))
            slot = &hosts->slots[i];
    for (char *at = shown; *at != '\0'; at++)
        if (!isprint((unsigned char)*at))
            *at = '?';
    if (slot != NULL && !slot->host.ready)
        fail(hosts, slot, arena_text(&hosts->arena, "its line READY is damaged: '%s'", shown));
}

static void take_ready(struct hosts *hosts, const struct child *child, const char *rest)
{
    struct host ready = {.name = "", .exit_code = EXIT_UNKNOWN};
    if (!host_ready_read(&hosts->arena, rest, &ready)) {
        take_damaged(hosts, child);
        return;
    }
    if (is_known(hosts, &ready))
        return;
    hosts->ready_ns = os_now_ns();
    struct slot *slot = hosts->numbers ? free_slot(hosts) : find_slot(hosts, child, ready.said);
    if (slot != NULL && !slot->host.ready && slot->host.failure == NULL) {
        seat(hosts, slot, &ready);
    } else if (slot == NULL && !hosts->numbers) {
        hosts->strays = arena_grow(&hosts->arena, hosts->strays, hosts->stray_count, sizeof ready);
        hosts->strays[hosts->stray_count++] = ready;
    }
    seat_strays(hosts);
}

static void take_failed(struct hosts *hosts, const struct child *child, const char *rest)
{
    const size_t length = strcspn(rest, " ");
    const char *said = arena_copy(&hosts->arena, rest, length);
    const char *words = rest + length + (rest[length] == ' ');
    struct slot *slot = find_slot(hosts, child, said);
    if (slot == NULL)
        slot = free_slot(hosts);
    if (slot == NULL)
        return;
    if (*slot->host.name == '\0')
        slot->host.name = said;
    fail(hosts, slot, words);
}

/* ---- a child's lines; under the lock ---- */

void hosts_take_line(struct hosts *hosts, struct child *child)
{
    const char *rest = "";
    struct slot *slot;
    child->line[child->line_bytes] = '\0';
    child->line[strcspn(child->line, "\r")] = '\0';
    child->line_bytes = 0;
    switch (host_word_read(child->line, &rest)) {
    case HOST_READY:
        take_ready(hosts, child, rest);
        break;
    case HOST_FAILED:
        take_failed(hosts, child, rest);
        break;
    case HOST_PULSE:
        slot = find_slot(hosts, child, arena_copy(&hosts->arena, rest, strcspn(rest, " ")));
        if (slot != NULL)
            note_life(hosts, slot);
        break;
    case HOST_OTHER:
        if (child->line[strspn(child->line, " \t")] != '\0')
            child->last_line = arena_text(&hosts->arena, "%s", child->line);
    }
}

/* Of a line that is too long, the beginning is read. */
void hosts_take_bytes(struct hosts *hosts, struct child *child, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n')
            hosts_take_line(hosts, child);
        else if (child->line_bytes < sizeof child->line - 1)
            child->line[child->line_bytes++] = bytes[i];
    }
}

/* ---- a child that ended; under the lock ---- */

/* The last line on standard error that names the host, else the last one at all, else on standard
 * output: "srun: error: lab2: task 1: Killed". The first `from` bytes do not count. */
static const char *last_words(struct hosts *hosts, const struct child *child, const char *name,
                              bool must_name, size_t from)
{
    struct arena *arena = &hosts->arena;
    size_t bytes;
    char *text = arena_file(arena, child->log_path, 1 << 20, &bytes), *line, *next;
    const char *named = NULL, *last = NULL;
    if (text != NULL)
        text += from < bytes ? from : bytes;
    for (line = text; line != NULL && *line != '\0'; line = next) {
        const size_t length = strcspn(line, "\n");
        next = line + length + (line[length] == '\n');
        line[length] = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (line[strspn(line, " \t")] == '\0')
            continue;
        last = line;
        if (names_host(line, name))
            named = line;
    }
    if (named != NULL || must_name)
        return named;
    return last != NULL ? last : child->last_line;
}

void hosts_note_end(struct hosts *hosts, const struct child *child, int exit_code)
{
    struct arena *arena = &hosts->arena;
    unsigned first, count = slots_of(hosts, child, &first);
    const char *ending =
        exit_code == EXIT_UNKNOWN ? "it closed its output" : command_ending(arena, exit_code);
    for (unsigned i = first; i < first + count; i++) {
        struct slot *slot = &hosts->slots[i];
        const char *words = last_words(hosts, child, hosts->each ? "" : slot->host.name, false, 0);
        slot->host.exit_code = exit_code;
        fail(hosts, slot, words == NULL ? ending : arena_text(arena, "%s (%s)", words, ending));
    }
}

/* What the launcher said of it since its last sign of life but one: the last may have been on its
 * way meanwhile. NULL: nothing. */
static const char *launcher_on(struct hosts *hosts, const struct slot *slot)
{
    return hosts->each ? NULL
                       : last_words(hosts, child_of(hosts, slot), slot->host.said, true,
                                    slot->log_bytes[1]);
}

/* A launcher may go on without a host that ended before it was ready. */
static void find_behind(struct hosts *hosts, struct slot *slot, uint64_t now_ns)
{
    const char *name = slot->host.name;
    if (hosts->each || hosts->ready_ns == 0 || now_ns < hosts->ready_ns + SILENCE_NS)
        return;
    const char *words = last_words(hosts, child_of(hosts, slot), name, *name != '\0', 0);
    if (words != NULL)
        fail(hosts, slot,
             arena_text(&hosts->arena, "not ready %d s after the others: %s", HOSTS_SILENCE_S,
                        words));
}

uint64_t hosts_find_silent(struct hosts *hosts, uint64_t now_ns)
{
    uint64_t again_ns = UINT64_MAX;
    for (unsigned i = 0; i < hosts->slot_count; i++) {
        struct slot *slot = &hosts->slots[i];
        const uint64_t silent_ns = now_ns > slot->life_ns ? now_ns - slot->life_ns : 0;
        if (slot->host.failure != NULL)
            continue;
        if (!slot->host.ready) {
            find_behind(hosts, slot, now_ns);
            continue;
        }
        const char *words = silent_ns < SUSPECT_NS ? NULL : launcher_on(hosts, slot);
        if (words != NULL)
            fail(hosts, slot, words);
        else if (silent_ns >= SILENCE_NS)
            fail(hosts, slot,
                 arena_text(&hosts->arena, "no sign of life for %d s", HOSTS_SILENCE_S));
        else if (silent_ns < SUSPECT_NS && SUSPECT_NS - silent_ns < again_ns)
            again_ns = SUSPECT_NS - silent_ns;
        else if (silent_ns >= SUSPECT_NS && SUSPECTED_NS < again_ns)
            again_ns = SUSPECTED_NS;
    }
    return again_ns;
}

/* A sweep that was stopped (Ctrl-Z) has not listened. */
void hosts_forgive(struct hosts *hosts, uint64_t late_ns)
{
    for (unsigned i = 0; i < hosts->slot_count; i++)
        hosts->slots[i].life_ns += late_ns;
}

/* ---- what the sweep asks ---- */

struct tally {
    unsigned ready, failed, ended; /* ended: of the failed, with an exit code */
};

static struct tally count_hosts(struct hosts *hosts)
{
    struct tally tally = {0};
    pthread_mutex_lock(&hosts->lock);
    for (unsigned i = 0; i < hosts->slot_count; i++) {
        const struct host *host = &hosts->slots[i].host;
        tally.failed += host->failure != NULL;
        tally.ended += host->failure != NULL && host->exit_code != EXIT_UNKNOWN;
        tally.ready += host->ready && host->failure == NULL;
    }
    pthread_mutex_unlock(&hosts->lock);
    return tally;
}

static void fail_late(struct hosts *hosts, uint64_t limit_ns)
{
    pthread_mutex_lock(&hosts->lock);
    for (unsigned i = 0; i < hosts->slot_count; i++) {
        struct slot *slot = &hosts->slots[i];
        if (slot->host.ready)
            continue;
        const char *words =
            last_words(hosts, child_of(hosts, slot), hosts->each ? "" : slot->host.name, false, 0);
        fail(hosts, slot,
             arena_text(&hosts->arena, "not ready within %.3g s%s%s",
                        (double)limit_ns / OS_NS_PER_S, words == NULL ? "" : ": ",
                        words == NULL ? "" : words));
    }
    pthread_mutex_unlock(&hosts->lock);
}

bool hosts_await(struct hosts *hosts, uint64_t limit_ns, uint64_t after_failure_ns)
{
    const uint64_t began_ns = os_active_ns();
    uint64_t failed_ns = 0;
    while (!os_interrupted()) {
        const struct tally tally = count_hosts(hosts);
        const uint64_t now_ns = os_active_ns();
        if (tally.failed != 0 && failed_ns == 0)
            failed_ns = now_ns;
        /* One that says why it failed says by its exit code, a moment later, whose fault it is. */
        if (tally.ready + tally.failed == hosts->slot_count &&
            (tally.ended == tally.failed || now_ns - failed_ns >= CODES_NS))
            return tally.failed == 0;
        if (failed_ns != 0 && now_ns - failed_ns >= after_failure_ns)
            return false;
        if (now_ns - began_ns >= limit_ns) {
            fail_late(hosts, limit_ns);
            return false;
        }
        os_sleep_ns(LOOK_AGAIN_NS);
    }
    return false;
}

unsigned hosts_count(const struct hosts *hosts)
{
    return hosts->slot_count;
}

struct host hosts_get(struct hosts *hosts, unsigned index)
{
    assert(index < hosts->slot_count);
    pthread_mutex_lock(&hosts->lock);
    const struct host host = hosts->slots[index].host;
    pthread_mutex_unlock(&hosts->lock);
    return host;
}

bool hosts_lost(struct hosts *hosts, struct host *host)
{
    bool lost = false;
    pthread_mutex_lock(&hosts->lock);
    for (unsigned i = 0; i < hosts->slot_count && !lost; i++) {
        lost = hosts->slots[i].host.ready && hosts->slots[i].host.failure != NULL;
        if (lost)
            *host = hosts->slots[i].host;
    }
    pthread_mutex_unlock(&hosts->lock);
    return lost;
}

static bool all_alive(struct hosts *hosts, const unsigned *before)
{
    bool alive = true;
    pthread_mutex_lock(&hosts->lock);
    for (unsigned i = 0; i < hosts->slot_count; i++)
        alive = alive && (!hosts->slots[i].host.ready || hosts->slots[i].life_count != before[i]);
    pthread_mutex_unlock(&hosts->lock);
    return alive;
}

bool hosts_look(struct hosts *hosts, struct host *host)
{
    struct arena arena = {0};
    unsigned *before = arena_take(&arena, hosts->slot_count * sizeof *before);
    bool lost;
    pthread_mutex_lock(&hosts->lock);
    for (unsigned i = 0; i < hosts->slot_count; i++)
        before[i] = hosts->slots[i].life_count;
    pthread_mutex_unlock(&hosts->lock);
    while (!(lost = hosts_lost(hosts, host)) && !os_interrupted() && !all_alive(hosts, before))
        os_sleep_ns(LOOK_AGAIN_NS);
    arena_free(&arena);
    return lost;
}
