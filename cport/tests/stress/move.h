/* Moves: what a thread may do to an end or a port at any moment. Every one of them checks what the
 * port answers. */
#ifndef FANIN_TRIAL_MOVE_H
#define FANIN_TRIAL_MOVE_H

#include "cport/tests/stress/deed.h"

/* CLOSE_WHOLE: after the last byte is with the kernel, on an end that nothing was sent to. */
enum close_kind { CLOSE_AT_ONCE, CLOSE_RESET, CLOSE_WHOLE };

enum { RECEIVES_MAX = 4, SENDS_MAX = 3, RECEIVE_BITS = 17 };

/* ---- why things may end -------------------------------------------------------------------- */

/* Whether the other end may have closed: surely so only if it is known and has not. */
static bool far_may_be_gone(struct end *end)
{
    struct end *partner = atomic_load(&end->partner);
    return !partner || atomic_load(&partner->closing) || atomic_load(&partner->side->closing);
}

/* The codes that any operation of a connection may end or be refused with, if there is a reason
 * for it. */
static bool is_explained(struct end *end, const struct deed *deed, int64_t code)
{
    switch (code) {
    case CP_ECANCELED:
        return atomic_load(&end->cancelled) || atomic_load(&deed->cancelled);
    case CP_EABORTED: /* also of a worker that was at it as the port was closed */
        return atomic_load(&end->closing) || atomic_load(&end->side->closing);
    case CP_ERESET:
        return end->goal == GOAL_LINE && far_may_be_gone(end);
    default:
        return false;
    }
}

/* ---- ends ---------------------------------------------------------------------------------- */

static struct end *end_new(struct side *side, enum goal goal, bool connector, struct dice *dice)
{
    struct trial *trial = side->trial;
    struct end *end = get_memory(sizeof *end);
    *end = (struct end){.trial = trial, .side = side, .goal = goal, .connector = connector};
    pthread_rwlock_init(&end->life, NULL);
    way_init(&end->in, dice);
    way_init(&end->out, dice);
    end->narrow = dice_chance(dice, 40);
    end->lazy = dice_chance(dice, 25);
    end->one_way = connector && dice_chance(dice, 30);
    end->sent_max = dice_size(dice, 22);
    atomic_init(&end->doubtful, UINT64_MAX);
    unsigned index = atomic_fetch_add(&trial->end_count, 1);
    LAW(index < ENDS_MAX, "the test itself opened too many ends");
    end->key = dice_roll(dice) << 16 | index;
    atomic_store(&trial->ends[index], end);
    return end;
}

static void end_free(struct end *end)
{
    way_free(&end->in);
    way_free(&end->out);
    pthread_rwlock_destroy(&end->life);
    free(end);
}

/* The port closes handles as it is closed itself: until then they may be used. */
static bool handles_hold(struct side *side)
{
    pthread_rwlock_rdlock(&side->handles);
    if (!atomic_load(&side->closing))
        return true;
    pthread_rwlock_unlock(&side->handles);
    return false;
}

static void handles_release(struct side *side)
{
    pthread_rwlock_unlock(&side->handles);
}

/* What is under way completes yet. */
static void end_close(struct end *end, enum close_kind how)
{
    pthread_rwlock_wrlock(&end->life);
    if (end->socket) {
        struct pair pair = {.far = end->socket};
        atomic_store(&end->whole, how == CLOSE_WHOLE);
        atomic_store(&end->closing, true);
        end->socket = NULL;
        if (how == CLOSE_RESET && atomic_load(&end->established) && handles_hold(end->side)) {
            far_reset(&pair);
            handles_release(end->side);
        } else {
            far_close(&pair);
        }
        if (end->connector)
            atomic_fetch_sub(&end->trial->live, 1);
    }
    pthread_rwlock_unlock(&end->life);
}

/* ---- receiving ----------------------------------------------------------------------------- */

static _Thread_local bool is_waiting; /* this thread is in cp_wait */

