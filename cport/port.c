/* The front door: ports, and the wait in which everything comes together.
 *
 *      cp_wait = { the gate says take | park | poll }*  then: operations that are complete are
 *                delivered; lanes that are ready are carried on by this worker, outside the
 *                lock, and what that completes is delivered. */
#include "cport/port.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the lock ------------------------------------------------------------------------------ */

void port_lock(struct cport *port)
{
    pthread_mutex_lock(&port->lock);
}

void port_unlock(struct cport *port, const struct gate_effects *effects)
{
    pthread_mutex_unlock(&port->lock);
    for (struct gate_worker *each = effects->wake; each;) {
        struct gate_worker *next = each->wake_next; /* read before the worker can run on */
        os_unpark(&worker_of(each)->parker);
        each = next;
    }
    if (effects->kick)
        port->engine->kick(port, 0);
}

void port_poll_done(struct cport *port, struct gate_worker *worker)
{
    port_lock(port);
    if (worker)
        gate_back(&port->gate, worker);
}

/* A connection that was accepted for nobody leaves as one that was associated. */
static void drop_op(struct cport *port, struct cp_op *op)
{
    struct cp_socket orphan = {.port = port, .handle = op->accepted};
    if (op->kind == CP_ACCEPT && op->accepted != CP_HANDLE_NONE)
        port->engine->detach(port, &orphan);
    op->accepted = CP_HANDLE_NONE;
    op->pending = false;
}

static void drop(struct cport *port, struct cp_link *link)
{
    if (link->is_lane)
        lane_of(link)->queued = false;
    else
        drop_op(port, op_of(link));
}

void port_post(struct cport *port, struct cp_link *link, struct gate_effects *effects)
{
    if (port->closed)
        drop(port, link);
    else
        gate_post(&port->gate, link, effects);
}

/* ---- opening and closing ------------------------------------------------------------------- */

const char *cp_engine_list(unsigned index, const char **summary)
{
    for (const struct engine *const *each = engines; *each; each++) {
        if ((*each)->flags & ENGINE_HIDDEN || index-- > 0)
            continue;
        if (summary)
            *summary = (*each)->summary;
        return (*each)->name;
    }
    return NULL;
}

static int try_engine(struct cport *port, const struct engine *engine, char *why, size_t why_bytes)
{
    port->engine = engine;
    int code = engine->open(port, why, why_bytes);
    if (code != 0)
        engine->close(port);
    return code;
}

/* "auto" takes the first engine that runs here. */
static int choose_engine(struct cport *port, const char *name, char *why, size_t why_bytes)
{
    bool any = !name || strcmp(name, "auto") == 0;
    int code = CP_EINVAL;
    size_t used =
        (size_t)snprintf(why, why_bytes, "there is no engine \"%s\"; there is", any ? "" : name);
    for (const struct engine *const *each = engines; *each; each++) {
        bool hidden = (*each)->flags & ENGINE_HIDDEN;
        if (any ? !hidden : strcmp((*each)->name, name) == 0) {
            code = try_engine(port, *each, why, why_bytes);
            if (!any || code == 0)
                return code;
        } else if (!any && !hidden && used < why_bytes) {
            used += (size_t)snprintf(why + used, why_bytes - used, " %s", (*each)->name);
        }
    }
    return code;
}

int cp_open(const struct cp_config *config, struct cport **result, char *why, size_t why_bytes)
{
    char unread[256];
    if (!why || why_bytes == 0) {
        why = unread;
        why_bytes = sizeof unread;
    }
    why[0] = '\0';
    if (!config || !result)
        return CP_EINVAL;
    struct cport *port = calloc(1, sizeof *port);
    if (!port)
        return CP_ENOMEM;
    pthread_mutex_init(&port->lock, NULL);
    port->concurrency = config->concurrency ? config->concurrency : (unsigned)os_cpu_count();
    int code = choose_engine(port, config->engine, why, why_bytes);
    if (code != 0) {
        pthread_mutex_destroy(&port->lock);
        free(port);
        return code;
    }
    if (port->os_gate)
        gate_init(&port->gate, UINT_MAX, UINT_MAX);
    else
        gate_init(&port->gate, port->concurrency, port->engine->pollers_max);
    why[0] = '\0';
    *result = port;
    return 0;
}

