/* Results: checks what a packet says against what was done, then decides what the worker does. */
#include "cport/tests/stress/stress.h"

/* ---- streams ------------------------------------------------------------------------------- */

/* The greeting is complete: finds the sender. */
static void greeted(struct end *end)
{
    uint64_t key = 0;
    for (unsigned index = KEY_BYTES; index-- > 0;)
        key = key << 8 | end->greeting[index];
    unsigned index = (unsigned)(key & 0xffff);
    struct end *sender = index < ENDS_MAX ? atomic_load(&end->side->stress->ends[index]) : NULL;
    LAW(sender && sender->key == key, "a stream begins with bytes that no end sent");
    LAW(sender->side != end->side && sender->connector != end->connector,
        "an end hears from one of its own side");
    struct end *none = NULL;
    if (end->connector) {
        LAW(atomic_load(&end->partner) == sender, "the answer comes from another end");
        return;
    }
    LAW(atomic_compare_exchange_strong(&sender->partner, &none, end), "two ends hear one stream");
    atomic_store(&end->partner, sender);
}

static void stream_verify(struct end *end, const uint8_t *data, size_t bytes)
{
    for (; bytes > 0 && end->position < KEY_BYTES; bytes--) {
        end->greeting[end->position++] = *data++;
        if (end->position == KEY_BYTES)
            greeted(end);
    }
    if (bytes == 0)
        return;
    struct end *sender = atomic_load(&end->partner);
    uint64_t doubtful = atomic_load(&sender->doubtful), position = end->position;
    size_t sure = bytes;
    if (doubtful < position + bytes)
        sure = doubtful > position ? (size_t)(doubtful - position) : 0;
    size_t right = content_right(sender->key, position, data, sure);
    LAW(right == sure, "byte %" PRIu64 " of a stream is wrong", position + right);
    LAW(position + bytes <= atomic_load(&sender->submitted), "more bytes came than were sent");
    end->position += bytes;
    atomic_fetch_add_explicit(&tally.bytes, bytes, memory_order_relaxed);
}

static void stream_finished(struct end *end)
{
    LAW(far_may_be_gone(end), "a stream ended though its sender is open");
    atomic_store(&end->lost, true);
    count(&tally.finished);
    struct end *sender = atomic_load(&end->partner);
    if (sender && atomic_load(&sender->whole)) {
        LAW(end->position == atomic_load(&sender->sent),
            "a stream ended after %" PRIu64 " bytes of %" PRIu64, end->position,
            atomic_load(&sender->sent));
        count(&tally.whole);
    }
    atomic_store(&end->finished, true);
}

/* ---- operations that are over -------------------------------------------------------------- */

/* A result below 0, of a connection's operation. */
static void failed(struct end *end, const struct tracked_op *tracked)
{
    LAW(is_code(tracked->result), "a %s ended with %" PRId64, op_names[tracked->kind],
        tracked->result);
    LAW(is_explained(end, tracked, tracked->result),
        "a %s ended with %s (OS code %d) for no reason", op_names[tracked->kind],
        cp_error_name((int)tracked->result), tracked->op.os_error);
    if (tracked->result == CP_ERESET)
        atomic_store(&end->lost, true);
}

static void receive_over(struct end *end, const struct tracked_op *tracked)
{
    const struct cp_op *op = &tracked->op;
    int64_t result = tracked->result;
    bool late = tracked->kind == OP_LATE;
    LAW(!late || op->block_count == tracked->lent, "a late receive has %u blocks and was given %u",
        op->block_count, tracked->lent);
    if (late && result == CP_ENOBUFS) {
        LAW(tracked->refused > 0 && tracked->lent == 0,
            "a late receive found no blocks for no reason");
        return;
    }
    if (result < 0) {
        failed(end, tracked);
        /* After a failed send a peek may report the reset although bytes are left. */
        end->broken |= result == CP_ERESET && tracked->kind != OP_PEEK;
        return;
    }
    LAW(!end->broken, "a receive returned %" PRId64 " after a reset", result);
    size_t room = late ? 0 : tracked->bytes;
    for (unsigned index = 0; late && index < op->block_count; index++)
        room += op->blocks[index].bytes;
    LAW((uint64_t)result <= room, "a receive of %" PRId64 " bytes had less room", result);
    if (tracked->data)
        LAW(is_painted(tracked->data + result, tracked->bytes - (size_t)result),
            "a receive wrote behind its %" PRId64 " bytes", result);
    if (result > 0) {
        LAW(!end->finished, "bytes came after the stream's end");
        stream_verify(end, tracked->data, (size_t)result);
    } else if (tracked->kind != OP_PEEK) {
        stream_finished(end);
    }
}