static unsigned source_take(void *context, struct cp_block *blocks, unsigned max)
{
    struct deed *deed = context;
    LAW(is_waiting, "a source was asked outside cp_wait");
    LAW(deed->lent == 0, "a source was asked for more before it got back what it gave");
    LAW(atomic_load(&deed->in_flight), "a source was asked for a receive that is over");
    LAW(blocks == deed->blocks, "a source was given another's blocks to fill");
    if (dice_chance(&deed->dice, 15)) {
        deed->refused++;
        return 0;
    }
    unsigned count = dice_between(&deed->dice, 1, max);
    uint8_t *data = deed->data;
    for (unsigned index = 0; index < count; index++, data += deed->bytes / max)
        blocks[index] = (struct cp_block){data, deed->bytes / max};
    return deed->lent = count;
}

static void source_give(void *context, struct cp_block *blocks, unsigned count)
{
    struct deed *deed = context;
    LAW(is_waiting, "a source got its blocks back outside cp_wait");
    LAW(blocks == deed->blocks && count == deed->lent, "a source got back %u blocks of %u", count,
        deed->lent);
    deed->lent = 0;
}

static int receive_submit(struct end *end, struct deed *deed)
{
    struct dice *dice = &deed->dice;
    unsigned count = dice_between(dice, 1, 4);
    struct cp_source source = {source_take, source_give, deed};
    switch (deed->kind) {
    case DEED_PEEK:
        deed_begin(&end->in, deed);
        return cp_receive(end->socket, &deed->op, NULL, 0);
    case DEED_LATE:
        deed_fill_blocks(deed, 1, count * dice_size(dice, RECEIVE_BITS - 2));
        deed_begin(&end->in, deed);
        return cp_receive_late(end->socket, &deed->op, deed->blocks, count, &source);
    default:
        deed_fill_blocks(deed, count, count + dice_size(dice, RECEIVE_BITS));
        deed_begin(&end->in, deed);
        return cp_receive(end->socket, &deed->op, deed->blocks, count);
    }
}

/* The end's life is held. */
static void end_receive(struct end *end, enum deed_kind kind, unsigned most)
{
    if (!end->socket || !atomic_load(&end->established))
        return;
    pthread_mutex_lock(&end->in.lock);
    if (end->in.in_flight < most && !atomic_load(&end->trial->ending)) {
        struct deed *deed = deed_new(&end->in, end->side, end, kind);
        int code = receive_submit(end, deed);
        LAW(code == 0 || code == CP_ECLOSED || is_explained(end, deed, code),
            "a receive was refused with %s", cp_error_name(code));
        if (!deed_accepted(&end->in, deed, code))
            atomic_store(&end->lost, true);
    }
    pthread_mutex_unlock(&end->in.lock);
}

static enum deed_kind random_receive(struct dice *dice)
{
    unsigned roll = dice_below(dice, 100);
    return roll < 12 ? DEED_PEEK : roll < 40 ? DEED_LATE : DEED_RECEIVE;
}

/* ---- sending ------------------------------------------------------------------------------- */

/* Who was accepted has to hear first who speaks there and whether it may answer. */
static bool may_send(struct end *end)
{
    struct trial *trial = end->trial;
    if (!end->socket || !atomic_load(&end->established) || end->stopped || end->goal != GOAL_LINE ||
        atomic_load(&trial->draining))
        return false;
    if (!end->connector) {
        struct end *partner = atomic_load(&end->partner);
        if (!partner || partner->one_way)
            return false;
    }
    /* The greeting alone, so that it is never cut off with others behind it. */
    unsigned most = atomic_load(&end->sent) == 0 ? 1 : SENDS_MAX;
    return end->out.in_flight < most && end->submitted < end->sent_max &&
           atomic_load(&trial->budget_bytes) > 0;
}

/* The end's life is held. */
static void end_send(struct end *end)
{
    pthread_mutex_lock(&end->out.lock);
    if (may_send(end)) {
        struct deed *deed = deed_new(&end->out, end->side, end, DEED_SEND);
        struct dice *dice = &deed->dice;
        size_t bytes = KEY_BYTES + dice_size(dice, end->trial->temper.send_bits);
        unsigned count = dice_between(dice, 1, 4);
        deed_fill_blocks(deed, count, bytes);
        content_write(end->key, end->submitted, deed->data, bytes);
        deed->start = end->submitted;
        end->submitted += bytes;
        atomic_store(&end->announced, end->submitted);
        atomic_fetch_sub(&end->trial->budget_bytes, (int64_t)bytes);
        deed_begin(&end->out, deed);
        int code = cp_send(end->socket, &deed->op, deed->blocks, count);
        LAW(code == 0 || code == CP_ECLOSED || is_explained(end, deed, code),
            "a send was refused with %s", cp_error_name(code));
        if (!deed_accepted(&end->out, deed, code))
            end->stopped = true;
    }
    pthread_mutex_unlock(&end->out.lock);
}

