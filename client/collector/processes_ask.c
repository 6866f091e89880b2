/* Asks the processes of the devices, each on a connection of its own, several at the same time:
 * what they have sent, what time it is there, and to start what they hold.
 *
 * With tens of thousands of connections a process accepts or closes them for seconds before it
 * comes to a question. So a few of its devices are asked, and looked at in turns; a question that
 * is not answered yet stands. */
#include "client/collector/processes_ask.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "client/collector/program.h"

enum {
    PAUSE_MS = 20,
    LAG_MS = 500,
    LIMIT_MS = 3 * STATS_TIMEOUT_MS,
    LIMIT_US_PER_SERVER = 1000,
    LEAD_MS = 50,     /* from the first START to what it starts, */
    LEAD_TRIPS = 4,   /* and so many round trips more */
    THREADS_MAX = 32, /* that ask */
};

#define ROLE "fanin-asker"

/* ---- all at the same time -------------------------------------------------------------------- */

typedef void process_task(struct program *program, struct server_process *process);

struct task_round {
    struct program *program;
    process_task *task;
    _Atomic uint32_t next;
};

static void *take_tasks(void *argument)
{
    struct task_round *round = argument;
    struct processes *fleet = &round->program->fleet;
    for (uint32_t i; (i = atomic_fetch_add(&round->next, 1)) < fleet->count;)
        if (fleet->processes[i].count > 0)
            round->task(round->program, &fleet->processes[i]);
    return NULL;
}

/* For each process that has askers. What no thread takes is done here. */
static void for_each(struct program *program, process_task *task)
{
    struct task_round round = {.program = program, .task = task};
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    while (started < THREADS_MAX && started + 1 < program->fleet.count &&
           os_thread_start(&threads[started], ROLE, 0, take_tasks, &round) == 0)
        started++;
    take_tasks(&round);
    while (started > 0)
        pthread_join(threads[--started], NULL);
}

/* ---- what a process has sent ----------------------------------------------------------------- */

/* After Ctrl-C only as long as a fleet that is not busy may need. */
static uint64_t ask_limit_ns(const struct program *program)
{
    const uint64_t patience_us =
        LIMIT_MS * UINT64_C(1000) + program->servers.count * (uint64_t)LIMIT_US_PER_SERVER;
    return os_interrupted() ? STATS_TIMEOUT_MS * (uint64_t)OS_NS_PER_MS : patience_us * 1000;
}

static void show_asking(const struct program *program, struct progress *progress, uint64_t now_ns)
{
    const uint64_t gone_ns = now_ns - progress->started_ns, limit_ns = ask_limit_ns(program);
    if (gone_ns >= PROGRESS_AFTER_MS * (uint64_t)OS_NS_PER_MS && gone_ns < limit_ns)
        progress_show(progress, now_ns, "asking the servers what they sent",
                      (double)gone_ns / (double)limit_ns, limit_ns - gone_ns);
}

/* At an address without a range another device may be another process. */
static const char *turn(struct program *program, struct server_process *process, unsigned which,
                        struct protocol_stats *stats)
{
    struct asker *asker = &process->askers[which];
    const char *why = asker_stats(program, asker, stats);
    if (why != NULL || !process->known || (!process->is_range && which > 0) ||
        stats->process == process->before.process)
        return why;
    asker_close(asker);
    return "started anew";
}

/* The amount that a process is asked for. */
typedef uint64_t stats_amount(const struct protocol_stats *stats);

static uint64_t bytes_of(const struct protocol_stats *stats)
{
    return stats->bytes;
}

static uint64_t connections_of(const struct protocol_stats *stats)
{
    return stats->connections;
}

/* Asks until a device has answered that the amount is at least `wanted`. NULL: one has answered,
 * and `stats` has its last answer; it is askers[0] now. Or why none has.
 *
 * Waiting helps while devices are silent, since the process may be busy, and while the amount
 * grows: the devices count what they hand to their kernel a moment after the client may have it. */
