/* Behaviours of connecting and accepting: 44 to 52. */
#ifndef FANIN_CONFORMANCE_CONNECT_H
#define FANIN_CONFORMANCE_CONNECT_H

#include "cport/tests/conformance/stage.h"

static struct cp_socket *fresh(struct stage *stage, uintptr_t key)
{
    struct cp_socket *socket = NULL;
    int code = cp_socket_open(stage->port, net_family(&stage->address), key, &socket);
    return code == 0 ? socket : NULL;
}

static int connect_to(struct cp_socket *socket, struct cp_op *op, const struct net_address *address,
                      uint64_t timeout_ns)
{
    return cp_connect(socket, op, net_sockaddr(address), address->bytes, timeout_ns);
}

static const char *connect_succeeds(struct stage *stage)
{
    struct cp_op op = {0};
    struct cp_packet packet;
    struct cp_socket *socket = fresh(stage, 3);
    EXPECT(socket && connect_to(socket, &op, &stage->address, CP_FOREVER) == 0);
    EXPECT(next(stage->port, &packet));
    EXPECT(packet.op == &op && packet.key == 3 && packet.result == 0);
    return NULL;
}

/* An address where nobody listens: of a listener that is gone. */
static struct net_address nowhere(struct stage *stage)
{
    struct net_address address = stage->address;
    cp_socket_close(stage->listener);
    os_sleep_ns(ms(A_MOMENT_MS));
    return address;
}

static const char *connect_refused(struct stage *stage)
{
    struct net_address address = nowhere(stage);
    struct cp_op op = {0};
    struct cp_packet packet;
    struct cp_socket *socket = fresh(stage, 3);
    EXPECT(socket && connect_to(socket, &op, &address, CP_FOREVER) == 0);
    EXPECT(next(stage->port, &packet)); /* real Windows tries for two seconds */
    EXPECT(packet.result == CP_EREFUSED && op.os_error != 0);
    return NULL;
}

static const char *new_socket_per_attempt(struct stage *stage)
{
    struct net_address address = nowhere(stage);
    struct cp_op op = {0};
    struct cp_packet packet;
    struct cp_socket *socket = fresh(stage, 3);
    EXPECT(socket && connect_to(socket, &op, &address, CP_FOREVER) == 0);
    EXPECT(next(stage->port, &packet));
    EXPECT(connect_to(socket, &op, &address, CP_FOREVER) == CP_EINVAL);
    return NULL;
}

/* Fills the queue of a listener that never accepts, so that a further connect stays pending.
 * False: this system refuses or accepts instead, and there is nothing to test with. */
static bool pending_connect(struct stage *stage, struct cp_op *op, struct cp_socket **pending,
                            uint64_t timeout_ns)
{
    enum { FILLERS = 16 };
    static struct cp_op fillers[FILLERS];
    struct cp_socket *listener;
    struct net_address any = net_address_at(&stage->address, 0, 0);
    struct cp_packet packet;
    memset(fillers, 0, sizeof fillers);
    if (cp_socket_open(stage->far, net_family(&any), 9, &listener) != 0 ||
        cp_listen(listener, net_sockaddr(&any), any.bytes, 1) != 0)
        return false;
    struct net_address full = listener_address(listener);
    for (unsigned index = 0; index < FILLERS; index++) {
        struct cp_socket *filler = fresh(stage, 100 + index);
        if (!filler || connect_to(filler, &fillers[index], &full, CP_FOREVER) != 0)
            return false;
    }
    while (next_within(stage->port, &packet, 100))
        if (packet.result != 0)
            return false;
    *pending = fresh(stage, 3);
    return *pending && connect_to(*pending, op, &full, timeout_ns) == 0;
}

static const char *connect_times_out(struct stage *stage)
{
    struct cp_op op = {0};
    struct cp_socket *socket;
    struct cp_packet packet;
    if (!pending_connect(stage, &op, &socket, ms(150)))
        return "skip: a full queue of connections does not keep a connect pending here";
    EXPECT(next(stage->port, &packet));
    EXPECT(packet.op == &op && packet.result == CP_ETIMEDOUT);
    return NULL;
}

static const char *cancel_connect(struct stage *stage)
{
    struct cp_op op = {0};
    struct cp_socket *socket;
    struct cp_packet packet;
    if (!pending_connect(stage, &op, &socket, CP_FOREVER))
        return "skip: a full queue of connections does not keep a connect pending here";
    EXPECT(cp_cancel(socket, &op) == 0);
    EXPECT(next(stage->port, &packet));
    EXPECT(packet.op == &op && packet.result == CP_ECANCELED);
    return NULL;
}

static const char *connected_is_usable(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    struct cp_packet packet;
    struct cp_block block = {"hello", 5};
    char data[5];
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_send(pair.near, &op, &block, 1) == 0);
    EXPECT(next(stage->port, &packet) && packet.result == 5);
    EXPECT(far_receive(stage, &pair, data, 5) == 5 && memcmp(data, "hello", 5) == 0);
    EXPECT(connect_to(pair.near, &op, &stage->address, CP_FOREVER) == CP_EISCONN);
    return NULL;
}

static const char *accept_listener_closed(struct stage *stage)
{
    struct cp_op op = {0};
    struct cp_packet packet;
    EXPECT(cp_accept(stage->listener, &op) == 0);
    cp_socket_close(stage->listener);
    EXPECT(next(stage->far, &packet));
    EXPECT(packet.op == &op && packet.result == CP_EABORTED);
    return NULL;
}

static const char *accept_misuse(struct stage *stage)
{
    struct pair pair;
    struct cp_op op = {0};
    EXPECT(pair_open(stage, &pair));
    EXPECT(cp_accept(pair.near, &op) == CP_EINVAL);
    EXPECT(cp_accept(fresh(stage, 3), &op) == CP_EINVAL);
    EXPECT(cp_accept(NULL, &op) == CP_EINVAL);
    EXPECT(nothing_comes(stage->port));
    return NULL;
}

#endif
