/* Behaviours of calls around operations: 20, 25, and what the port adds: P3 and on. */
#include "cport/tests/conformance/stage.h"

#include <netinet/in.h>
#include <sys/socket.h>

static const char unsupported[] = "unsupported";

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

void post_without_op(struct stage *stage)
{
    EXPECT(cp_post(stage->port, &stage->op, 1, 1) == 0);
    EXPECT(cp_post_key(stage->port, 77, -5) == 0);
    EXPECT(cp_post_key(stage->port, 0, 0) == 0); /* everybody's goodbye */
    EXPECT(next_is(stage, &stage->op, 1));
    EXPECT(next_is(stage, NULL, -5) && stage->packet.key == 77);
    EXPECT(next_is(stage, NULL, 0) && stage->packet.key == 0);
    EXPECT(nothing_comes(stage));
    EXPECT(cp_post_key(stage->port, 1, 1) == 0);
    cp_close(stage->port); /* dropped, and freed: sanitizers would see it */
    EXPECT(cp_post_key(stage->port, 1, 1) == CP_ECLOSED);
}

/* ---- blocks -------------------------------------------------------------------------------- */

static void forget(struct cp_block *blocks, unsigned count)
{
    memset(blocks, 0xff, count * sizeof *blocks);
}

void blocks_are_copied(struct stage *stage)
{
    char arrived[6];
    struct cp_op send = {0};
    for (unsigned count = 1; count <= 4; count++) {
        struct cp_block blocks[4];
        for (unsigned index = 0; index < count; index++)
            blocks[index] = (struct cp_block){&stage->data[index], index + 1 < count ? 1 : 4};
        EXPECT(cp_receive(stage->near, &stage->op, blocks, count) == 0);
        forget(blocks, 4);
        EXPECT(arrives(stage, "abcd"));
    }
    struct cp_block blocks[3] = {{"ab", 2}, {"cd", 2}, {"ef", 2}};
    EXPECT(cp_send(stage->near, &send, blocks, 3) == 0);
    forget(blocks, 3);
    EXPECT(next_is(stage, &send, 6));
    EXPECT(far_receive(stage, arrived, 6) == 6 && memcmp(arrived, "abcdef", 6) == 0);
}

/* More than any system takes in one call, and empty ones among them. */
void any_number_of_blocks(struct stage *stage)
{
    enum { BLOCKS = 3000, BYTES = BLOCKS / 3 * 2 };
    static struct cp_block blocks[BLOCKS];
    static char data[BYTES], arrived[BYTES];
    size_t used = 0;
    for (size_t index = 0; index < BYTES; index++)
        data[index] = (char)(index % 251);
    for (unsigned index = 0; index < BLOCKS; index++) {
        bool empty = index % 3 == 1;
        blocks[index] = (struct cp_block){empty ? NULL : &data[used], !empty};
        used += !empty;
    }
    EXPECT(cp_send(stage->near, &stage->op, blocks, BLOCKS) == 0);
    EXPECT(next_is(stage, &stage->op, BYTES));
    EXPECT(far_receive(stage, arrived, BYTES) == BYTES && memcmp(data, arrived, BYTES) == 0);
    EXPECT(cp_send(stage->near, &stage->op, &blocks[1], 1) == 0); /* nothing */
    EXPECT(next_is(stage, &stage->op, 0));
    memset(data, 0, BYTES);
    EXPECT(far_send(stage, arrived, BYTES) == BYTES);
    for (size_t got = 0; got < BYTES; got += (size_t)stage->packet.result) {
        unsigned done = (unsigned)(got / 2 * 3 + got % 2 * 2); /* blocks that are full */
        EXPECT(cp_receive(stage->near, &stage->op, blocks + done, BLOCKS - done) == 0);
        EXPECT(next_within(stage, PATIENCE_MS) && stage->packet.result > 0);
    }
    EXPECT(memcmp(data, arrived, BYTES) == 0);
}

/* ---- names --------------------------------------------------------------------------------- */

/* A socket's name is never another's, also not that of the next one in its place. */
void closed_is_nobody(struct stage *stage)
{
    struct cp_socket old = fresh(stage, 1), next;
    cp_socket_close(old);
    EXPECT(cp_socket_open(stage->port, net_family(&stage->address), 2, &next) == 0);
    cp_socket_close(old);
    EXPECT(cp_socket_handle(next) != CP_HANDLE_NONE);
    EXPECT(cp_socket_handle(old) == CP_HANDLE_NONE);
    EXPECT(cp_receive(old, &stage->op, &stage->block, 1) == CP_EINVAL);
    EXPECT(cp_cancel(old, NULL) == CP_ENOTFOUND);
    EXPECT(cp_socket_key(old, 3) == CP_EINVAL && cp_shutdown(old) == CP_EINVAL);
    EXPECT(cp_receive((struct cp_socket){0}, &stage->op, &stage->block, 1) == CP_EINVAL);
}