static const char *ask_in_turns(struct program *program, struct server_process *process,
                                stats_amount *amount, uint64_t wanted, struct protocol_stats *stats)
{
    struct asker *askers = process->askers, winner;
    uint64_t now_ns = os_active_ns(), helped_ns = now_ns, counted = 0;
    unsigned which = 0;
    const char *why;
    struct progress progress;
    const bool quiet = program->options.quiet || process != program->fleet.processes;
    progress_start(&progress, stderr, quiet, now_ns);
    for (;;) {
        why = turn(program, process, which, stats);
        now_ns = os_active_ns();
        if (why == asker_no_answer || (why == NULL && amount(stats) > counted))
            helped_ns = now_ns;
        if ((why == NULL && amount(stats) >= wanted) ||
            now_ns - helped_ns >= LAG_MS * (uint64_t)OS_NS_PER_MS ||
            now_ns - progress.started_ns >= ask_limit_ns(program))
            break;
        if (why == NULL)
            counted = amount(stats);
        else
            which = (which + 1) % process->count;
        if (why != asker_no_answer)
            os_sleep_ns((uint64_t)PAUSE_MS * OS_NS_PER_MS);
        show_asking(program, &progress, now_ns);
    }
    progress_end(&progress);
    winner = askers[which];
    askers[which] = askers[0];
    askers[0] = winner;
    for (unsigned i = why == NULL ? 1 : 0; i < process->count; i++)
        asker_close(&askers[i]);
    return why;
}

static void ask_before(struct program *program, struct server_process *process)
{
    process->why = ask_in_turns(program, process, bytes_of, 0, &process->before);
    process->known = process->why == NULL;
    process->clock.is_here = process->askers[0].is_here;
}

static void ask_held(struct program *program, struct server_process *process)
{
    struct protocol_stats stats;
    process->why = ask_in_turns(program, process, connections_of, process->asked, &stats);
    if (process->why == NULL)
        process->after = stats;
    process->answered = process->why == NULL;
}

/* Servers that have never said anything, and that were started anew perhaps, are not asked. */
static void ask_after(struct program *program, struct server_process *process)
{
    const struct processes *fleet = &program->fleet;
    const uint64_t bytes = fleet->count > 1 ? process->received_bytes : program->row.bytes;
    const bool is_part = !process->is_range && fleet->count > fleet->listed;
    process->answered = false;
    if (!process->known && (bytes == 0 || program->options.reconnect))
        return;
    process->why = ask_in_turns(program, process, bytes_of, is_part ? 0 : bytes, &process->after);
    process->answered = process->why == NULL;
}

/* ---- one process behind several, several behind one ------------------------------------------ */

struct numbered {
    uint64_t number;
    uint32_t index;
};

static int compare_numbers(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static bool has_answered(const struct server_process *process, bool after)
{
    return after ? process->answered : process->known;
}

/* The first one of those that are one process has the latest of their answers. */
static void find_same(struct processes *fleet, bool after)
{
    struct numbered *numbers = malloc(fleet->count * sizeof *numbers);
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct server_process *process = &fleet->processes[i];
        process->same_as = i;
        if (numbers != NULL && has_answered(process, after))
            numbers[count++] =
                (struct numbered){after ? process->after.process : process->before.process, i};
    }
    if (count > 0)
        qsort(numbers, count, sizeof *numbers, compare_numbers);
    for (uint32_t i = 1; i < count; i++) {
        struct server_process *process = &fleet->processes[numbers[i].index];
        if (numbers[i].number != numbers[i - 1].number)
            continue;
        process->same_as = fleet->processes[numbers[i - 1].index].same_as;
        struct server_process *first = &fleet->processes[process->same_as];
        if (after && process->after.bytes > first->after.bytes)
            first->after = process->after;
    }
    free(numbers);
}

struct processes_sum processes_sum(const struct processes *fleet)
{
    struct processes_sum sum = {.processes = 0};
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct server_process *process = &fleet->processes[i];
        if (!process->answered || process->same_as != i)
            continue;
        sum.processes++;
        sum.bytes += process->after.bytes;
        sum.frames += process->after.frames;
        sum.cpu_ns += process->after.cpu_ns;
        if (process->after.cpu_ns > sum.cpu_ns_max)
            sum.cpu_ns_max = process->after.cpu_ns;
    }
    return sum;
}

/* Some are one process, or a part of those at their address: what each was asked for may have come
 * before all was counted. */
