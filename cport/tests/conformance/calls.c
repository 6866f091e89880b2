/* Behaviours that the port adds to the kernel's calls: P3 and on. */
#include "cport/tests/conformance/stage.h"

void wait_in_ms(struct stage *stage)
{
    uint64_t before_ns = os_now_ns();
    EXPECT(cp_wait_ms(stage->port, &stage->packet, 1, 0) == 0);
    EXPECT(cp_wait_ms(stage->port, &stage->packet, 1, 30) == 0);
    EXPECT(os_now_ns() - before_ns >= ms(30 - 16));
    EXPECT(cp_wait_ms(stage->port, &stage->packet, 1, -2) == CP_EINVAL);
    EXPECT(cp_post(stage->port, &stage->op, 7, 8) == 0);
    EXPECT(cp_wait_ms(stage->port, &stage->packet, 1, -1) == 1 && stage->packet.result == 8);
}

/* Takes one packet, then leaves and stays alive until the port closes. */
struct leaver {
    struct cport *port;
    struct os_parker staying;
    atomic_uint left, packets;
    bool stays;
};

static void *take_and_leave(void *argument)
{
    struct leaver *leaver = argument;
    struct cp_packet packet;
    while (cp_wait(leaver->port, &packet, 1, CP_FOREVER) == 1) {
        atomic_fetch_add(&leaver->packets, 1);
        if (!leaver->stays)
            continue;
        cp_leave(leaver->port);
        cp_leave(leaver->port); /* no worker now: no effect */
        atomic_fetch_add(&leaver->left, 1);
        os_park(&leaver->staying, UINT64_MAX);
    }
    return NULL;
}

/* With a limit of 1 the second worker has the second packet only if the first gave its place. */
void leaving_gives_the_place(struct stage *stage)
{
    static struct leaver leaver, other;
    struct cp_op ops[3] = {0};
    pthread_t threads[2];
    leaver = (struct leaver){.port = stage->port, .stays = true};
    other = (struct leaver){.port = stage->port};
    EXPECT(os_thread_start(&threads[0], OS_ROLE_WORKER, 0, take_and_leave, &leaver) == 0);
    EXPECT(cp_post(stage->port, &ops[0], 0, 0) == 0);
    bool has_left = reaches(&leaver.left, 1);
    EXPECT(os_thread_start(&threads[1], OS_ROLE_WORKER, 0, take_and_leave, &other) == 0);
    EXPECT(cp_post(stage->port, &ops[1], 0, 0) == 0);
    bool was_taken = reaches(&other.packets, 1);
    os_unpark(&leaver.staying); /* joins again: the newest waiter */
    os_sleep_ns(ms(A_MOMENT_MS));
    EXPECT(cp_post(stage->port, &ops[2], 0, 0) == 0);
    bool is_back = reaches(&leaver.packets, 2);
    cp_close(stage->port);
    os_unpark(&leaver.staying);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    EXPECT(has_left && was_taken && is_back);
}
