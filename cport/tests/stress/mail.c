/* What belongs to a side and to no connection: posts without an operation, timers, and datagrams
 * between the two sides' mailboxes. */
#include "cport/tests/stress/stress.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* ---- posts without an operation ------------------------------------------------------------ */

/* The key names poster and number, the result follows from it. */
void side_post_key(struct side *side, unsigned poster, uint64_t number)
{
    uintptr_t key = (uintptr_t)number * SUBMITTERS_MAX + poster;
    bool was_closed = atomic_load(&side->closed);
    atomic_fetch_add(&side->in_flight[OP_KEY], 1);
    int code = cp_post_key(side->port, key, (int64_t)random_mix(key));
    LAW(code == 0 ? !was_closed : code == CP_ECLOSED && atomic_load(&side->closing),
        "a post by key returned %d", code);
    if (code == 0)
        count(&tally.ops[OP_KEY]);
    else
        atomic_fetch_sub(&side->in_flight[OP_KEY], 1);
}

void key_over(struct worker *worker, struct side *side, const struct cp_packet *packet)
{
    uint64_t number = packet->key / SUBMITTERS_MAX;
    uint64_t *last = &worker->last[side->index][packet->key % SUBMITTERS_MAX];
    LAW(packet->result == (int64_t)random_mix(packet->key), "a post by key came with another's");
    LAW(number > *last, "post %" PRIu64 " came after post %" PRIu64, number, *last);
    *last = number;
    LAW(atomic_fetch_sub(&side->in_flight[OP_KEY], 1) > 0, "a post by key came twice");
}

/* ---- timers -------------------------------------------------------------------------------- */

void side_timer(struct side *side, struct rng *rng)
{
    uint64_t after_ns = rng_chance(rng, 20) ? 0 : rng_below(rng, 30000) * UINT64_C(1000);
    struct way *way = &side->posts;
    pthread_mutex_lock(&way->lock);
    struct tracked_op *tracked = tracked_op_new(way, side, NULL, OP_TIMER);
    tracked->key = (uintptr_t)rng_next(rng);
    tracked->due_ns = os_now_ns() + after_ns;
    tracked_op_begin(way, tracked);
    int code = cp_timer(side->port, &tracked->op, tracked->key, after_ns);
    tracked_op_accepted(way, tracked, code);
    pthread_mutex_unlock(&way->lock);
}

/* The newest of the side's operations, if it is a timer. */
void side_timer_cancel(struct side *side)
{
    struct way *way = &side->posts;
    pthread_mutex_lock(&way->lock);
    struct tracked_op *tracked =
        way_oldest(way) ? LIST_MEMBER(way->ops.before, struct tracked_op, in_way) : NULL;
    if (tracked && tracked->kind == OP_TIMER) {
        bool was_over = !atomic_load(&tracked->in_flight);
        atomic_store(&tracked->cancelled, true);
        int code = cp_timer_cancel(side->port, &tracked->op);
        LAW(code == 0 || code == CP_ENOTFOUND ||
                (code == CP_ECLOSED && atomic_load(&side->closing)),
            "cancelling a timer returned %s", cp_error_name(code));
        LAW(code != 0 || !was_over, "a timer that was over could be cancelled");
    }
    pthread_mutex_unlock(&way->lock);
}

void timer_over(const struct tracked_op *tracked, int64_t result)
{
    bool cancelled = result == CP_ECANCELED && atomic_load(&tracked->cancelled);
    LAW(result == 0 || cancelled, "a timer ended with %" PRId64 " for no reason", result);
    LAW(cancelled || os_now_ns() >= tracked->due_ns, "a timer ended early");
}

/* ---- datagrams ----------------------------------------------------------------------------- */

enum { DATAGRAM_BITS = 12, DATAGRAM_BLOCKS_MAX = 4 };

void mailbox_open(struct side *side, struct rng *rng)
{
    struct mailbox *mailbox = &side->mailbox;
    struct net_address any = net_ipv4(0x7f000001, 0);
    way_init(&mailbox->way, rng);
    pthread_rwlock_init(&mailbox->life, NULL);
    int code =
        cp_socket_open_udp(side->port, net_family(&any), (uintptr_t)mailbox, &mailbox->socket);
    LAW(code == 0, "no UDP socket: %s", cp_error_name(code));
    code = cp_bind(mailbox->socket, net_sockaddr(&any), any.bytes);
    LAW(code == 0, "no UDP socket on 127.0.0.1: %s", cp_error_name(code));
    mailbox->address = listener_address(mailbox->socket);
    mailbox->skips = rng_chance(rng, 50) && cp_socket_skip(mailbox->socket, true) == 0;
}

void mailbox_close(struct side *side)
{
    pthread_rwlock_wrlock(&side->mailbox.life);
    atomic_store(&side->mailbox.closed, true);
    cp_socket_close(side->mailbox.socket);
    pthread_rwlock_unlock(&side->mailbox.life);
}

void mailbox_free(struct side *side)
{
    way_free(&side->mailbox.way);
    pthread_rwlock_destroy(&side->mailbox.life);
}

