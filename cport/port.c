/* Ports: opening and closing, waiting, posting.
 *
 *      cp_wait = { the gate says take | park | poll }*  then: completed operations are delivered;
 *                ready directions are attempted by this worker, outside the lock, and what that
 *                completes is delivered. */
#include "cport/port.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening and closing ------------------------------------------------------------------- */

const char *cp_engine_list(unsigned index, const char **summary)
{
    const struct engine *const *each = engines;
    while (*each && index-- > 0)
        each++;
    if (*each && summary)
        *summary = (*each)->summary;
    return *each ? (*each)->name : NULL;
}

static struct cport *port_make(const struct engine *engine, unsigned concurrency)
{
    struct cport *port = calloc(1, sizeof *port);
    if (!port)
        return NULL;
    pthread_mutex_init(&port->lock, NULL);
    pthread_mutex_init(&port->slots_lock, NULL);
    pthread_mutex_init(&port->timers_lock, NULL);
    for (unsigned index = 0; index < LOCKS; index++)
        pthread_mutex_init(&port->locks[index].mutex, NULL);
    port->earliest_ns = NEVER_NS;
    port->engine = engine;
    port->concurrency = concurrency ? concurrency : (unsigned)os_cpu_count();
    return port;
}

static void port_destroy(struct cport *port)
{
    port->engine->close(port);
    slots_free(port);
    free(port->deadlines.slots);
    pthread_mutex_destroy(&port->lock);
    pthread_mutex_destroy(&port->slots_lock);
    pthread_mutex_destroy(&port->timers_lock);
    for (unsigned index = 0; index < LOCKS; index++)
        pthread_mutex_destroy(&port->locks[index].mutex);
    free(port);
}

int port_open(const struct engine *engine, unsigned concurrency, struct cport **result, char *why,
              size_t why_bytes)
{
    struct cport *port = port_make(engine, concurrency);
    int code = port ? engine->open(port, why, why_bytes) : CP_ENOMEM;
    if (code != 0) {
        if (port)
            port_destroy(port);
        return code;
    }
    if (port->os_gate)
        gate_init(&port->gate, UINT_MAX, UINT_MAX);
    else
        gate_init(&port->gate, port->concurrency, engine->pollers_max);
    *result = port;
    return 0;
}

static void list_engines(const char *unknown, char *why, size_t why_bytes)
{
    int used = snprintf(why, why_bytes, "there is no engine \"%s\"; there is", unknown);
    for (const struct engine *const *each = engines; *each && (size_t)used < why_bytes; each++)
        used += snprintf(why + used, why_bytes - (size_t)used, " %s", (*each)->name);
}

int cp_open(const struct cp_config *config, struct cport **result, char *why, size_t why_bytes)
{
    char unread[1];
    if (!why || why_bytes == 0) {
        why = unread;
        why_bytes = sizeof unread;
    }
    why[0] = '\0';
    if (!config || !result)
        return CP_EINVAL;
    const char *name = config->engine;
    bool any = !name || strcmp(name, "auto") == 0;
    if (!any)
        list_engines(name, why, why_bytes);
    int code = CP_EINVAL;
    for (const struct engine *const *each = engines; *each && code != 0; each++) {
        if (!any && strcmp((*each)->name, name) != 0)
            continue;
        why[0] = '\0';
        code = port_open(*each, config->concurrency, result, why, why_bytes);
    }
    if (code == 0 && config->watch && (code = watcher_open(*result, why, why_bytes)) != 0) {
        cp_free(*result);
        *result = NULL;
    }
    return code;
}

/* Of a closed port, without the lock. */
static void drain(struct cport *port)
{
    if (port->engine->drain)
        port->engine->drain(port);
}

void cp_close(struct cport *port)
{
    if (!port)
        return;
    struct effects effects = NO_EFFECTS;
    port_lock(port);
    bool first = !port->gate.closed;
    port->closed = true;
    if (first)
        gate_close(&port->gate, &effects.dropped, &effects.gate);
    port_unlock(port, &effects);
    if (first) {
        sockets_close(port);
        timers_drop(port);
    }
    drain(port);
}

void cp_free(struct cport *port)
{
    if (!port)
        return;
    cp_close(port);
    watcher_close(port);
    workers_forget(port);
    port_destroy(port);
}

const char *cp_engine_name(const struct cport *port)
{
    return port->engine->name;
}

const char *cp_gate_name(const struct cport *port)
{
    return port->os_gate ? "os" : "user";
}

unsigned cp_concurrency(const struct cport *port)
{
    return port->concurrency;
}

/* ---- waiting ------------------------------------------------------------------------------- */

enum { ROUND_MIN = 8 }; /* waits; a poll costs about as much as a small receive */

