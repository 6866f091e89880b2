/* Behaviours of sending: 37 to 42, and of cancelling: 53 to 57. */
#include "cport/tests/conformance/stage.h"

enum { LARGE_BYTES = 32 << 20 }; /* more than socket buffers take */

/* A send that stays pending, of data that the behaviour leaves until the process ends. */
static bool large_send(struct stage *stage)
{
    static char *large;
    if (!large)
        large = calloc(1, LARGE_BYTES);
    stage->block = (struct cp_block){large, LARGE_BYTES};
    return large && cp_send(stage->near, &stage->op, &stage->block, 1) == 0;
}

void send_is_whole(struct stage *stage)
{
    char part[4096];
    bool done = false;
    EXPECT(large_send(stage));
    for (size_t got = 0; got < LARGE_BYTES; got += sizeof part) {
        EXPECT(far_receive(stage, part, sizeof part) == (int64_t)sizeof part);
        if (!done && next_within(stage, 0))
            done = stage->packet.op == &stage->op && stage->packet.result == LARGE_BYTES;
    }
    EXPECT(done || next_is(stage, &stage->op, LARGE_BYTES));
}

/* While the connection is half open, and when the far end has finished, too: waiting data stays. */
void send_after_shutdown(struct stage *stage)
{
    static const char *const texts[] = {"half", "both"};
    net_finish(cp_socket_handle(stage->near));
    for (unsigned index = 0; index < 2; index++) {
        struct cp_op send = {0};
        struct cp_block block = {"stray", 5};
        EXPECT(far_send(stage, texts[index], 4) == 4);
        if (index == 1)
            cp_socket_close(stage->far);
        os_sleep_ns(ms(A_MOMENT_MS));
        int code = cp_send(stage->near, &send, &block, 1);
        EXPECT(code == CP_ESHUTDOWN || (code == 0 && next_is(stage, &send, CP_ESHUTDOWN)));
        EXPECT(post_receive(stage) == 0);
        EXPECT(next_is(stage, &stage->op, 4));
        EXPECT(memcmp(stage->data, texts[index], 4) == 0);
    }
    EXPECT(post_receive(stage) == 0);
    EXPECT(next_is(stage, &stage->op, 0));
}

/* Sends that were accepted go out first; later ones are refused; receives go on. */
void shutdown_after_sends(struct stage *stage)
{
    static char part[1 << 16];
    struct cp_op receive = {0}, late = {0};
    int64_t arrived = 0, count;
    bool done = false;
    EXPECT(large_send(stage));
    EXPECT(cp_shutdown(stage->near) == 0);
    EXPECT(cp_shutdown(stage->near) == 0);
    EXPECT(cp_send(stage->near, &late, &(struct cp_block){"late", 4}, 1) == CP_ESHUTDOWN);
    while ((count = far_receive(stage, part, sizeof part)) > 0) {
        arrived += count;
        if (!done && next_within(stage, 0))
            done = stage->packet.op == &stage->op && stage->packet.result == LARGE_BYTES;
    }
    EXPECT(arrived == LARGE_BYTES && count == 0);
    EXPECT(done || next_is(stage, &stage->op, LARGE_BYTES));
    EXPECT(nothing_comes(stage));
    EXPECT(cp_receive(stage->near, &receive, &(struct cp_block){stage->data, 4}, 1) == 0);
    EXPECT(far_send(stage, "back", 4) == 4);
    EXPECT(next_is(stage, &receive, 4) && memcmp(stage->data, "back", 4) == 0);
}

void send_after_reset(struct stage *stage)
{
    struct cp_op send = {0};
    reset_while_receiving(stage);
    EXPECT(!stage->problem);
    EXPECT(cp_send(stage->near, &send, &stage->block, 1) == CP_ERESET);
    EXPECT(nothing_comes(stage));
}

void reset_while_sending(struct stage *stage)
{
    EXPECT(large_send(stage));
    EXPECT(nothing_comes(stage));
    far_reset(stage);
    EXPECT(next_is(stage, &stage->op, CP_ERESET));
}

void cancel_half_done_send(struct stage *stage)
{
    EXPECT(large_send(stage));
    EXPECT(nothing_comes(stage));
    EXPECT(cp_cancel(stage->near, &stage->op) == 0);
    EXPECT(next_is(stage, &stage->op, CP_ECANCELED));
    EXPECT(nothing_comes(stage));
}

void sends_in_order(struct stage *stage)
{
    enum { COUNT = 8, PART = 200000, ALL = COUNT * PART };
    static char data[ALL], arrived[ALL];
    struct cp_op ops[COUNT] = {0};
    struct cp_block blocks[COUNT];
    unsigned done = 0;
    for (unsigned index = 0; index < COUNT; index++) {
        memset(data + index * PART, 'a' + (int)index, PART);
        blocks[index] = (struct cp_block){data + index * PART, PART};
        EXPECT(cp_send(stage->near, &ops[index], &blocks[index], 1) == 0);
    }
    for (size_t got = 0; got < ALL; got += PART / 10) {
        EXPECT(far_receive(stage, arrived + got, PART / 10) == PART / 10);
        while (done < COUNT && next_within(stage, 0))
            EXPECT(stage->packet.op == &ops[done++]);
    }
    EXPECT(memcmp(data, arrived, ALL) == 0);
}

/* ---- cancel -------------------------------------------------------------------------------- */

void cancel_pending(struct stage *stage)
{
    EXPECT(post_receive(stage) == 0);
    EXPECT(cp_cancel(stage->near, &stage->op) == 0);
    EXPECT(next_is(stage, &stage->op, CP_ECANCELED));
    EXPECT(nothing_comes(stage));
}

void cancel_finds_nothing(struct stage *stage)
{
    struct cp_op never = {0};
    EXPECT(cp_cancel(stage->near, &never) == CP_ENOTFOUND);
    EXPECT(post_receive(stage) == 0);
    EXPECT(arrives(stage, "abc"));
    EXPECT(cp_cancel(stage->near, &stage->op) == CP_ENOTFOUND);
}

void cancel_everything(struct stage *stage)
{
    enum { COUNT = 5 };
    struct cp_op ops[COUNT] = {0};
    EXPECT(cp_cancel(stage->near, NULL) == CP_ENOTFOUND);
    for (unsigned index = 0; index < COUNT; index++)
        EXPECT(cp_receive(stage->near, &ops[index], &stage->block, 1) == 0);
    EXPECT(cp_cancel(stage->near, NULL) == 0);
    for (unsigned index = 0; index < COUNT; index++)
        EXPECT(next_within(stage, PATIENCE_MS) && stage->packet.result == CP_ECANCELED);
    EXPECT(nothing_comes(stage));
}

void cancel_loses_no_data(struct stage *stage)
{
    cancel_pending(stage);
    EXPECT(!stage->problem);
    EXPECT(far_send(stage, "kept", 4) == 4);
    EXPECT(post_receive(stage) == 0);
    EXPECT(next_is(stage, &stage->op, 4));
    EXPECT(memcmp(stage->data, "kept", 4) == 0);
}