static void send_over(struct end *end, const struct tracked_op *tracked)
{
    if (tracked->result >= 0) {
        LAW((uint64_t)tracked->result == tracked->bytes, "a send of part of its bytes completed");
        atomic_fetch_add(&end->sent, tracked->bytes);
        return;
    }
    failed(end, tracked);
    end->stopped = true;
    doubt_from(end, tracked->start);
}

/* A connection may also be reset before the connect is delivered. */
static bool connect_is_explained(struct end *end, const struct tracked_op *tracked)
{
    struct side *far = other_side(end->side);
    struct end *listener = end->goal == GOAL_FULL ? far->full : far->listener;
    switch (tracked->result) {
    case 0:
    case CP_EADDRNOTAVAIL:
        return true;
    case CP_EREFUSED:
        return end->goal == GOAL_NOBODY || atomic_load(&listener->closing) ||
               atomic_load(&far->closing);
    case CP_ERESET:
        return end->goal == GOAL_LINE || atomic_load(&listener->closing) ||
               atomic_load(&far->closing);
    case CP_ETIMEDOUT:
        return tracked->due_ns != 0 && os_now_ns() >= tracked->due_ns;
    default:
        return is_explained(end, tracked, tracked->result);
    }
}

static void connect_over(struct end *end, const struct tracked_op *tracked)
{
    int64_t result = tracked->result;
    LAW(connect_is_explained(end, tracked), "a connect ended with %s (OS code %d) for no reason",
        cp_error_name((int)result), tracked->op.os_error);
    if (tracked->is_relief)
        atomic_store(&end->side->meeting.relieved, true);
    if (result == 0 && end->goal == GOAL_LINE)
        atomic_store(&end->established, true);
    else
        atomic_store(&end->lost, true);
}

static void tracked_op_over(struct end *end, const struct tracked_op *tracked)
{
    if (tracked->result < 0)
        count(&tally.results[cp_error_index((int)tracked->result)]);
    switch (tracked->kind) {
    case OP_CONNECT:
        connect_over(end, tracked);
        break;
    case OP_ACCEPT:
        if (tracked->result != 0)
            failed(end, tracked);
        break;
    case OP_SEND:
        send_over(end, tracked);
        break;
    default:
        receive_over(end, tracked);
    }
}

/* A single worker sees the operations of one direction complete in order. A cancelled one may be
 * delivered after those behind it. */
static bool keeps_its_turn(struct end *end, const struct way *way, const struct tracked_op *tracked)
{
    bool alone = end->side->workers == 1 && end->side->stress->mix.hopping == 0;
    const struct tracked_op *oldest = way_oldest(way);
    return !alone || oldest == tracked || atomic_load(&end->cancelled) ||
           atomic_load(&oldest->cancelled);
}

/* Checks the operations that are over and have no older one in flight: those of one direction are
 * judged in the order of submission, whichever worker had which. Returns rng for the next. */
static struct rng way_settle(struct end *end, struct way *way, struct tracked_op *tracked,
                             int64_t result)
{
    pthread_mutex_lock(&way->lock);
    LAW(result < 0 || keeps_its_turn(end, way, tracked), "a %s overtook older ones",
        op_names[tracked->kind]);
    tracked->done = true;
    tracked->result = result;
    way->in_flight--;
    for (struct tracked_op *each; (each = way_oldest(way)) && each->done;) {
        list_remove(&each->in_way);
        tracked_op_over(end, each);
        tracked_op_retire(way, each);
    }
    struct rng rng = rng_child(&way->rng);
    pthread_mutex_unlock(&way->lock);
    return rng;
}