void key_can_change(struct stage *stage)
{
    EXPECT(post_receive(stage) == 0);
    EXPECT(cp_socket_key(stage->near, 99) == 0);
    EXPECT(arrives(stage, "abc") && stage->packet.key == 99);
}

/* It goes on at another port; only without operations. */
void release_gives_the_handle(struct stage *stage)
{
    cp_handle handle = CP_HANDLE_NONE;
    struct cp_packet packet;
    struct cp_socket elsewhere;
    EXPECT(post_receive(stage) == 0);
    int code = cp_socket_release(stage->near, &handle);
    if (code == CP_EUNSUPPORTED) {
        stage->problem = unsupported;
        return;
    }
    EXPECT(code == CP_EINVAL && handle == CP_HANDLE_NONE);
    EXPECT(cp_cancel(stage->near, NULL) == 0 && next_is(stage, &stage->op, CP_ECANCELED));
    EXPECT(cp_socket_release(stage->near, &handle) == 0 && handle != CP_HANDLE_NONE);
    EXPECT(cp_socket_handle(stage->near) == CP_HANDLE_NONE);
    EXPECT(cp_socket_release(stage->near, &handle) == CP_EINVAL);
    EXPECT(far_send(stage, "abc", 3) == 3);
    EXPECT(cp_associate(stage->far_port, handle, 4, &elsewhere) == 0);
    EXPECT(cp_receive(elsewhere, &stage->op, &stage->block, 1) == 0);
    EXPECT(cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1 && packet.result == 3);
    EXPECT(nothing_comes(stage));
}

/* ---- addresses ----------------------------------------------------------------------------- */

static bool same_address(const struct sockaddr_storage *saw, const struct net_address *expected)
{
    const struct sockaddr_in *one = (const struct sockaddr_in *)saw;
    const struct sockaddr_in *other = (const struct sockaddr_in *)net_sockaddr(expected);
    return one->sin_family == other->sin_family && one->sin_port == other->sin_port &&
           one->sin_addr.s_addr == other->sin_addr.s_addr;
}

/* Accepts what `socket` connects; `peer` becomes its address. */
static bool accept_from(struct stage *stage, struct cp_socket socket, struct sockaddr_storage *peer,
                        unsigned *peer_bytes)
{
    struct cp_op connect = {0};
    struct cp_packet packet;
    return cp_accept(stage->listener, &stage->op, (struct sockaddr *)peer, peer_bytes) == 0 &&
           cp_connect(socket, &connect, net_sockaddr(&stage->address), stage->address.bytes,
                      CP_FOREVER) == 0 &&
           next_is(stage, &connect, 0) &&
           cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1 && packet.result == 0 &&
           cp_associate(stage->far_port, stage->op.accepted, 8, &stage->far) == 0;
}

void accept_has_the_peer(struct stage *stage)
{
    struct sockaddr_storage peer = {0};
    unsigned bytes = sizeof peer;
    stage->near = fresh(stage, 7);
    EXPECT(accept_from(stage, stage->near, &peer, &bytes));
    struct net_address near_address = listener_address(stage->near);
    EXPECT(bytes == sizeof(struct sockaddr_in) && same_address(&peer, &near_address));
    EXPECT(cp_accept(stage->listener, &stage->op, (struct sockaddr *)&peer, NULL) == CP_EINVAL);
}

void lengths_are_clipped(struct stage *stage)
{
    struct sockaddr_storage address = {0};
    const struct sockaddr *long_address = (const struct sockaddr *)&address;
    memcpy(&address, net_sockaddr(&stage->address), stage->address.bytes);
    stage->near = fresh(stage, 7);
    EXPECT(cp_connect(stage->near, &stage->op, long_address, sizeof(struct sockaddr_in) - 1,
                      CP_FOREVER) == CP_EINVAL);
    EXPECT(cp_connect(stage->near, &stage->op, long_address, sizeof address, CP_FOREVER) == 0);
    EXPECT(next_is(stage, &stage->op, 0));
}

