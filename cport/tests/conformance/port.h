/* Behaviours of the port itself: 1 to 12. */
#ifndef FANIN_CONFORMANCE_PORT_H
#define FANIN_CONFORMANCE_PORT_H

#include "cport/tests/conformance/stage.h"

static const char *post_and_get(struct stage *stage)
{
    struct cp_op op = {0};
    struct cp_packet packet;
    EXPECT(cp_post(stage->port, &op, 77, -5) == 0);
    EXPECT(next(stage->port, &packet));
    EXPECT(packet.op == &op && packet.key == 77 && packet.result == -5);
    return NULL;
}

static const char *packets_in_order(struct stage *stage)
{
    struct cp_op ops[6] = {0};
    struct cp_packet packets[6];
    for (unsigned index = 0; index < 6; index++)
        EXPECT(cp_post(stage->port, &ops[index], index, 0) == 0);
    for (unsigned done = 0; done < 6;) {
        int count = cp_wait(stage->port, packets, 4, ms(PATIENCE_MS));
        EXPECT(count > 0);
        for (int index = 0; index < count; index++)
            EXPECT(packets[index].key == done++);
    }
    return NULL;
}

static const char *empty_times_out(struct stage *stage)
{
    struct cp_packet packet = {.key = 5, .result = 6};
    EXPECT(cp_wait(stage->port, &packet, 1, 0) == 0);
    EXPECT(cp_wait(stage->port, &packet, 1, ms(5)) == 0);
    EXPECT(packet.key == 5 && packet.result == 6 && packet.op == NULL);
    return NULL;
}

static const char *timeout_accuracy(struct stage *stage)
{
    struct cp_packet packet;
    uint64_t before_ns = os_now_ns();
    EXPECT(cp_wait(stage->port, &packet, 1, ms(60)) == 0);
    uint64_t took_ns = os_now_ns() - before_ns;
    EXPECT(took_ns >= ms(60 - 16));
    EXPECT(took_ns < ms(PATIENCE_MS));
    return NULL;
}

static const char *batch_never_waits_to_fill(struct stage *stage)
{
    struct cp_op ops[3] = {0};
    struct cp_packet packets[8];
    for (unsigned index = 0; index < 3; index++)
        EXPECT(cp_post(stage->port, &ops[index], index, 0) == 0);
    int count = cp_wait(stage->port, packets, 8, CP_FOREVER);
    EXPECT(count >= 1 && count <= 3);
    EXPECT(cp_wait(stage->port, packets, 0, 0) == CP_EINVAL);
    return NULL;
}

static const char *failed_io_is_a_packet(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    far_reset(&pair);
    EXPECT(next(stage->port, &packet));
    EXPECT(packet.op == &op && packet.key == 7 && packet.result < 0);
    EXPECT(op.os_error != 0 || packet.result == CP_ERESET);
    return NULL;
}

struct waiter {
    struct cport *port;
    int result;
};

static void *wait_for_ever(void *argument)
{
    struct waiter *waiter = argument;
    struct cp_packet packet;
    waiter->result = cp_wait(waiter->port, &packet, 1, CP_FOREVER);
    return NULL;
}

static const char *close_wakes_waiters(struct stage *stage)
{
    enum { WAITERS = 4 };
    struct waiter waiters[WAITERS];
    pthread_t threads[WAITERS];
    for (unsigned index = 0; index < WAITERS; index++) {
        waiters[index] = (struct waiter){.port = stage->port};
        EXPECT(os_thread_start(&threads[index], OS_ROLE_WORKER, 0, wait_for_ever,
                               &waiters[index]) == 0);
    }
    os_sleep_ns(ms(A_MOMENT_MS));
    cp_close(stage->port);
    for (unsigned index = 0; index < WAITERS; index++) {
        pthread_join(threads[index], NULL);
        EXPECT(waiters[index].result == CP_ECLOSED);
    }
    return NULL;
}

static const char *use_after_close(struct stage *stage)
{
    struct cp_op op = {0};
    struct cp_packet packet;
    struct cp_socket *socket;
    cp_close(stage->port);
    EXPECT(cp_wait(stage->port, &packet, 1, CP_FOREVER) == CP_ECLOSED);
    EXPECT(cp_post(stage->port, &op, 1, 1) == CP_ECLOSED);
    EXPECT(cp_socket_open(stage->port, net_family(&stage->address), 1, &socket) == CP_ECLOSED);
    return NULL;
}

static const char *close_drops_queued_packets(struct stage *stage)
{
    struct cp_op op = {0};
    struct cp_packet packet;
    EXPECT(cp_post(stage->port, &op, 1, 42) == 0);
    cp_close(stage->port);
    EXPECT(cp_wait(stage->port, &packet, 1, 0) == CP_ECLOSED);
    EXPECT(op.result == 42);
    return NULL;
}

static const char *close_ends_pending_io(struct stage *stage)
{
    static struct cp_op op; /* the port's until it is freed */
    static char data[8];
    static struct cp_block block = {data, 8};
    struct pair pair;
    struct cp_packet packet;
    EXPECT(pair_open(stage, &pair));
    op = (struct cp_op){0};
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    cp_close(stage->port);
    EXPECT(cp_wait(stage->port, &packet, 1, ms(A_MOMENT_MS)) == CP_ECLOSED);
    EXPECT(far_receive(stage, &pair, data, 1) <= 0); /* the connection went with it */
    return NULL;
}

/* ---- association: 13 to 17 ----------------------------------------------------------------- */

static const char *associate_twice(struct stage *stage)
{
    struct pair pair;
    struct cp_socket *again;
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_associate(stage->port, cp_socket_handle(pair.near), 1, &again) == CP_EINVAL);
    return NULL;
}

static const char *associate_no_socket(struct stage *stage)
{
    struct cp_socket *socket;
    EXPECT(cp_associate(stage->port, (cp_handle)0x7ffffff0, 1, &socket) == CP_EINVAL);
    EXPECT(cp_associate(stage->port, CP_HANDLE_NONE, 1, &socket) == CP_EINVAL);
    return NULL;
}

static const char *idle_close_posts_nothing(struct stage *stage)
{
    struct pair pair;
    EXPECT(pair_open(stage, &pair));
    cp_socket_close(pair.near);
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

#endif
