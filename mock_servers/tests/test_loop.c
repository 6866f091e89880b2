/* The loop: who is not called any more, and that a round ends. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/test.h"
#include "mock_servers/loop.h"

/* A handler that removes another one when it is called. */
struct remover {
    struct handler handler;
    struct loop *loop;
    struct remover *victim;
    int ends[2];
    unsigned calls;
    bool is_removed;
};

static void remover_remove(struct remover *remover)
{
    loop_remove(remover->loop, &remover->handler);
    remover->is_removed = true;
}

static void remover_handle(struct handler *handler, unsigned signs)
{
    struct remover *remover = LIST_MEMBER(handler, struct remover, handler);
    assert_false(remover->is_removed);
    remover->calls++;
    if (!remover->victim->is_removed)
        remover_remove(remover->victim);
    if (signs == 0)
        loop_schedule(remover->loop, handler);
}

static void removers_open(struct loop *loop, struct remover removers[2])
{
    assert_int_equal(loop_open(loop), 0);
    for (unsigned i = 0; i < 2; i++) {
        removers[i] = (struct remover){
            .handler.handle = remover_handle, .loop = loop, .victim = &removers[1 - i]};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, removers[i].ends), 0);
        assert_int_equal(loop_add(loop), 0);
    }
}

static void removers_close(struct loop *loop, struct remover removers[2])
{
    for (unsigned i = 0; i < 2; i++) {
        if (!removers[i].is_removed)
            remover_remove(&removers[i]);
        close(removers[i].ends[0]);
        close(removers[i].ends[1]);
    }
    loop_close(loop);
}

/* Both sockets have something in the same round: whoever is first removes the other. */
TEST(an_event_of_a_handler_that_was_removed_meanwhile_is_dropped)
{
    struct loop loop;
    struct remover removers[2];
    removers_open(&loop, removers);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(loop_watch(&loop, &removers[i].handler, removers[i].ends[0]), 0);
        assert_int_equal(write(removers[i].ends[1], "x", 1), 1);
    }
    loop_round(&loop, OS_NS_PER_S);
    assert_int_equal(removers[0].calls + removers[1].calls, 1);
    removers_close(&loop, removers);
}

/* The last one that is ready goes, and the first one is ready again and again. */
TEST(a_round_ends_although_its_last_handler_was_removed)
{
    struct loop loop;
    struct remover removers[2];
    removers_open(&loop, removers);
    loop_schedule(&loop, &removers[0].handler);
    loop_schedule(&loop, &removers[1].handler);
    loop_round(&loop, 0);
    assert_int_equal(removers[0].calls, 1);
    assert_int_equal(removers[1].calls, 0);
    removers_close(&loop, removers);
}