void bound_connects_from_there(struct stage *stage)
{
    struct net_address any = net_ipv4(0x7f000001, 0);
    struct cp_socket other = fresh(stage, 1);
    struct sockaddr_storage peer = {0};
    unsigned bytes = sizeof peer;
    stage->near = fresh(stage, 7);
    EXPECT(cp_bind(stage->near, NULL, 0) == CP_EINVAL);
    EXPECT(cp_bind(stage->near, net_sockaddr(&any), any.bytes) == 0);
    EXPECT(cp_bind(stage->near, net_sockaddr(&any), any.bytes) == CP_EINVAL);
    struct net_address near_address = listener_address(stage->near);
    EXPECT(cp_bind(other, net_sockaddr(&near_address), near_address.bytes) == CP_EADDRINUSE);
    EXPECT(accept_from(stage, stage->near, &peer, &bytes));
    EXPECT(same_address(&peer, &near_address));
    EXPECT(cp_bind(stage->near, net_sockaddr(&any), any.bytes) == CP_EISCONN);
}

/* ---- plain calls --------------------------------------------------------------------------- */

void plain_calls_post_nothing(struct stage *stage)
{
    char data[3];
    cp_handle handle = cp_socket_handle(stage->near);
    EXPECT(far_send(stage, "abc", 3) == 3);
    EXPECT(net_wait(handle, NET_READABLE, ms(PATIENCE_MS)));
    EXPECT(net_receive(handle, data, 3) == 3 && memcmp(data, "abc", 3) == 0);
    EXPECT(net_send(handle, "def", 3) == 3);
    EXPECT(far_receive(stage, data, 3) == 3 && memcmp(data, "def", 3) == 0);
    EXPECT(nothing_comes(stage));
}

enum { LARGE_BYTES = 16 << 20 }; /* more than socket buffers take */

struct plain_send {
    intptr_t handle;
    int64_t sent;
};

static void *send_plainly(void *argument)
{
    static char large[LARGE_BYTES];
    struct plain_send *plain = argument;
    plain->sent = send(plain->handle, large, LARGE_BYTES, 0);
    net_finish(plain->handle);
    return NULL;
}

/* Another part of a program goes on using a connection that the port has adopted. */
void adopted_stays_blocking(struct stage *stage)
{
    struct plain_send plain;
    struct cp_packet packet;
    pthread_t thread;
    static char part[1 << 16];
    int64_t arrived = 0, count = 0;
    EXPECT(net_connect(&stage->address, ms(PATIENCE_MS), &plain.handle) == 0);
    EXPECT(cp_accept(stage->listener, &stage->op, NULL, NULL) == 0);
    EXPECT(cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1 && packet.result == 0);
    EXPECT(cp_associate(stage->far_port, stage->op.accepted, 8, &stage->far) == 0);
    EXPECT(cp_associate(stage->port, plain.handle, 7, &stage->near) == 0);
    EXPECT(os_thread_start(&thread, OS_ROLE_WORKER, 0, send_plainly, &plain) == 0);
    while ((count = far_receive(stage, part, sizeof part)) > 0)
        arrived += count;
    pthread_join(thread, NULL);
    EXPECT(plain.sent == LARGE_BYTES && arrived == LARGE_BYTES && count == 0);
}

/* ---- completions --------------------------------------------------------------------------- */

void op_says_it_is_done(struct stage *stage)
{
    struct cp_op never = {0};
    EXPECT(cp_op_done(&never));
    EXPECT(post_receive(stage) == 0);
    EXPECT(!cp_op_done(&stage->op));
    EXPECT(arrives(stage, "abc"));
    EXPECT(cp_op_done(&stage->op));
    EXPECT(cp_post(stage->port, &stage->op, 1, 1) == 0);
    EXPECT(cp_op_done(&stage->op)); /* its packet waits */
    EXPECT(next_is(stage, &stage->op, 1));
}

void success_needs_no_packet(struct stage *stage)
{
    struct cp_block block = {"hello", 5};
    EXPECT(cp_socket_skip(stage->near, true) == 0);
    EXPECT(cp_send(stage->near, &stage->op, &block, 1) == CP_DONE);
    EXPECT(stage->op.result == 5 && cp_op_done(&stage->op));
    EXPECT(nothing_comes(stage));
    EXPECT(post_receive(stage) == 0); /* it has to wait: a packet */
    EXPECT(arrives(stage, "abc"));
    cp_socket_close(stage->far);
    EXPECT(post_receive(stage) >= 0); /* may be known or not */
    EXPECT(cp_socket_skip(stage->near, false) == 0);
}
