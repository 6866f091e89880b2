/* Counters by run. */
#include "mock_servers/runs.h"

#include <assert.h>
#include <stdlib.h>

void runs_init(struct runs *runs)
{
    *runs = (struct runs){.ended_count = 0};
    list_init(&runs->lasting);
    list_init(&runs->ended);
}

static void forget(struct run *run)
{
    list_remove(&run->place);
    free(run);
}

static void forget_oldest(struct runs *runs)
{
    forget(LIST_MEMBER(list_first(&runs->ended), struct run, place));
    runs->ended_count--;
}

void runs_free(struct runs *runs)
{
    assert(list_first(&runs->lasting) == NULL);
    while (runs->ended_count > 0)
        forget_oldest(runs);
}

static struct run *find(const struct list_node *list, uint64_t id)
{
    for (const struct list_node *node = list->after; node != list; node = node->after) {
        struct run *run = LIST_MEMBER(node, struct run, place);
        if (run->done.run == id)
            return run;
    }
    return NULL;
}

/* Of all connections of a run each but the first finds it at the head of the list. */
struct run *runs_hold(struct runs *runs, uint64_t id)
{
    struct run *run = find(&runs->lasting, id);
    if (run == NULL && (run = find(&runs->ended, id)) != NULL)
        runs->ended_count--;
    if (run == NULL) {
        if ((run = calloc(1, sizeof *run)) == NULL)
            return NULL;
        run->done.run = id;
        run->start_ns = RUN_NOT_STARTED;
    }
    run->holders++;
    list_remove(&run->place);
    list_append(runs->lasting.after, &run->place);
    return run;
}

void runs_release(struct runs *runs, struct run *run)
{
    if (run == NULL)
        return;
    assert(run->holders > 0);
    if (--run->holders > 0)
        return;
    assert(run->sending == 0);
    if (run->done.connections == 0) {
        forget(run);
        return;
    }
    list_remove(&run->place);
    list_append(&runs->ended, &run->place);
    if (++runs->ended_count > RUNS_ENDED_MAX)
        forget_oldest(runs);
}

static void add(struct protocol_stats *to, const struct protocol_stats *done)
{
    to->connections += done->connections;
    to->frames += done->frames;
    to->bytes += done->bytes;
    to->faults += done->faults;
}

void runs_add(struct runs *runs, struct run *run, const struct protocol_stats *done)
{
    add(&run->done, done);
    add(&runs->total, done);
}

/* The wall clock may be set meanwhile: the latest is then not the last to come. */
void run_stream_begun(struct run *run, uint64_t wall_ns)
{
    struct protocol_stats *done = &run->done;
    if (done->first_ns == 0 || wall_ns < done->first_ns)
        done->first_ns = wall_ns;
    if (wall_ns > done->last_ns)
        done->last_ns = wall_ns;
}

/* ---- CPU time ---- */

void run_send_begin(struct run *run, uint64_t cpu_ns)
{
    if (run->sending++ == 0)
        run->busy_since_ns = cpu_ns;
}

void run_send_end(struct run *run, uint64_t cpu_ns)
{
    run->done = run_stats(run, cpu_ns);
    run->busy_since_ns = cpu_ns;
    assert(run->sending > 0);
    run->sending--;
}

struct protocol_stats run_stats(const struct run *run, uint64_t cpu_ns)
{
    struct protocol_stats stats = run->done;
    if (run->sending > 0)
        stats.cpu_ns += cpu_ns - run->busy_since_ns;
    return stats;
}
