/* Behaviours of queueing and receiving: 22 to 36. */
#include "cport/tests/conformance/stage.h"

void ready_data_is_a_packet_too(struct stage *stage)
{
    EXPECT(far_send(stage, "abc", 3) == 3);
    os_sleep_ns(ms(A_MOMENT_MS));
    EXPECT(post_receive(stage) == 0);
    EXPECT(next_is(stage, &stage->op, 3));
    EXPECT(memcmp(stage->data, "abc", 3) == 0);
    EXPECT(nothing_comes(stage));
}

void pending_is_one_packet(struct stage *stage)
{
    EXPECT(post_receive(stage) == 0);
    EXPECT(nothing_comes(stage));
    EXPECT(arrives(stage, "abc"));
    EXPECT(nothing_comes(stage));
}

void refused_is_no_packet(struct stage *stage)
{
    EXPECT(cp_receive(stage->near, &stage->op, NULL, 3) == CP_EINVAL);
    EXPECT(cp_accept(stage->near, &stage->op, NULL, NULL) == CP_EINVAL);
    EXPECT(nothing_comes(stage));
}

struct other_worker {
    struct cport *port;
    atomic_uint packets;
};

static void *count_packets(void *argument)
{
    struct other_worker *other = argument;
    struct cp_packet packet;
    while (cp_wait(other->port, &packet, 1, CP_FOREVER) == 1)
        atomic_fetch_add(&other->packets, 1);
    return NULL;
}

/* Another thread may take the packet before the submitting call returns, so the call must not touch
 * the operation afterwards. Sanitizers would see that; this checks that all packets arrive. */
void another_thread_first(struct stage *stage)
{
    enum { ROUNDS = 200 };
    static struct cp_op ops[ROUNDS];
    struct other_worker other = {.port = stage->port};
    pthread_t thread;
    struct cp_block block = {"x", 1};
    memset(ops, 0, sizeof ops);
    EXPECT(os_thread_start(&thread, OS_ROLE_WORKER, 0, count_packets, &other) == 0);
    for (unsigned round = 0; round < ROUNDS; round++)
        if (cp_send(stage->near, &ops[round], &block, 1) != 0)
            break;
    bool all_came = reaches(&other.packets, ROUNDS);
    cp_close(stage->port);
    pthread_join(thread, NULL);
    EXPECT(all_came);
}

void short_read(struct stage *stage)
{
    char one[4], two[100];
    struct cp_block blocks[] = {{one, 4}, {two, 100}};
    EXPECT(cp_receive(stage->near, &stage->op, blocks, 2) == 0);
    EXPECT(far_send(stage, "abcdef", 6) == 6);
    EXPECT(next_is(stage, &stage->op, 6));
    EXPECT(memcmp(one, "abcd", 4) == 0 && memcmp(two, "ef", 2) == 0);
}

void receives_complete_in_order(struct stage *stage)
{
    enum { COUNT = 8 };
    struct cp_op ops[COUNT] = {0};
    struct cp_block blocks[COUNT];
    for (unsigned index = 0; index < COUNT; index++) {
        blocks[index] = (struct cp_block){&stage->data[index], 1};
        EXPECT(cp_receive(stage->near, &ops[index], &blocks[index], 1) == 0);
    }
    EXPECT(far_send(stage, "stuvwxyz", COUNT) == COUNT);
    for (unsigned index = 0; index < COUNT; index++)
        EXPECT(next_is(stage, &ops[index], 1));
    EXPECT(memcmp(stage->data, "stuvwxyz", COUNT) == 0);
}

void graceful_end(struct stage *stage)
{
    EXPECT(post_receive(stage) == 0);
    EXPECT(arrives(stage, "last"));
    EXPECT(post_receive(stage) == 0);
    cp_socket_close(stage->far);
    EXPECT(next_is(stage, &stage->op, 0));
    EXPECT(post_receive(stage) == 0); /* a later one: the same again */
    EXPECT(next_is(stage, &stage->op, 0));
}

void reset_while_receiving(struct stage *stage)
{
    EXPECT(post_receive(stage) == 0);
    far_reset(stage);
    EXPECT(next_is(stage, &stage->op, CP_ERESET));
}

void receive_after_reset(struct stage *stage)
{
    reset_while_receiving(stage);
    EXPECT(!stage->problem);
    EXPECT(post_receive(stage) == CP_ERESET);
    EXPECT(nothing_comes(stage));
}

void close_while_receiving(struct stage *stage)
{
    struct cp_op second = {0};
    EXPECT(post_receive(stage) == 0);
    EXPECT(cp_receive(stage->near, &second, &stage->block, 1) == 0);
    cp_socket_close(stage->near);
    for (unsigned index = 0; index < 2; index++) {
        EXPECT(next_within(stage, PATIENCE_MS));
        EXPECT(stage->packet.result == CP_EABORTED && stage->packet.key == 7);
    }
    EXPECT(nothing_comes(stage));
}

void zero_byte_receive(struct stage *stage)
{
    EXPECT(cp_receive(stage->near, &stage->op, NULL, 0) == 0);
    EXPECT(nothing_comes(stage));
    EXPECT(far_send(stage, "abc", 3) == 3);
    EXPECT(next_is(stage, &stage->op, 0));
    EXPECT(post_receive(stage) == 0);
    EXPECT(next_is(stage, &stage->op, 3));
    EXPECT(cp_receive(stage->near, &stage->op, NULL, 0) == 0);
    cp_socket_close(stage->far);
    EXPECT(next_is(stage, &stage->op, 0));
}

void receive_unconnected(struct stage *stage)
{
    stage->near = fresh(stage, 1);
    EXPECT(stage->near.port);
    EXPECT(post_receive(stage) == CP_ENOTCONN);
    EXPECT(nothing_comes(stage));
}

static void *receive_once(void *stage)
{
    return post_receive(stage) == 0 ? stage : NULL;
}

void issuing_thread_ends(struct stage *stage)
{
    pthread_t thread;
    void *accepted;
    EXPECT(os_thread_start(&thread, OS_ROLE_WORKER, 0, receive_once, stage) == 0);
    pthread_join(thread, &accepted);
    EXPECT(accepted);
    EXPECT(arrives(stage, "abc"));
}