static void sockets_close(struct cport *port, struct gate_effects *effects)
{
    for (uint32_t index = 0; index < port->slots; index++) {
        struct cp_socket *socket = &port->chunks[index / SLOTS_PER_CHUNK][index % SLOTS_PER_CHUNK];
        if (socket->open)
            socket_close_locked(socket, false, effects);
    }
}

/* Called without the lock, of a closed port. */
static void drain(struct cport *port)
{
    if (port->engine->drain)
        port->engine->drain(port);
}

void cp_close(struct cport *port)
{
    if (!port)
        return;
    struct gate_effects effects = {0};
    struct gate_queue dropped = {0};
    port_lock(port);
    if (!port->closed) {
        port->closed = true;
        gate_close(&port->gate, &dropped, &effects);
        for (struct cp_link *link; (link = gate_queue_pop(&dropped));)
            drop(port, link);
        sockets_close(port, &effects);
    }
    port_unlock(port, &effects);
    drain(port);
}

void cp_free(struct cport *port)
{
    if (!port)
        return;
    cp_close(port);
    workers_forget(port);
    port->engine->close(port);
    sockets_free(port);
    free(port->deadlines.slots);
    pthread_mutex_destroy(&port->lock);
    free(port);
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

enum { ROUND_LEAST = 8 }; /* waits; a look costs about as much as a small receive */

enum awaited { AWAITED_PACKETS, AWAITED_TIMEOUT, AWAITED_CLOSED };

static uint64_t time_left_ns(uint64_t deadline_ns)
{
    if (deadline_ns == CP_FOREVER || deadline_ns == 0)
        return deadline_ns;
    uint64_t now_ns = os_now_ns();
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

/* Called and returns with the lock; parks without it. */
static void park(struct cport *port, struct worker *worker, uint64_t left_ns,
                 struct gate_effects *effects)
{
    port_unlock(port, effects);
    *effects = (struct gate_effects){0};
    bool woken = os_park(&worker->parker, left_ns);
    port_lock(port);
    if (!woken && worker->gate.state != GATE_PARKED) {
        /* Somebody chose this worker just as its time ran out: the unpark is on its way. */
        pthread_mutex_unlock(&port->lock);
        os_park(&worker->parker, UINT64_MAX);
        port_lock(port);
    }
    gate_back(&port->gate, &worker->gate);
}

static int poll_engine(struct cport *port, struct worker *worker, uint64_t left_ns,
                       struct gate_effects *effects)
{
    port->unpolled = 0;
    port_unlock(port, effects);
    *effects = (struct gate_effects){0};
    int code = port->engine->poll(port, &worker->gate, left_ns, effects);
    deadline_expire(port, effects);
    return code;
}

/* A worker that always finds a packet never asks the engine, and one lane that is always ready is
 * enough for that: whatever else became ready would wait for as long. So it looks in after each
 * round, when all that was queued has had its turn, while it still counts as running: nobody else
 * is to take its place meanwhile. More often would serve many lanes that are all ready by small
 * pieces. Where the kernel itself queues completions, packets come to an end. A kick that this look
 * takes from a poller is given again by whoever takes the next packet. */
static void look_in(struct cport *port, const struct worker *worker, struct gate_effects *effects)
{
    const bool busy = worker->gate.state == GATE_RUNNING && port->gate.queue.first;
    if (!busy || !(port->engine->flags & ENGINE_READINESS))
        return;
    if (port->unpolled++ == 0)
        port->round = gate_queue_count(&port->gate.queue);
    if (port->unpolled < ROUND_LEAST || port->unpolled < port->round)
        return;
    port->unpolled = 0;
    port_unlock(port, effects);
    *effects = (struct gate_effects){0};
    port->engine->poll(port, NULL, 0, effects); /* broken beyond use: the next poll says so, too */
    deadline_expire(port, effects);
}

/* Waits until packets are this worker's. Returns with the lock held. `deadline_ns` 0: only
 * looks. */
static enum awaited await(struct cport *port, struct worker *worker, unsigned max,
                          uint64_t deadline_ns, struct gate_queue *taken,
                          struct gate_effects *effects)
{
    bool looked = false;
    port_lock(port);
    look_in(port, worker, effects);
    gate_arrive(&port->gate, &worker->gate);
    for (;;) {
        enum gate_verdict verdict = gate_next(&port->gate, &worker->gate, max, taken, effects);
        if (verdict == GATE_TAKE)
            return AWAITED_PACKETS;
        if (verdict == GATE_CLOSED)
            return AWAITED_CLOSED;
        uint64_t left_ns = time_left_ns(deadline_ns);
        if (left_ns == 0 && (looked || verdict == GATE_PARK)) {
            gate_timeout(&port->gate, &worker->gate, effects);
            return AWAITED_TIMEOUT;
        }
        if (verdict == GATE_PARK)
            park(port, worker, left_ns, effects);
        else if (poll_engine(port, worker, left_ns, effects) == 0)
            looked = true;
    }
}

static void deliver(struct cp_op *op, struct cp_packet *packet)
{
    *packet = (struct cp_packet){.op = op, .key = op->key, .result = op->result};
    op->pending = false;
}

/* A ready lane that a worker has taken from the queue: whether there is anything to do in it. */
static bool lane_take(struct lane *lane, struct turn *turn)
{
    lane->queued = false;
    if (turn_begin(turn, lane))
        return true;
    if (!lane->socket->open)
        socket_settle(lane->socket);
    return false;
}

/* Called with the lock, returns without it. How many packets were filled in. */
static int carry(struct cport *port, struct gate_queue *taken, struct cp_packet *packets,
                 struct gate_effects *effects)
{
    struct turn turns[CP_BATCH_MAX];
    unsigned turn_count = 0;
    int count = 0;
    for (struct cp_link *link; (link = gate_queue_pop(taken));) {
        if (!link->is_lane)
            deliver(op_of(link), &packets[count++]);
        else if (lane_take(lane_of(link), &turns[turn_count]))
            turn_count++;
    }
    port_unlock(port, effects);
    if (turn_count == 0)
        return count;
    if (port->engine->advance_all)
        port->engine->advance_all(port, turns, turn_count);
    else
        for (unsigned index = 0; index < turn_count; index++)
            turn_advance(&turns[index]);
    *effects = (struct gate_effects){0};
    port_lock(port);
    for (unsigned index = 0; index < turn_count; index++) {
        struct cp_op *op = turn_end(&turns[index], effects);
        if (op)
            deliver(op, &packets[count++]);
    }
    port_unlock(port, effects);
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
    uint64_t deadline_ns = bounded ? os_now_ns() + timeout_ns : timeout_ns;
    for (;;) {
        struct gate_queue taken = {0};
        struct gate_effects effects = {0};
        enum awaited awaited = await(port, worker, max, deadline_ns, &taken, &effects);
        if (awaited != AWAITED_PACKETS) {
            port_unlock(port, &effects);
            if (awaited != AWAITED_CLOSED)
                return 0;
            drain(port); /* this worker may have had an operation in hand as the port was closed */
            return CP_ECLOSED;
        }
        int count = carry(port, &taken, packets, &effects);
        if (count > 0)
            return count;
        /* Every lane turned out not to be ready after all: wait on. */
    }
}

/* ---- blocking sections and posts ----------------------------------------------------------- */

void cp_block_begin(struct cport *port)
{
    struct worker *worker = worker_current(port);
    if (!worker)
        return;
    struct gate_effects effects = {0};
    port_lock(port);
    if (worker->gate.state == GATE_RUNNING)
        gate_block(&port->gate, &worker->gate, &effects);
    port_unlock(port, &effects);
}

void cp_block_end(struct cport *port)
{
    struct worker *worker = worker_current(port);
    if (!worker)
        return;
    port_lock(port);
    if (worker->gate.state == GATE_BLOCKED)
        gate_unblock(&port->gate, &worker->gate);
    port_unlock(port, &(struct gate_effects){0});
}

int cp_post(struct cport *port, struct cp_op *op, uintptr_t key, int64_t result)
{
    if (!port || !op)
        return CP_EINVAL;
    struct gate_effects effects = {0};
    int code = CP_ECLOSED;
    port_lock(port);
    if (!port->closed && op->pending) {
        code = CP_EINVAL;
    } else if (!port->closed) {
        op->kind = CP_POST;
        op->link = (struct cp_link){0};
        op->pending = true;
        op->key = key;
        op->result = result;
        port_post(port, &op->link, &effects);
        code = 0;
    }
    port_unlock(port, &effects);
    return code;
}
