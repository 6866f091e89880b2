/* Behaviours of queueing and receiving: 22 to 36. */
#ifndef FANIN_CONFORMANCE_RECEIVE_H
#define FANIN_CONFORMANCE_RECEIVE_H

#include "cport/tests/conformance/stage.h"

static const char *ready_data_is_a_packet_too(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(far_send(stage, &pair, "abc", 3) == 3);
    os_sleep_ns(ms(A_MOMENT_MS));
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    EXPECT(next(stage->port, &packet));
    EXPECT(packet.result == 3 && memcmp(data, "abc", 3) == 0);
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

static const char *pending_is_one_packet(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    EXPECT(nothing_comes(stage->port));
    EXPECT(far_send(stage, &pair, "abc", 3) == 3);
    EXPECT(next(stage->port, &packet) && packet.result == 3);
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

static const char *refused_is_no_packet(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, NULL, 3) == CP_EINVAL);
    EXPECT(cp_accept(pair.near, &op) == CP_EINVAL);
    EXPECT(nothing_comes(stage->port));
    return NULL;
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

/* The packet may be taken by another thread before the submitting call returns: the call must
 * not touch the operation afterwards. What a sanitizer would see; here, that all arrive. */
static const char *another_thread_may_be_first(struct stage *stage)
{
    enum { ROUNDS = 200 };
    struct other_worker other = {.port = stage->port};
    pthread_t thread;
    struct pair pair;
    static struct cp_op ops[ROUNDS];
    struct cp_block block = {"x", 1};
    memset(ops, 0, sizeof ops);
    EXPECT(pair_open(stage, &pair));
    EXPECT(os_thread_start(&thread, OS_ROLE_WORKER, 0, count_packets, &other) == 0);
    for (unsigned round = 0; round < ROUNDS; round++)
        if (cp_send(pair.near, &ops[round], &block, 1) != 0)
            break;
    for (unsigned turn = 0; turn < PATIENCE_MS && atomic_load(&other.packets) < ROUNDS; turn++)
        os_sleep_ns(ms(1));
    unsigned packets = atomic_load(&other.packets);
    cp_close(stage->port);
    pthread_join(thread, NULL);
    EXPECT(packets == ROUNDS);
    return NULL;
}

static const char *short_read(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char one[4], two[100];
    struct cp_block blocks[] = {{one, 4}, {two, 100}};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, blocks, 2) == 0);
    EXPECT(far_send(stage, &pair, "abcdef", 6) == 6);
    EXPECT(next(stage->port, &packet) && packet.result == 6);
    EXPECT(memcmp(one, "abcd", 4) == 0 && memcmp(two, "ef", 2) == 0);
    return NULL;
}

static const char *receives_complete_in_order(struct stage *stage)
{
    enum { COUNT = 4 };
    struct pair pair;
    struct cp_op ops[COUNT] = {0};
    char data[COUNT];
    struct cp_block blocks[COUNT];
    EXPECT(pair_open(stage, &pair));
    for (unsigned index = 0; index < COUNT; index++) {
        blocks[index] = (struct cp_block){&data[index], 1};
        EXPECT(cp_receive(pair.near, &ops[index], &blocks[index], 1) == 0);
    }
    EXPECT(far_send(stage, &pair, "wxyz", COUNT) == COUNT);
    for (unsigned index = 0; index < COUNT; index++) {
        struct cp_packet packet;
        EXPECT(next(stage->port, &packet));
        EXPECT(packet.op == &ops[index] && packet.result == 1);
    }
    EXPECT(memcmp(data, "wxyz", COUNT) == 0);
    return NULL;
}

static const char *graceful_end(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    far_close(&pair);
    EXPECT(next(stage->port, &packet) && packet.result == 0);
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0); /* issued later: the same again */
    EXPECT(next(stage->port, &packet) && packet.result == 0);
    return NULL;
}

static const char *reset_while_receiving(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    far_reset(&pair);
    EXPECT(next(stage->port, &packet) && packet.result == CP_ERESET);
    return NULL;
}

static const char *receive_after_reset(struct stage *stage)
{
    struct cp_op op = {0};
    struct pair pair;
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    far_reset(&pair);
    EXPECT(next(stage->port, &packet) && packet.result == CP_ERESET);
    EXPECT(cp_receive(pair.near, &op, &block, 1) == CP_ERESET);
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

static const char *close_while_receiving(struct stage *stage)
{
    struct pair pair;
    struct cp_op ops[2] = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    for (unsigned index = 0; index < 2; index++)
        EXPECT(cp_receive(pair.near, &ops[index], &block, 1) == 0);
    cp_socket_close(pair.near);
    for (unsigned index = 0; index < 2; index++) {
        EXPECT(next(stage->port, &packet));
        EXPECT(packet.result == CP_EABORTED && packet.key == 7);
    }
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

static const char *zero_byte_receive(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, NULL, 0) == 0);
    EXPECT(nothing_comes(stage->port));
    EXPECT(far_send(stage, &pair, "abc", 3) == 3);
    EXPECT(next(stage->port, &packet) && packet.result == 0);
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    EXPECT(next(stage->port, &packet) && packet.result == 3);
    EXPECT(cp_receive(pair.near, &op, NULL, 0) == 0);
    far_close(&pair);
    EXPECT(next(stage->port, &packet) && packet.result == 0);
    return NULL;
}

static const char *receive_unconnected(struct stage *stage)
{
    struct cp_socket *socket;
    struct cp_op op = {0};
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(cp_socket_open(stage->port, net_family(&stage->address), 1, &socket) == 0);
    EXPECT(cp_receive(socket, &op, &block, 1) == CP_ENOTCONN);
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

struct issuer {
    struct cp_socket *socket;
    struct cp_op op;
    struct cp_block block;
    char data[8];
    int accepted;
};

static void *issue_and_end(void *argument)
{
    struct issuer *issuer = argument;
    issuer->block = (struct cp_block){issuer->data, sizeof issuer->data};
    issuer->accepted = cp_receive(issuer->socket, &issuer->op, &issuer->block, 1);
    return NULL;
}

static const char *issuing_thread_ends(struct stage *stage)
{
    struct pair pair;
    pthread_t thread;
    struct cp_packet packet;
    static struct issuer issuer;
    memset(&issuer, 0, sizeof issuer);
    EXPECT(pair_open(stage, &pair));
    issuer.socket = pair.near;
    EXPECT(os_thread_start(&thread, OS_ROLE_WORKER, 0, issue_and_end, &issuer) == 0);
    pthread_join(thread, NULL);
    EXPECT(issuer.accepted == 0);
    EXPECT(far_send(stage, &pair, "abc", 3) == 3);
    EXPECT(next(stage->port, &packet));
    EXPECT(packet.op == &issuer.op && packet.result == 3);
    return NULL;
}

#endif
