/* Ends of connections: everything that a thread may do to an end or a port at any moment. Each
 * function checks the port's answer. */
#include "cport/tests/stress/stress.h"

#include <sched.h>

enum { SENDS_MAX = 3, RECEIVE_BITS = 17 };

_Thread_local bool is_waiting;

/* ---- explanations -------------------------------------------------------------------------- */

bool far_may_be_gone(struct end *end)
{
    struct end *partner = atomic_load(&end->partner);
    return !partner || atomic_load(&partner->closing) || atomic_load(&partner->side->closing);
}

bool is_explained(struct end *end, const struct tracked_op *tracked, int64_t code)
{
    switch (code) {
    case CP_ECANCELED:
        return atomic_load(&end->cancelled) || atomic_load(&tracked->cancelled);
    case CP_EABORTED: /* also of a worker that was attempting it as the port closed */
        return atomic_load(&end->closing) || atomic_load(&end->side->closing);
    case CP_ERESET:
        return end->goal == GOAL_LINE && far_may_be_gone(end);
    default:
        return false;
    }
}

/* ---- ends ---------------------------------------------------------------------------------- */

struct end *end_new(struct side *side, enum goal goal, bool connector, struct rng *rng)
{
    struct stress *stress = side->stress;
    struct end *end = get_memory(sizeof *end);
    *end = (struct end){.side = side, .goal = goal, .connector = connector};
    pthread_rwlock_init(&end->life, NULL);
    way_init(&end->in, rng);
    way_init(&end->out, rng);
    end->narrow = rng_chance(rng, 40);
    end->lazy = rng_chance(rng, 25);
    end->one_way = connector && rng_chance(rng, 30);
    end->sent_max = rng_size(rng, 22);
    atomic_init(&end->doubtful, UINT64_MAX);
    unsigned index = atomic_fetch_add(&stress->end_count, 1);
    LAW(index < ENDS_MAX, "the test itself opened too many ends");
    end->key = rng_next(rng) << 16 | index;
    atomic_store(&stress->ends[index], end);
    return end;
}

struct end *end_at(struct stress *stress, unsigned index)
{
    struct end *end;
    while (!(end = atomic_load(&stress->ends[index])))
        sched_yield();
    return end;
}

void end_free(struct end *end)
{
    way_free(&end->in);
    way_free(&end->out);
    pthread_rwlock_destroy(&end->life);
    free(end);
}

/* What was sent arrives, and nothing follows. */
static void finish_sending(struct end *end)
{
    static struct cp_block stray = {"stray", 5};
    struct cp_op op = {0};
    int code = cp_shutdown(end->socket);
    LAW(code == 0 || (code == CP_ECLOSED && atomic_load(&end->side->closing)),
        "shutting down returned %s", cp_error_name(code));
    code = cp_send(end->socket, &op, &stray, 1);
    LAW(code == CP_ESHUTDOWN || code == CP_ERESET ||
            (code == CP_ECLOSED && atomic_load(&end->side->closing)),
        "a send after shutting down returned %d", code);
}

/* A closing port closes its handles; until then they may be used. */
static void with_handle(struct end *end, void (*act)(cp_handle handle))
{
    struct side *side = end->side;
    pthread_rwlock_rdlock(&side->handles);
    if (!atomic_load(&side->closing))
        act(cp_socket_handle(end->socket));
    pthread_rwlock_unlock(&side->handles);
}

void end_close(struct end *end, enum close_kind how)
{
    pthread_rwlock_wrlock(&end->life);
    if (end->socket.port) {
        atomic_store(&end->whole, how == CLOSE_WHOLE);
        atomic_store(&end->closing, true);
        if (how == CLOSE_WHOLE && end->narrow)
            finish_sending(end);
        if (how == CLOSE_RESET && atomic_load(&end->established))
            with_handle(end, handle_reset_on_close);
        cp_socket_close(end->socket);
        end->socket = (struct cp_socket){0};
        if (end->connector)
            atomic_fetch_sub(&end->side->stress->live, 1);
    }
    pthread_rwlock_unlock(&end->life);
}

/* ---- receiving ----------------------------------------------------------------------------- */