/* ---- what comes next ----------------------------------------------------------------------- */

/* A connection has been accepted. */
static void welcome(struct side *side, cp_handle handle, struct rng *rng)
{
    struct end *end = end_new(side, GOAL_LINE, false, rng);
    struct cp_socket socket = {0};
    bool was_closed = atomic_load(&side->closed);
    if (end->narrow)
        handle_narrow(handle);
    int code = cp_associate(side->port, handle, (uintptr_t)end, &socket);
    LAW(code == 0 || (code == CP_ECLOSED && atomic_load(&side->closing)),
        "an accepted connection was refused with %s", cp_error_name(code));
    LAW(code != 0 || !was_closed, "a closed port took a connection");
    if (code != 0) {
        net_close(handle);
        return;
    }
    pthread_rwlock_wrlock(&end->life);
    end->socket = socket;
    atomic_store(&end->established, true);
    pthread_rwlock_unlock(&end->life);
    pthread_rwlock_rdlock(&end->life);
    end_receive(end, random_receive(rng), RECEIVES_MAX);
    pthread_rwlock_unlock(&end->life);
}

/* A one-way end has sent everything, and the kernel has it. */
static bool is_whole(struct end *end)
{
    pthread_mutex_lock(&end->out.lock);
    bool whole = end->one_way && end->submitted >= end->sent_max && !way_oldest(&end->out) &&
                 !end->stopped && atomic_load(&end->doubtful) == UINT64_MAX;
    pthread_mutex_unlock(&end->out.lock);
    return whole;
}

/* After an operation of the end: usually more of the same. */
static void end_react(struct end *end, struct rng *rng)
{
    struct stress *stress = end->side->stress;
    struct mix *mix = &stress->mix;
    bool lost = atomic_load(&end->lost), draining = atomic_load(&stress->draining);
    if (lost && (draining || rng_chance(rng, 70))) {
        end_close(end, CLOSE_AT_ONCE);
        return;
    }
    if (is_whole(end) && !atomic_load(&stress->ending))
        end_close(end, CLOSE_WHOLE);
    pthread_rwlock_rdlock(&end->life);
    if (draining) {
        end_receive(end, OP_RECEIVE, 1);
    } else if (!lost) {
        if (rng_chance(rng, end->lazy ? 15 : 85))
            end_receive(end, random_receive(rng), RECEIVES_MAX);
        if (!end->lazy && rng_chance(rng, 25))
            end_receive(end, random_receive(rng), RECEIVES_MAX);
        if (rng_chance(rng, 75))
            end_send(end);
        if (rng_chance(rng, 30))
            end_send(end);
        if (rng_chance(rng, mix->cancelling))
            end_cancel_one(end, rng_chance(rng, 70) ? &end->in : &end->out);
    }
    pthread_rwlock_unlock(&end->life);
    if (!draining && rng_chance(rng, mix->closing))
        end_close(end, rng_chance(rng, 50) ? CLOSE_RESET : CLOSE_AT_ONCE);
}

void end_result(struct tracked_op *tracked, const struct cp_packet *packet)
{
    struct end *end = tracked->end;
    enum op_kind kind = tracked->kind;
    struct way *way = kind == OP_SEND || kind == OP_CONNECT ? &end->out : &end->in;
    cp_handle accepted = tracked->op.accepted;
    struct rng rng = way_settle(end, way, tracked, packet->result);
    if (kind != OP_ACCEPT) {
        end_react(end, &rng);
        return;
    }
    if (packet->result == 0)
        welcome(end->side, accepted, &rng);
    pthread_rwlock_rdlock(&end->life);
    end_accept(end);
    pthread_rwlock_unlock(&end->life);
}