static bool are_mixed(const struct processes *fleet, const struct processes_sum *sum)
{
    uint64_t answered = 0;
    for (uint32_t i = 0; i < fleet->count; i++)
        answered += fleet->processes[i].answered;
    return answered > sum->processes || fleet->count > fleet->listed;
}

static void await_sum(struct program *program, uint64_t bytes)
{
    struct processes *fleet = &program->fleet;
    uint64_t counted = 0, helped_ns = os_active_ns();
    for (;;) {
        find_same(fleet, true);
        const struct processes_sum sum = processes_sum(fleet);
        if (sum.bytes > counted)
            helped_ns = os_active_ns();
        counted = sum.bytes;
        if (!are_mixed(fleet, &sum) || sum.bytes >= bytes ||
            os_active_ns() - helped_ns >= LAG_MS * (uint64_t)OS_NS_PER_MS)
            return;
        os_sleep_ns((uint64_t)PAUSE_MS * OS_NS_PER_MS);
        for_each(program, ask_after);
    }
}

static bool is_known(const struct processes *fleet, uint64_t number)
{
    for (uint32_t i = 0; i < fleet->count; i++)
        if (fleet->processes[i].answered && fleet->processes[i].after.process == number)
            return true;
    return false;
}

/* Asks a server whether it is of another process at the address of process `index`. Returns what
 * that has to say, 0 if it is no news. */
static uint64_t look_behind(struct program *program, uint32_t index, uint32_t server,
                            stats_amount *amount)
{
    struct processes *fleet = &program->fleet;
    struct server_process found = {.count = 1, .askers[0] = {.server = server}, .first = server};
    if (asker_stats(program, &found.askers[0], &found.after) == NULL &&
        !is_known(fleet, found.after.process)) {
        found.address = fleet->processes[index].address;
        found.clock = fleet->processes[index].clock;
        found.before = found.after;
        found.known = found.answered = true;
        if (processes_add(fleet, &found) != PROCESSES_NONE)
            return amount(&found.after);
    }
    asker_close(&found.askers[0]);
    return 0;
}

/* The servers of process `index`: NULL without memory, or there is one. */
static uint32_t *members_of(const struct program *program, uint32_t index, uint32_t *count)
{
    const struct processes *fleet = &program->fleet;
    uint32_t *members = malloc(program->servers.count * sizeof *members);
    *count = 0;
    for (uint32_t i = 0; members != NULL && i < program->servers.count; i++)
        if ((fleet->process_of == NULL || fleet->process_of[i] == index) &&
            program->attempts[i].result == 0)
            members[(*count)++] = i;
    return members;
}

/* Asks the other servers of an address until what is missing of the amount is found. A prime apart,
 * so that each part of the list is soon come to. */
static void find_others(struct program *program, uint32_t index, stats_amount *amount,
                        uint64_t missing)
{
    enum { STRIDE = 1000003 };
    const uint64_t began_ns = os_active_ns();
    uint32_t count;
    uint32_t *members = members_of(program, index, &count);
    for (uint32_t i = 0; i < count && missing > 0 && !os_interrupted() &&
                         os_active_ns() - began_ns < ask_limit_ns(program);
         i++) {
        const uint32_t server = members[(uint64_t)i * STRIDE % count];
        const uint64_t more = look_behind(program, index, server, amount);
        missing -= more < missing ? more : missing;
    }
    free(members);
}

static void find_missing(struct program *program, stats_amount *amount, bool start)
{
    struct processes *fleet = &program->fleet;
    for (uint32_t i = 0; i < fleet->listed; i++) {
        const struct server_process *process = &fleet->processes[i];
        const uint64_t wanted = start              ? process->asked
                                : fleet->count > 1 ? process->received_bytes
                                                   : program->row.bytes;
        if (!process->is_range && process->answered && amount(&process->after) < wanted)
            find_others(program, i, amount, wanted - amount(&process->after));
    }
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static bool are_compared(const struct program *program)
{
    return program_has_latencies(program) || program->fleet.count > 1;
}

static void ask_time_before(struct program *program, struct server_process *process)
{
    const bool first = &program->fleet.processes[process->same_as] == process;
    if (process->known && first)
        asker_time(&process->askers[0], &process->clock.before);
}

static void ask_time_after(struct program *program, struct server_process *process)
{
    const bool first = &program->fleet.processes[process->same_as] == process;
    if (process->answered && first)
        asker_time(&process->askers[0], &process->clock.after);
}

static void compare_clocks(struct program *program, bool after)
{
    struct processes *fleet = &program->fleet;
    clocks_watch(&program->clocks);
    if (are_compared(program))
        for_each(program, after ? ask_time_after : ask_time_before);
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct server_process *process = &fleet->processes[i];
        const struct server_process *first = &fleet->processes[process->same_as];
        if (first == process)
            continue;
        if (after)
            process->clock.after = first->clock.after;
        else
            process->clock.before = first->clock.before;
    }
}