static unsigned source_take(void *context, struct cp_block *blocks, unsigned max)
{
    struct tracked_op *tracked = context;
    LAW(is_waiting, "a source was asked outside cp_wait");
    LAW(tracked->lent == 0, "a source was asked again before its blocks came back");
    LAW(atomic_load(&tracked->in_flight), "a source was asked for a receive that is over");
    LAW(blocks == tracked->blocks, "a source was given another's blocks to fill");
    if (rng_chance(&tracked->rng, 15)) {
        tracked->refused++;
        return 0;
    }
    unsigned count = rng_between(&tracked->rng, 1, max);
    uint8_t *data = tracked->data;
    for (unsigned index = 0; index < count; index++, data += tracked->bytes / max)
        blocks[index] = (struct cp_block){data, tracked->bytes / max};
    return tracked->lent = count;
}

static void source_give(void *context, struct cp_block *blocks, unsigned count)
{
    struct tracked_op *tracked = context;
    LAW(is_waiting, "a source got its blocks back outside cp_wait");
    LAW(blocks == tracked->blocks && count == tracked->lent, "a source got back %u blocks of %u",
        count, tracked->lent);
    tracked->lent = 0;
}

static int submit_in(struct end *end, struct tracked_op *tracked)
{
    struct rng *rng = &tracked->rng;
    unsigned count = rng_between(rng, 1, 4);
    struct cp_source source = {source_take, source_give, tracked};
    switch (tracked->kind) {
    case OP_ACCEPT:
        tracked_op_begin(&end->in, tracked);
        return cp_accept(end->socket, &tracked->op, NULL, NULL);
    case OP_PEEK:
        tracked_op_begin(&end->in, tracked);
        return cp_receive(end->socket, &tracked->op, NULL, 0);
    case OP_LATE:
        tracked_op_fill_blocks(tracked, 1, count * rng_size(rng, RECEIVE_BITS - 2));
        tracked_op_begin(&end->in, tracked);
        return cp_receive_late(end->socket, &tracked->op, tracked->blocks, count, &source);
    default:
        tracked_op_fill_blocks(tracked, count, count + rng_size(rng, RECEIVE_BITS));
        tracked_op_begin(&end->in, tracked);
        return cp_receive(end->socket, &tracked->op, tracked->blocks, count);
    }
}

/* The end's way in is held. */
static void begin_in(struct end *end, enum op_kind kind)
{
    struct tracked_op *tracked = tracked_op_new(&end->in, end->side, end, kind);
    int code = submit_in(end, tracked);
    bool explained = kind != OP_ACCEPT && is_explained(end, tracked, code);
    LAW(code == 0 || code == CP_ECLOSED || explained, "a %s was refused with %s", op_names[kind],
        cp_error_name(code));
    if (!tracked_op_accepted(&end->in, tracked, code) && kind != OP_ACCEPT)
        atomic_store(&end->lost, true);
}

static void end_begin_in(struct end *end, enum op_kind kind, unsigned most)
{
    if (!end->socket.port)
        return;
    pthread_mutex_lock(&end->in.lock);
    if (end->in.in_flight < most && !atomic_load(&end->side->stress->ending))
        begin_in(end, kind);
    pthread_mutex_unlock(&end->in.lock);
}

void end_receive(struct end *end, enum op_kind kind, unsigned most)
{
    if (atomic_load(&end->established))
        end_begin_in(end, kind, most);
}

void end_accept(struct end *end)
{
    end_begin_in(end, OP_ACCEPT, RECEIVES_MAX);
}

enum op_kind random_receive(struct rng *rng)
{
    unsigned roll = rng_below(rng, 100);
    return roll < 12 ? OP_PEEK : roll < 40 ? OP_LATE : OP_RECEIVE;
}

/* ---- sending ------------------------------------------------------------------------------- */

/* An accepted end must first learn its partner, and whether it may answer. */
static bool may_send(struct end *end)
{
    struct stress *stress = end->side->stress;
    if (!end->socket.port || !atomic_load(&end->established) || end->stopped ||
        end->goal != GOAL_LINE || atomic_load(&stress->draining))
        return false;
    if (!end->connector) {
        struct end *partner = atomic_load(&end->partner);
        if (!partner || partner->one_way)
            return false;
    }
    /* The greeting is sent alone, so that it is never cut off with others behind it. */
    unsigned most = atomic_load(&end->sent) == 0 ? 1 : SENDS_MAX;
    return end->out.in_flight < most && end->submitted < end->sent_max &&
           atomic_load(&stress->budget_bytes) > 0;
}