static uint64_t time_left_ns(uint64_t deadline_ns)
{
    if (deadline_ns == CP_FOREVER || deadline_ns == 0)
        return deadline_ns;
    uint64_t now_ns = os_now_ns();
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

/* Called and returns with the lock; parks without it. */
static void park(struct cport *port, struct worker *worker, uint64_t left_ns,
                 struct effects *effects)
{
    port_unlock(port, effects);
    bool woken = os_park(&worker->parker, left_ns);
    port_lock(port);
    if (!woken && worker->gate.state != GATE_PARKED) {
        /* The worker was chosen just as its time ran out: the unpark is on its way. */
        pthread_mutex_unlock(&port->lock);
        os_park(&worker->parker, UINT64_MAX);
        port_lock(port);
    }
    gate_back(&port->gate, &worker->gate);
}

/* Ends what is due. */
static void expire(struct cport *port, struct effects *effects)
{
    for (struct cp_op *op; (op = deadline_next(port, effects));) {
        struct cp_slot *slot = op->slot;
        direction_expired(op, effects);
        slot_leave(slot, effects);
    }
}

/* Called and returns with the lock; polls without it. `worker` NULL: a running one or the
 * watcher looks. */
static void poll_engine(struct cport *port, struct gate_worker *worker, uint64_t left_ns,
                        struct effects *effects)
{
    port->unpolled = 0;
    port_unlock(port, effects);
    port->engine->poll(port, left_ns, effects);
    expire(port, effects);
    port_lock(port);
    if (worker)
        gate_back(&port->gate, worker);
    port_queue(port, effects);
}

void port_poll_kernel(struct cport *port, struct effects *effects)
{
    poll_engine(port, NULL, 0, effects);
}

/* A worker that always finds packets would never poll, and one busy socket could starve the rest.
 * So it polls once per round: when everything that was queued has been served (more often would
 * serve many ready sockets in small pieces). It counts as running meanwhile, so that no other takes
 * its place. Of completion engines only deadlines need it: their kernel queues packets in order. A
 * wake-up that this poll takes from a poller is repeated by the worker that takes the next
 * packet. */
static void poll_while_busy(struct cport *port, const struct worker *worker,
                            struct effects *effects)
{
    const bool busy = worker->gate.state == GATE_RUNNING && port->gate.queue.first;
    if (!busy)
        return;
    if (port->unpolled++ == 0)
        port->round = gate_queue_count(&port->gate.queue);
    if (port->unpolled < ROUND_MIN || port->unpolled < port->round)
        return;
    if (port->engine->readiness) {
        poll_engine(port, NULL, 0, effects);
        return;
    }
    port->unpolled = 0;
    port_unlock(port, effects);
    expire(port, effects);
    port_lock(port);
    port_queue(port, effects);
}

/* Waits until the worker has packets: 1; 0: the time ran out, or CP_ECLOSED. Returns with the lock
 * held. `deadline_ns` 0: does not block. */
static int await(struct cport *port, struct worker *worker, unsigned max, uint64_t deadline_ns,
                 struct gate_queue *taken, struct effects *effects)
{
    bool polled = false;
    port_lock(port);
    poll_while_busy(port, worker, effects);
    gate_arrive(&port->gate, &worker->gate);
    for (;;) {
        enum gate_verdict verdict =
            gate_next(&port->gate, &worker->gate, max, taken, &effects->gate);
        if (verdict == GATE_TAKE)
            return 1;
        if (verdict == GATE_CLOSED)
            return CP_ECLOSED;
        uint64_t left_ns = time_left_ns(deadline_ns);
        if (left_ns == 0 && (polled || verdict == GATE_PARK)) {
            gate_timeout(&port->gate, &worker->gate, &effects->gate);
            return 0;
        }
        if (verdict == GATE_PARK) {
            park(port, worker, left_ns, effects);
        } else {
            poll_engine(port, &worker->gate, left_ns, effects);
            polled = true;
        }
    }
}

static void deliver(struct cp_op *op, struct cp_packet *packet)
{
    *packet = (struct cp_packet){.op = op, .key = op->key, .result = op->result};
    op_set_state(op, OP_IDLE);
}

static void deliver_key(struct cp_node *node, struct cp_packet *packet)
{
    struct posted_key *posted = (struct posted_key *)node;
    *packet = (struct cp_packet){.key = posted->key, .result = posted->result};
    free(posted);
}

static bool begin(struct attempt *attempt, struct direction *direction, struct effects *effects)
{
    struct cp_slot *slot = slot_of(direction);
    slot_lock(slot);
    bool begun = attempt_begin(attempt, direction, effects);
    slot_unlock(slot, effects);
    return begun;
}

static struct cp_op *end(struct attempt *attempt, struct effects *effects)
{
    struct cp_slot *slot = slot_of(attempt->direction);
    slot_lock(slot);
    struct cp_op *op = attempt_end(attempt, effects);
    slot_unlock(slot, effects);
    return op;
}

/* Delivers the operations among the nodes and attempts the ready directions. How many packets were
 * filled in. */
static int process(struct cport *port, struct gate_queue *taken, struct cp_packet *packets,
                   struct effects *effects)
{
    struct attempt attempts[CP_BATCH_MAX];
    unsigned attempt_count = 0;
    int count = 0;
    for (struct cp_node *node; (node = gate_queue_pop(taken));) {
        if (node->is_key)
            deliver_key(node, &packets[count++]);
        else if (!node->is_direction)
            deliver(op_of(node), &packets[count++]);
        else if (begin(&attempts[attempt_count], direction_of(node), effects))
            attempt_count++;
    }
    if (attempt_count > 0)
        port->engine->attempt(port, attempts, attempt_count);
    for (unsigned index = 0; index < attempt_count; index++) {
        struct cp_op *op = end(&attempts[index], effects);
        if (op)
            deliver(op, &packets[count++]);
    }
    return count;
}

int cp_wait(struct cport *port, struct cp_packet *packets, unsigned max, uint64_t timeout_ns)
{
    if (!port || !packets || max == 0)
        return CP_EINVAL;
    struct worker *worker = worker_join(port);
    if (!worker)
        return CP_ENOMEM;
    if (max > CP_BATCH_MAX)
        max = CP_BATCH_MAX;
    bool bounded = timeout_ns != CP_FOREVER && timeout_ns != 0;
    uint64_t deadline_ns = bounded ? os_deadline_ns(timeout_ns) : timeout_ns;
    for (;;) {
        struct gate_queue taken = {0};
        struct effects effects = NO_EFFECTS;
        int result = await(port, worker, max, deadline_ns, &taken, &effects);
        port_unlock(port, &effects);
        if (result <= 0) {
            if (result == CP_ECLOSED)
                drain(port); /* this worker may have attempted an operation as the port closed */
            return result;
        }
        int count = process(port, &taken, packets, &effects);
        if (count > 0)
            return count;
        /* No direction was ready after all: wait on. */
    }
}

int cp_wait_ms(struct cport *port, struct cp_packet *packets, unsigned max, int timeout_ms)
{
    if (timeout_ms < -1)
        return CP_EINVAL;
    return cp_wait(port, packets, max,
                   timeout_ms == -1 ? CP_FOREVER : (uint64_t)timeout_ms * OS_NS_PER_MS);
}

/* ---- blocking sections and posts ----------------------------------------------------------- */

void cp_block_begin(struct cport *port)
{
    struct worker *worker = worker_current(port);
    if (!worker)
        return;
    struct effects effects = NO_EFFECTS;
    port_lock(port);
    if (worker->gate.state == GATE_RUNNING || worker->gate.state == GATE_ASLEEP)
        gate_block(&port->gate, &worker->gate, &effects.gate);
    port_unlock(port, &effects);
}

void cp_block_end(struct cport *port)
{
    struct worker *worker = worker_current(port);
    if (!worker)
        return;
    port_lock(port);
    if (worker->gate.state == GATE_BLOCKED || worker->gate.state == GATE_ASLEEP)
        gate_unblock(&port->gate, &worker->gate);
    port_unlock(port, &NO_EFFECTS);
}

int cp_post(struct cport *port, struct cp_op *op, uintptr_t key, int64_t result)
{
    if (!port || !op)
        return CP_EINVAL;
    struct effects effects = NO_EFFECTS;
    port_lock(port);
    int code = port->closed ? CP_ECLOSED : op_state(op) != OP_IDLE ? CP_EINVAL : 0;
    if (code == 0) {
        op->kind = CP_POST;
        op->node = (struct cp_node){0};
        op->key = key;
        op->result = result;
        op_set_state(op, OP_COMPLETE);
        gate_post(&port->gate, &op->node, &effects.gate);
    }
    port_unlock(port, &effects);
    return code;
}

int cp_post_key(struct cport *port, uintptr_t key, int64_t result)
{
    struct effects effects = NO_EFFECTS;
    struct posted_key *posted = port ? malloc(sizeof *posted) : NULL;
    if (!posted)
        return port ? CP_ENOMEM : CP_EINVAL;
    *posted = (struct posted_key){.node.is_key = true, .key = key, .result = result};
    port_lock(port);
    int code = port->closed ? CP_ECLOSED : 0;
    if (code == 0)
        gate_post(&port->gate, &posted->node, &effects.gate);
    port_unlock(port, &effects);
    if (code != 0)
        free(posted);
    return code;
}

bool cp_op_done(const struct cp_op *op)
{
    return op_state(op) != OP_PENDING;
}