static int submit_datagram(struct side *side, struct tracked_op *tracked)
{
    struct mailbox *mailbox = &side->mailbox;
    const struct net_address *far = &other_side(side)->mailbox.address;
    struct rng *rng = &tracked->rng;
    unsigned blocks = rng_between(rng, 1, DATAGRAM_BLOCKS_MAX);
    tracked->from_bytes = sizeof tracked->from;
    tracked_op_fill_blocks(tracked, blocks, blocks + KEY_BYTES + rng_size(rng, DATAGRAM_BITS));
    if (tracked->kind == OP_SEND_TO)
        content_write(rng_next(rng), 0, tracked->data, tracked->bytes);
    tracked_op_begin(&mailbox->way, tracked);
    if (tracked->kind == OP_SEND_TO)
        return cp_send_to(mailbox->socket, &tracked->op, tracked->blocks, blocks, net_sockaddr(far),
                          far->bytes);
    return cp_receive_from(mailbox->socket, &tracked->op, tracked->blocks, blocks,
                           (struct sockaddr *)tracked->from, &tracked->from_bytes);
}

/* A mailbox that skips packets may have the result at once. */
void mailbox_use(struct side *side, enum op_kind kind)
{
    struct mailbox *mailbox = &side->mailbox;
    struct tracked_op *tracked = NULL;
    int code = 0;
    pthread_rwlock_rdlock(&mailbox->life);
    pthread_mutex_lock(&mailbox->way.lock);
    if (!atomic_load(&mailbox->closed) && mailbox->way.in_flight < RECEIVES_MAX) {
        tracked = tracked_op_new(&mailbox->way, side, NULL, kind);
        tracked->key = (uintptr_t)mailbox;
        code = submit_datagram(side, tracked);
        LAW(code != CP_DONE || mailbox->skips, "a %s had no packet unasked", op_names[kind]);
        tracked_op_accepted(&mailbox->way, tracked, code == CP_DONE ? 0 : code);
    }
    pthread_mutex_unlock(&mailbox->way.lock);
    pthread_rwlock_unlock(&mailbox->life);
    if (code != CP_DONE)
        return;
    LAW(atomic_exchange(&tracked->in_flight, false), "a %s that was over had a packet",
        op_names[kind]);
    atomic_fetch_sub(&side->in_flight[kind], 1);
    datagram_over(tracked, tracked->op.result);
}

void mailbox_cancel(struct side *side)
{
    struct mailbox *mailbox = &side->mailbox;
    pthread_mutex_lock(&mailbox->way.lock);
    struct tracked_op *tracked = way_oldest(&mailbox->way);
    if (tracked) {
        atomic_store(&tracked->cancelled, true);
        int code = cp_cancel(mailbox->socket, &tracked->op);
        LAW(code == 0 || code == CP_ENOTFOUND, "cancelling returned %s", cp_error_name(code));
    }
    pthread_mutex_unlock(&mailbox->way.lock);
}

/* What came is what somebody sent, from its first byte on; a cut datagram fills all blocks. */
static void datagram_check(const struct tracked_op *tracked)
{
    const struct net_address *far = &other_side(tracked->side)->mailbox.address;
    size_t bytes = tracked->result < 0 ? tracked->bytes : (size_t)tracked->result;
    uint64_t key = 0;
    LAW(bytes <= tracked->bytes, "a datagram of %" PRIu64 " bytes had less room", (uint64_t)bytes);
    LAW(bytes > KEY_BYTES, "a datagram of %" PRIu64 " bytes came, which nobody sent",
        (uint64_t)bytes);
    LAW(is_painted(tracked->data + bytes, tracked->bytes - bytes),
        "a receive wrote behind its datagram");
    LAW(tracked->from_bytes == far->bytes && memcmp(tracked->from, far->data, 8) == 0,
        "a datagram came from a stranger");
    for (unsigned index = KEY_BYTES; index-- > 0;)
        key = key << 8 | tracked->data[index];
    LAW(content_right(key, KEY_BYTES, tracked->data + KEY_BYTES, bytes - KEY_BYTES) ==
            bytes - KEY_BYTES,
        "a datagram's bytes are wrong");
}

void datagram_over(struct tracked_op *tracked, int64_t result)
{
    struct side *side = tracked->side;
    struct mailbox *mailbox = &side->mailbox;
    bool receive = tracked->kind == OP_RECEIVE_FROM;
    tracked->result = result;
    bool explained =
        (result == CP_ECANCELED && atomic_load(&tracked->cancelled)) ||
        (result == CP_EABORTED && (atomic_load(&mailbox->closed) || atomic_load(&side->closing)));
    if (receive && (result >= 0 || result == CP_EMSGSIZE))
        datagram_check(tracked);
    else
        LAW(explained || result == (int64_t)tracked->bytes,
            "a %s of %" PRIu64 " bytes ended with %" PRId64 " (OS code %d)",
            op_names[tracked->kind], (uint64_t)tracked->bytes, result, tracked->op.os_error);
    pthread_mutex_lock(&mailbox->way.lock);
    mailbox->way.in_flight--;
    list_remove(&tracked->in_way);
    tracked_op_retire(&mailbox->way, tracked);
    pthread_mutex_unlock(&mailbox->way.lock);
    if (receive && !atomic_load(&side->stress->draining))
        mailbox_use(side, OP_RECEIVE_FROM);
}