void end_send(struct end *end)
{
    pthread_mutex_lock(&end->out.lock);
    if (may_send(end)) {
        struct tracked_op *tracked = tracked_op_new(&end->out, end->side, end, OP_SEND);
        struct rng *rng = &tracked->rng;
        size_t bytes = KEY_BYTES + rng_size(rng, end->side->stress->mix.send_bits);
        unsigned count = rng_between(rng, 1, 4);
        tracked_op_fill_blocks(tracked, count, bytes);
        content_write(end->key, end->submitted, tracked->data, bytes);
        tracked->start = end->submitted;
        end->submitted += bytes;
        atomic_fetch_sub(&end->side->stress->budget_bytes, (int64_t)bytes);
        tracked_op_begin(&end->out, tracked);
        int code = cp_send(end->socket, &tracked->op, tracked->blocks, count);
        LAW(code == 0 || code == CP_ECLOSED || is_explained(end, tracked, code),
            "a send was refused with %s", cp_error_name(code));
        if (!tracked_op_accepted(&end->out, tracked, code))
            end->stopped = true;
    }
    pthread_mutex_unlock(&end->out.lock);
}

/* ---- cancelling ---------------------------------------------------------------------------- */

void doubt_from(struct end *end, uint64_t position)
{
    uint64_t before = atomic_load(&end->doubtful);
    while (position < before && !atomic_compare_exchange_weak(&end->doubtful, &before, position))
        ;
}

static int cancel_checked(struct end *end, struct cp_op *op)
{
    int code = cp_cancel(end->socket, op);
    LAW(code == 0 || code == CP_ENOTFOUND, "cancelling returned %s", cp_error_name(code));
    return code;
}

void end_cancel_one(struct end *end, struct way *way)
{
    if (!end->socket.port)
        return;
    pthread_mutex_lock(&way->lock);
    struct tracked_op *tracked = way_oldest(way);
    if (tracked && rng_chance(&way->rng, 50)) /* the newest instead */
        tracked = LIST_MEMBER(way->ops.before, struct tracked_op, in_way);
    /* The greeting is never cancelled: without it nothing can be checked. */
    if (tracked && !(tracked->kind == OP_SEND && tracked->start == 0)) {
        if (tracked->kind == OP_SEND)
            doubt_from(end, tracked->start);
        atomic_store(&tracked->cancelled, true);
        bool was_over = !atomic_load(&tracked->in_flight);
        int code = cancel_checked(end, &tracked->op);
        LAW(code != 0 || !was_over, "a %s that was over could be cancelled",
            op_names[tracked->kind]);
    }
    pthread_mutex_unlock(&way->lock);
}

void end_cancel_all(struct end *end)
{
    if (!end->socket.port)
        return;
    pthread_mutex_lock(&end->out.lock);
    uint64_t position = end->submitted;
    const struct tracked_op *oldest = way_oldest(&end->out); /* sends are in the stream's order */
    if (oldest && oldest->kind == OP_SEND)
        position = oldest->start;
    doubt_from(end, position);
    atomic_store(&end->cancelled, true);
    pthread_mutex_unlock(&end->out.lock);
    cancel_checked(end, NULL);
}

/* ---- connecting --------------------------------------------------------------------------- */

/* The end's life and its way out are held. */
static bool connect_submit(struct end *end, const struct net_address *address, bool is_relief)
{
    struct way *way = &end->out;
    struct tracked_op *tracked = tracked_op_new(way, end->side, end, OP_CONNECT);
    tracked->is_relief = is_relief;
    bool is_short = end->goal == GOAL_FULL || rng_chance(&way->rng, 10);
    uint64_t limit_ns = CP_FOREVER;
    if (is_short)
        limit_ns = rng_below(&way->rng, 20000) * UINT64_C(1000);
    else if (rng_chance(&way->rng, 50))
        limit_ns = ms(60000);
    tracked->due_ns = is_short ? os_now_ns() + limit_ns : 0;
    tracked_op_begin(way, tracked);
    int code =
        cp_connect(end->socket, &tracked->op, net_sockaddr(address), address->bytes, limit_ns);
    LAW(code == 0 || code == CP_ECLOSED, "a connect was refused with %s", cp_error_name(code));
    return tracked_op_accepted(way, tracked, code);
}

