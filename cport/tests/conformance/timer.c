/* Behaviours of timers: T1 to T7. */
#include "cport/tests/conformance/stage.h"

#define HOUR_NS (UINT64_C(3600) * OS_NS_PER_S)

void timer_is_a_packet(struct stage *stage)
{
    uint64_t before_ns = os_now_ns();
    EXPECT(cp_timer(stage->port, &stage->op, 77, ms(30)) == 0);
    EXPECT(cp_timer(stage->port, &stage->op, 78, 0) == CP_EINVAL); /* in flight */
    EXPECT(!cp_op_done(&stage->op));
    EXPECT(next_is(stage, &stage->op, 0));
    EXPECT(os_now_ns() - before_ns >= ms(30));
    EXPECT(stage->packet.key == 77 && stage->op.kind == CP_TIMER && cp_op_done(&stage->op));
    EXPECT(cp_timer(stage->port, &stage->op, 79, 0) == 0); /* free again */
    EXPECT(next_is(stage, &stage->op, 0) && stage->packet.key == 79);
    EXPECT(nothing_comes(stage));
}

/* When a timer is due: after one moment, and not after the other. */
struct due {
    uint64_t least_ns, most_ns;
};

void timers_in_order(struct stage *stage)
{
    enum { COUNT = 8 };
    static const unsigned delays_ms[COUNT] = {24, 9, 30, 3, 18, 27, 6, 12};
    struct cp_op ops[COUNT] = {0};
    struct due due[COUNT], last = {0};
    for (unsigned index = 0; index < COUNT; index++) {
        uint64_t delay_ns = ms(delays_ms[index]);
        due[index].least_ns = os_now_ns() + delay_ns;
        EXPECT(cp_timer(stage->port, &ops[index], index, delay_ns) == 0);
        due[index].most_ns = os_now_ns() + delay_ns;
    }
    for (unsigned index = 0; index < COUNT; index++) {
        EXPECT(next_within(stage, PATIENCE_MS));
        EXPECT(stage->packet.result == 0);
        EXPECT(last.least_ns <= due[stage->packet.key].most_ns);
        last = due[stage->packet.key];
    }
}

void timer_cancelled(struct stage *stage)
{
    struct cp_op never = {0};
    EXPECT(cp_timer(stage->port, &stage->op, 77, HOUR_NS) == 0);
    EXPECT(cp_timer_cancel(stage->port, &never) == CP_ENOTFOUND);
    EXPECT(cp_timer_cancel(stage->far_port, &stage->op) == CP_ENOTFOUND);
    EXPECT(cp_timer_cancel(stage->port, &stage->op) == 0);
    EXPECT(cp_timer_cancel(stage->port, &stage->op) == CP_ENOTFOUND);
    EXPECT(next_is(stage, &stage->op, CP_ECANCELED) && stage->packet.key == 77);
    EXPECT(nothing_comes(stage));
    EXPECT(cp_timer(stage->port, &stage->op, 77, 0) == 0);
    EXPECT(next_is(stage, &stage->op, 0));
    EXPECT(cp_timer_cancel(stage->port, &stage->op) == CP_ENOTFOUND);
}

void timers_dropped_by_close(struct stage *stage)
{
    struct cp_op later = {0};
    EXPECT(cp_timer(stage->port, &stage->op, 1, HOUR_NS) == 0);
    cp_close(stage->port);
    EXPECT(cp_wait(stage->port, &stage->packet, 1, CP_FOREVER) == CP_ECLOSED);
    EXPECT(cp_timer(stage->port, &later, 1, 0) == CP_ECLOSED);
    EXPECT(cp_timer_cancel(stage->port, &stage->op) == CP_ECLOSED);
    EXPECT(cp_timer(stage->far_port, &stage->op, 1, HOUR_NS) == 0); /* the caller's again */
}

/* A worker that always finds a packet never waits, but timers end all the same. */
void timer_of_a_busy_port(struct stage *stage)
{
    struct cp_op post = {0};
    EXPECT(cp_post(stage->port, &post, 0, 0) == 0);
    EXPECT(cp_timer(stage->port, &stage->op, 77, ms(5)) == 0);
    for (uint64_t until_ns = os_now_ns() + ms(PATIENCE_MS); os_now_ns() < until_ns;) {
        EXPECT(next_within(stage, PATIENCE_MS));
        if (stage->packet.op == &stage->op) {
            EXPECT(next_is(stage, &post, 0));
            return;
        }
        EXPECT(cp_post(stage->port, &post, 0, 0) == 0);
    }
    EXPECT(!"the timer ended");
}

static void *wait_once(void *argument)
{
    struct stage *stage = argument;
    return cp_wait(stage->port, &stage->packet, 1, CP_FOREVER) == 1 ? stage : NULL;
}

/* The second is due before the first, for which the worker waits already. */
void timer_wakes_a_waiter(struct stage *stage)
{
    struct cp_op first = {0};
    pthread_t thread;
    void *woken;
    EXPECT(cp_timer(stage->port, &first, 1, HOUR_NS) == 0);
    EXPECT(os_thread_start(&thread, OS_ROLE_WORKER, 0, wait_once, stage) == 0);
    os_sleep_ns(ms(A_MOMENT_MS));
    EXPECT(cp_timer(stage->port, &stage->op, 2, ms(5)) == 0);
    pthread_join(thread, &woken);
    EXPECT(cp_timer_cancel(stage->port, &first) == 0);
    EXPECT(woken && stage->packet.op == &stage->op && stage->packet.result == 0);
    EXPECT(next_is(stage, &first, CP_ECANCELED));
}

/* A timer that never ends within anybody's life is a timer, too. */
void timer_for_ever(struct stage *stage)
{
    EXPECT(cp_timer(stage->port, &stage->op, 1, UINT64_MAX) == 0);
    EXPECT(nothing_comes(stage));
    EXPECT(cp_timer_cancel(stage->port, &stage->op) == 0);
    EXPECT(next_is(stage, &stage->op, CP_ECANCELED));
}