/* ---- taking back --------------------------------------------------------------------------- */

/* From here on the stream may have a hole. */
static void doubt_from(struct end *end, uint64_t position)
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

/* One operation of a way. The end's life is held. */
static void end_cancel_one(struct end *end, struct way *way)
{
    if (!end->socket)
        return;
    pthread_mutex_lock(&way->lock);
    struct deed *deed = dice_chance(&way->dice, 50) ? way->oldest : way->newest;
    /* The greeting is left alone: without it nothing can be checked. */
    if (deed && !(deed->kind == DEED_SEND && deed->start == 0)) {
        if (deed->kind == DEED_SEND)
            doubt_from(end, deed->start);
        atomic_store(&deed->cancelled, true);
        bool was_over = !atomic_load(&deed->in_flight);
        int code = cancel_checked(end, &deed->op);
        LAW(code != 0 || !was_over, "a %s that was over could be cancelled",
            deed_names[deed->kind]);
    }
    pthread_mutex_unlock(&way->lock);
}

/* Everything. New operations may come in between. The end's life is held. */
static void end_cancel_all(struct end *end)
{
    if (!end->socket)
        return;
    pthread_mutex_lock(&end->out.lock);
    uint64_t position = end->submitted;
    for (struct deed *deed = end->out.oldest; deed; deed = deed->newer)
        if (deed->kind == DEED_SEND && deed->start < position)
            position = deed->start;
    doubt_from(end, position);
    atomic_store(&end->cancelled, true);
    pthread_mutex_unlock(&end->out.lock);
    cancel_checked(end, NULL);
}

/* ---- connecting and accepting -------------------------------------------------------------- */

static void end_accept(struct end *end)
{
    if (!end->socket)
        return;
    pthread_mutex_lock(&end->in.lock);
    if (end->in.in_flight < RECEIVES_MAX && !atomic_load(&end->trial->ending)) {
        struct deed *deed = deed_new(&end->in, end->side, end, DEED_ACCEPT);
        deed_begin(&end->in, deed);
        int code = cp_accept(end->socket, &deed->op);
        LAW(code == 0 || code == CP_ECLOSED, "an accept was refused with %s", cp_error_name(code));
        deed_accepted(&end->in, deed, code);
    }
    pthread_mutex_unlock(&end->in.lock);
}

/* The end's life and its way out are held. */
static bool connect_submit(struct end *end, const struct net_address *address, bool is_relief)
{
    struct way *way = &end->out;
    struct deed *deed = deed_new(way, end->side, end, DEED_CONNECT);
    deed->is_relief = is_relief;
    bool is_short = end->goal == GOAL_FULL || dice_chance(&way->dice, 10);
    uint64_t limit_ns = CP_FOREVER;
    if (is_short)
        limit_ns = dice_below(&way->dice, 20000) * UINT64_C(1000);
    else if (dice_chance(&way->dice, 50))
        limit_ns = ms(60000);
    deed->has_limit = is_short;
    deed->due_ns = os_now_ns() + (is_short ? limit_ns : 0);
    deed_begin(way, deed);
    int code = cp_connect(end->socket, &deed->op, net_sockaddr(address), address->bytes, limit_ns);
    LAW(code == 0 || code == CP_ECLOSED, "a connect was refused with %s", cp_error_name(code));
    return deed_accepted(way, deed, code);
}

