/* Behaviours of the port itself: 1 to 12, and of association: 13 to 17. */
#include "cport/tests/conformance/stage.h"

static bool post_numbered(struct stage *stage, struct cp_op *ops, unsigned count)
{
    for (unsigned index = 0; index < count; index++)
        if (cp_post(stage->port, &ops[index], index, 0) != 0)
            return false;
    return true;
}

void post_and_get(struct stage *stage)
{
    EXPECT(cp_post(stage->port, &stage->op, 77, -5) == 0);
    EXPECT(cp_post(stage->port, &stage->op, 78, 0) == CP_EINVAL); /* in flight */
    EXPECT(next_is(stage, &stage->op, -5));
    EXPECT(stage->packet.key == 77 && stage->op.kind == CP_POST);
    EXPECT(cp_post(stage->port, &stage->op, 79, 1) == 0); /* free again */
    EXPECT(next_is(stage, &stage->op, 1) && stage->packet.key == 79);
}

void packets_in_order(struct stage *stage)
{
    struct cp_op ops[6] = {0};
    struct cp_packet packets[6];
    EXPECT(post_numbered(stage, ops, 6));
    for (unsigned done = 0; done < 6;) {
        int count = cp_wait(stage->port, packets, 4, ms(PATIENCE_MS));
        EXPECT(count > 0 && count <= 4);
        for (int index = 0; index < count; index++)
            EXPECT(packets[index].key == done++);
    }
}

void empty_times_out(struct stage *stage)
{
    struct cp_packet packet = {.key = 5, .result = 6};
    EXPECT(cp_wait(stage->port, &packet, 1, 0) == 0);
    EXPECT(cp_wait(stage->port, &packet, 1, ms(5)) == 0);
    EXPECT(packet.key == 5 && packet.result == 6 && packet.op == NULL);
}

void timeout_accuracy(struct stage *stage)
{
    uint64_t before_ns = os_now_ns();
    EXPECT(!next_within(stage, 60));
    uint64_t took_ns = os_now_ns() - before_ns;
    EXPECT(took_ns >= ms(60 - 16));
    EXPECT(took_ns < ms(PATIENCE_MS));
}

void batch_never_waits_to_fill(struct stage *stage)
{
    struct cp_op ops[3] = {0};
    struct cp_packet packets[8];
    EXPECT(post_numbered(stage, ops, 3));
    int count = cp_wait(stage->port, packets, 8, CP_FOREVER);
    EXPECT(count >= 1 && count <= 3);
    EXPECT(cp_wait(stage->port, packets, 0, 0) == CP_EINVAL);
    EXPECT(cp_wait(stage->port, NULL, 1, 0) == CP_EINVAL);
}

void failed_io_is_a_packet(struct stage *stage)
{
    EXPECT(post_receive(stage) == 0);
    far_reset(stage);
    EXPECT(next_within(stage, PATIENCE_MS));
    EXPECT(stage->packet.op == &stage->op && stage->packet.key == 7 && stage->packet.result < 0);
    EXPECT(stage->op.os_error != 0 || stage->packet.result == CP_ERESET);
}

struct waiter {
    pthread_t thread;
    struct cport *port;
    int result;
};

static void *wait_forever(void *argument)
{
    struct waiter *waiter = argument;
    struct cp_packet packet;
    waiter->result = cp_wait(waiter->port, &packet, 1, CP_FOREVER);
    return NULL;
}

void close_wakes_waiters(struct stage *stage)
{
    enum { WAITERS = 4 };
    struct waiter waiters[WAITERS];
    for (unsigned index = 0; index < WAITERS; index++) {
        struct waiter *waiter = &waiters[index];
        waiter->port = stage->port;
        EXPECT(os_thread_start(&waiter->thread, OS_ROLE_WORKER, 0, wait_forever, waiter) == 0);
    }
    os_sleep_ns(ms(A_MOMENT_MS));
    cp_close(stage->port);
    for (unsigned index = 0; index < WAITERS; index++)
        pthread_join(waiters[index].thread, NULL);
    for (unsigned index = 0; index < WAITERS; index++)
        EXPECT(waiters[index].result == CP_ECLOSED);
}

void use_after_close(struct stage *stage)
{
    struct cp_socket socket;
    cp_close(stage->port);
    EXPECT(cp_wait(stage->port, &stage->packet, 1, CP_FOREVER) == CP_ECLOSED);
    EXPECT(cp_post(stage->port, &stage->op, 1, 1) == CP_ECLOSED);
    EXPECT(cp_socket_open(stage->port, net_family(&stage->address), 1, &socket) == CP_ECLOSED);
}

void close_drops_queued_packets(struct stage *stage)
{
    EXPECT(cp_post(stage->port, &stage->op, 1, 42) == 0);
    cp_close(stage->port);
    EXPECT(cp_wait(stage->port, &stage->packet, 1, 0) == CP_ECLOSED);
    EXPECT(stage->op.result == 42);
}

void close_ends_pending_io(struct stage *stage)
{
    char byte;
    EXPECT(post_receive(stage) == 0);
    cp_close(stage->port);
    EXPECT(cp_wait(stage->port, &stage->packet, 1, ms(A_MOMENT_MS)) == CP_ECLOSED);
    EXPECT(far_receive(stage, &byte, 1) <= 0); /* the connection was closed too */
}

void associate_twice(struct stage *stage)
{
    struct cp_socket again;
    EXPECT(cp_associate(stage->port, cp_socket_handle(stage->near), 1, &again) == CP_EINVAL);
}

void associate_no_socket(struct stage *stage)
{
    struct cp_socket socket;
    EXPECT(cp_associate(stage->port, (cp_handle)0x7ffffff0, 1, &socket) == CP_EINVAL);
    EXPECT(cp_associate(stage->port, CP_HANDLE_NONE, 1, &socket) == CP_EINVAL);
}

void idle_close_posts_nothing(struct stage *stage)
{
    cp_socket_close(stage->near);
    EXPECT(nothing_comes(stage));
}
