/* Behaviours of sending and of cancelling: 37 to 42, 53 to 57. */
#ifndef FANIN_CONFORMANCE_SEND_H
#define FANIN_CONFORMANCE_SEND_H

#include "cport/tests/conformance/stage.h"

enum { LARGE_BYTES = 32 << 20 }; /* more than socket buffers take */

static const char *send_is_whole(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char *data = calloc(1, LARGE_BYTES), part[4096];
    struct cp_block block = {data, LARGE_BYTES};
    int64_t got = 0;
    bool done = false;
    EXPECT(data && pair_open(stage, &pair));
    EXPECT(cp_send(pair.near, &op, &block, 1) == 0);
    while (got < LARGE_BYTES) {
        int64_t count = far_receive(stage, &pair, part, sizeof part);
        EXPECT(count == (int64_t)sizeof part);
        got += count;
        if (!done && cp_wait(stage->port, &packet, 1, 0) == 1)
            done = packet.op == &op && packet.result == LARGE_BYTES;
    }
    EXPECT(done || (next(stage->port, &packet) && packet.result == LARGE_BYTES));
    free(data);
    return NULL;
}

static const char *send_after_reset(struct stage *stage)
{
    struct pair pair;
    struct cp_op receive = {0}, send = {0};
    struct cp_packet packet;
    char data[8] = "";
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &receive, &block, 1) == 0);
    far_reset(&pair);
    EXPECT(next(stage->port, &packet) && packet.result == CP_ERESET);
    EXPECT(cp_send(pair.near, &send, &block, 1) == CP_ERESET);
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

static const char *reset_while_sending(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char *data = calloc(1, LARGE_BYTES);
    struct cp_block block = {data, LARGE_BYTES};
    EXPECT(data && pair_open(stage, &pair));
    EXPECT(cp_send(pair.near, &op, &block, 1) == 0);
    EXPECT(nothing_comes(stage->port));
    far_reset(&pair);
    EXPECT(next(stage->port, &packet) && packet.result == CP_ERESET);
    free(data);
    return NULL;
}

static const char *cancel_half_done_send(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char *data = calloc(1, LARGE_BYTES);
    struct cp_block block = {data, LARGE_BYTES};
    EXPECT(data && pair_open(stage, &pair));
    EXPECT(cp_send(pair.near, &op, &block, 1) == 0);
    EXPECT(nothing_comes(stage->port));
    EXPECT(cp_cancel(pair.near, &op) == 0);
    EXPECT(next(stage->port, &packet) && packet.result == CP_ECANCELED);
    EXPECT(nothing_comes(stage->port));
    free(data);
    return NULL;
}

static const char *sends_in_order(struct stage *stage)
{
    enum { COUNT = 8, PART = 200000 };
    struct pair pair;
    struct cp_op ops[COUNT] = {0};
    struct cp_block blocks[COUNT];
    char *data = malloc(COUNT * PART), *arrived = malloc(COUNT * PART);
    EXPECT(data && arrived && pair_open(stage, &pair));
    for (unsigned index = 0; index < COUNT; index++) {
        memset(data + index * PART, 'a' + (int)index, PART);
        blocks[index] = (struct cp_block){data + index * PART, PART};
        EXPECT(cp_send(pair.near, &ops[index], &blocks[index], 1) == 0);
    }
    unsigned done = 0;
    for (size_t got = 0; got < COUNT * PART; got += PART / 10) {
        struct cp_packet packet;
        EXPECT(far_receive(stage, &pair, arrived + got, PART / 10) == PART / 10);
        while (done < COUNT && cp_wait(stage->port, &packet, 1, 0) == 1)
            EXPECT(packet.op == &ops[done++]);
    }
    EXPECT(memcmp(data, arrived, COUNT * PART) == 0);
    free(data);
    free(arrived);
    return NULL;
}

/* ---- cancel -------------------------------------------------------------------------------- */

static const char *cancel_pending(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    EXPECT(cp_cancel(pair.near, &op) == 0);
    EXPECT(next(stage->port, &packet));
    EXPECT(packet.op == &op && packet.result == CP_ECANCELED);
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

static const char *cancel_finds_nothing(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0}, never = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_cancel(pair.near, &never) == CP_ENOTFOUND);
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    EXPECT(far_send(stage, &pair, "abc", 3) == 3);
    EXPECT(next(stage->port, &packet) && packet.result == 3);
    EXPECT(cp_cancel(pair.near, &op) == CP_ENOTFOUND);
    return NULL;
}

static const char *cancel_everything(struct stage *stage)
{
    enum { COUNT = 5 };
    struct pair pair;
    struct cp_op ops[COUNT] = {0};
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_cancel(pair.near, NULL) == CP_ENOTFOUND);
    for (unsigned index = 0; index < COUNT; index++)
        EXPECT(cp_receive(pair.near, &ops[index], &block, 1) == 0);
    EXPECT(cp_cancel(pair.near, NULL) == 0);
    for (unsigned index = 0; index < COUNT; index++) {
        struct cp_packet packet;
        EXPECT(next(stage->port, &packet) && packet.result == CP_ECANCELED);
    }
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

static const char *cancel_loses_no_data(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    EXPECT(cp_cancel(pair.near, &op) == 0);
    EXPECT(next(stage->port, &packet) && packet.result == CP_ECANCELED);
    EXPECT(far_send(stage, &pair, "kept", 4) == 4);
    EXPECT(cp_receive(pair.near, &op, &block, 1) == 0);
    EXPECT(next(stage->port, &packet) && packet.result == 4);
    EXPECT(memcmp(data, "kept", 4) == 0);
    return NULL;
}

#endif