bool side_connect(struct side *side, enum goal goal, struct rng *rng, bool is_relief)
{
    struct stress *stress = side->stress;
    struct side *far = other_side(side);
    const struct net_address *address = goal == GOAL_NOBODY ? &stress->nobody
                                        : goal == GOAL_FULL ? &far->full_address
                                                            : &far->address;
    if (atomic_load(&stress->end_count) + 64 > ENDS_MAX || atomic_load(&stress->ending))
        return false;
    struct end *end = end_new(side, goal, true, rng);
    bool accepted = false;
    pthread_rwlock_wrlock(&end->life);
    int code = cp_socket_open(side->port, net_family(address), (uintptr_t)end, &end->socket);
    LAW(code == 0 || (code == CP_ECLOSED && atomic_load(&side->closing)),
        "opening a socket failed with %s", cp_error_name(code));
    if (code == 0) {
        atomic_fetch_add(&stress->live, 1);
        if (end->narrow)
            with_handle(end, handle_narrow);
        pthread_mutex_lock(&end->out.lock);
        accepted = connect_submit(end, address, is_relief);
        pthread_mutex_unlock(&end->out.lock);
    }
    pthread_rwlock_unlock(&end->life);
    return accepted;
}

/* ---- posts --------------------------------------------------------------------------------- */

bool side_post(struct side *side, enum op_kind kind, unsigned poster, uint64_t number)
{
    pthread_mutex_lock(&side->posts.lock);
    struct tracked_op *tracked = tracked_op_new(&side->posts, side, NULL, kind);
    tracked->poster = poster;
    tracked->number = number;
    tracked->result = (int64_t)rng_next(&side->posts.rng); /* a post may carry any number */
    tracked->key = (uintptr_t)tracked->result ^ 1;
    tracked_op_begin(&side->posts, tracked);
    bool was_closed = tracked->was_closed;
    pthread_mutex_unlock(&side->posts.lock);
    int code = cp_post(side->port, &tracked->op, tracked->key, tracked->result);
    if (code == 0) {
        LAW(!was_closed, "a closed port took a %s", op_names[kind]);
        count(&tally.ops[kind]);
        return true;
    }
    LAW(code == CP_ECLOSED, "a post was refused with %s", cp_error_name(code));
    pthread_mutex_lock(&side->posts.lock);
    tracked_op_accepted(&side->posts, tracked, code);
    pthread_mutex_unlock(&side->posts.lock);
    return false;
}

/* ---- misuse -------------------------------------------------------------------------------- */

void end_misuse(struct end *end, struct rng *rng)
{
    if (!end->socket.port)
        return;
    struct way *way = end->goal == GOAL_LISTEN ? &end->out : &end->in;
    pthread_mutex_lock(&way->lock);
    struct tracked_op *tracked = tracked_op_new(way, end->side, end, OP_RECEIVE);
    unsigned which = rng_below(rng, 6);
    tracked_op_fill_blocks(tracked, 4, 64);
    tracked_op_begin(way, tracked);
    int code = 0;
    if (which == 0)
        code = cp_receive(end->socket, &tracked->op, NULL, 3);
    else if (which == 1)
        code = cp_send((struct cp_socket){end->side->port, 1}, &tracked->op, tracked->blocks, 4);
    else if (which == 2)
        code = cp_receive_late(end->socket, &tracked->op, tracked->blocks, 4, NULL);
    else if (which == 3 && end->goal == GOAL_LISTEN)
        code = cp_receive(end->socket, &tracked->op, tracked->blocks, 4);
    else if (which == 3)
        code = cp_accept(end->socket, &tracked->op, NULL, NULL);
    else if (which == 4)
        code = cp_connect(end->socket, &tracked->op, NULL, 0, CP_FOREVER);
    else
        code = cp_cancel(end->socket, &tracked->op);
    tracked_op_withdraw(way, tracked, code);
    pthread_mutex_unlock(&way->lock);
    count(&tally.misuses);
}