/* Opens a connection from `side`, or tries to. False: there will be no completion. */
static bool side_connect(struct side *side, enum goal goal, struct dice *dice, bool is_relief)
{
    struct trial *trial = side->trial;
    struct side *far = other_side(side);
    const struct net_address *address = goal == GOAL_NOBODY ? &trial->nobody
                                        : goal == GOAL_FULL ? &far->full_address
                                                            : &far->address;
    if (atomic_load(&trial->end_count) + 64 > ENDS_MAX || atomic_load(&trial->ending))
        return false;
    struct end *end = end_new(side, goal, true, dice);
    bool accepted = false;
    pthread_rwlock_wrlock(&end->life);
    int code = cp_socket_open(side->port, net_family(address), (uintptr_t)end, &end->socket);
    LAW(code == 0 || (code == CP_ECLOSED && atomic_load(&side->closing)),
        "opening a socket failed with %s", cp_error_name(code));
    if (code == 0) {
        atomic_fetch_add(&trial->live, 1);
        if (end->narrow && handles_hold(side)) {
            handle_narrow(cp_socket_handle(end->socket));
            handles_release(side);
        }
        pthread_mutex_lock(&end->out.lock);
        accepted = connect_submit(end, address, is_relief);
        pthread_mutex_unlock(&end->out.lock);
    }
    pthread_rwlock_unlock(&end->life);
    return accepted;
}

/* ---- posts --------------------------------------------------------------------------------- */

/* The deed is lost to the caller as soon as it is posted. False: the port is closed. */
static bool side_post(struct side *side, struct deed *deed)
{
    pthread_mutex_lock(&side->posts.lock);
    deed->result = (int64_t)dice_roll(&side->posts.dice); /* a post's number may be any */
    deed->key = (uintptr_t)deed->result ^ 1;
    deed_begin(&side->posts, deed);
    bool was_closed = deed->was_closed;
    enum deed_kind kind = deed->kind;
    pthread_mutex_unlock(&side->posts.lock);
    int code = cp_post(side->port, &deed->op, deed->key, deed->result);
    if (code == 0) {
        LAW(!was_closed, "a closed port took a %s", deed_names[kind]);
        count(&tally.deeds[kind]);
        return true;
    }
    LAW(code == CP_ECLOSED, "a post was refused with %s", cp_error_name(code));
    pthread_mutex_lock(&side->posts.lock);
    deed_accepted(&side->posts, deed, code);
    pthread_mutex_unlock(&side->posts.lock);
    return false;
}

static struct deed *post_new(struct side *side, enum deed_kind kind, unsigned poster,
                             uint64_t number)
{
    pthread_mutex_lock(&side->posts.lock);
    struct deed *deed = deed_new(&side->posts, side, NULL, kind);
    pthread_mutex_unlock(&side->posts.lock);
    deed->poster = poster;
    deed->number = number;
    return deed;
}

/* ---- misuse -------------------------------------------------------------------------------- */

/* Each is to be refused, and no packet may come of it. The end's life is held. */
static void end_misuse(struct end *end, struct dice *dice)
{
    if (!end->socket)
        return;
    struct way *way = end->goal == GOAL_LISTEN ? &end->out : &end->in;
    pthread_mutex_lock(&way->lock);
    struct deed *deed = deed_new(way, end->side, end, DEED_RECEIVE);
    unsigned which = dice_below(dice, 6);
    deed_fill_blocks(deed, 4, 64);
    deed_begin(way, deed);
    int code = 0;
    if (which == 0)
        code = cp_receive(end->socket, &deed->op, deed->blocks, CP_BLOCKS_MAX + 1);
    else if (which == 1)
        code = cp_send(end->socket, &deed->op, deed->blocks, 5); /* the fifth is empty */
    else if (which == 2)
        code = cp_receive_late(end->socket, &deed->op, deed->blocks, 4, NULL);
    else if (which == 3 && end->goal == GOAL_LISTEN)
        code = cp_receive(end->socket, &deed->op, deed->blocks, 4);
    else if (which == 3)
        code = cp_accept(end->socket, &deed->op);
    else if (which == 4)
        code = cp_connect(end->socket, &deed->op, NULL, 0, CP_FOREVER);
    else
        code = cp_cancel(end->socket, &deed->op);
    deed_withdraw(way, deed, code);
    pthread_mutex_unlock(&way->lock);
    count(&tally.misfits);
}

#endif