/* ---- before, start, after -------------------------------------------------------------------- */

static void close_many(struct processes *fleet)
{
    for (uint32_t i = PROCESSES_OPEN_MAX; i < fleet->count; i++)
        for (unsigned k = 0; k < fleet->processes[i].count; k++)
            asker_close(&fleet->processes[i].askers[k]);
}

void processes_ask(struct program *program)
{
    struct processes *fleet = &program->fleet;
    if (program->requests.foreign)
        return;
    for_each(program, ask_before);
    find_same(fleet, false);
    compare_clocks(program, false);
    processes_correct(program);
    if (program->options.start != START_TOGETHER)
        close_many(fleet);
}

static void count_asked(struct program *program)
{
    struct processes *fleet = &program->fleet;
    for (uint32_t i = 0; i < program->servers.count; i++)
        if (program->attempts[i].result == 0 && !request_is_idle(&program->requests, i))
            fleet->processes[fleet->process_of != NULL ? fleet->process_of[i] : 0].asked++;
}

static uint64_t trip_ns_of(const struct server_process *process)
{
    const struct clock_offset *clock = &process->clock.before;
    return clock->known ? (uint64_t)(clock->fleet.max_ns - clock->fleet.min_ns) : 0;
}

/* A process that cannot be told starts nothing, and its connections stall. */
static void start_process(struct program *program, struct server_process *process)
{
    const bool first = &program->fleet.processes[process->same_as] == process;
    const char *why = NULL;
    if (first)
        why =
            asker_start(program, &process->askers[0], program->fleet.start_ns, trip_ns_of(process));
    if (why != NULL)
        process->why = why;
}

void processes_start(struct program *program)
{
    struct processes *fleet = &program->fleet;
    uint64_t trip_ns_max = 0;
    count_asked(program);
    for_each(program, ask_held);
    find_missing(program, connections_of, true);
    find_same(fleet, true);
    for (uint32_t i = 0; i < fleet->count; i++) {
        const uint64_t trip_ns = trip_ns_of(&fleet->processes[i]);
        trip_ns_max = trip_ns > trip_ns_max ? trip_ns : trip_ns_max;
    }
    fleet->start_ns = os_now_ns() + LEAD_MS * (uint64_t)OS_NS_PER_MS + LEAD_TRIPS * trip_ns_max;
    for_each(program, start_process);
}

/* "10.1.0.3:7000 refused; 10.1.0.4:7000 no answer"; of one process only why. */
static void note_unanswered(struct program *program)
{
    const struct processes *fleet = &program->fleet;
    char server[SERVER_TEXT_BYTES], *text = program->unanswered;
    const size_t bytes = sizeof program->unanswered;
    size_t used = 0;
    for (uint32_t i = 0; i < fleet->count && used < bytes; i++) {
        const struct server_process *process = &fleet->processes[i];
        if (process->answered || process->count == 0)
            continue;
        const bool named = fleet->count > 1;
        used +=
            (size_t)snprintf(text + used, bytes - used, "%s%s%s%s", used > 0 ? "; " : "",
                             named ? servers_text(&program->servers, process->first, server) : "",
                             named ? " " : "", process->why);
    }
    program->audit.unanswered = used > 0 ? text : NULL;
}

void processes_ask_again(struct program *program)
{
    for_each(program, ask_after);
    await_sum(program, program->row.bytes);
    if (processes_sum(&program->fleet).bytes < program->row.bytes) {
        find_missing(program, bytes_of, false);
        await_sum(program, program->row.bytes);
    }
    note_unanswered(program);
    compare_clocks(program, true);
}
