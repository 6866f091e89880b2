/* Behaviours of connecting and accepting: 44 to 52. */
#include "cport/tests/conformance/stage.h"

static int connect_to(struct cp_socket socket, struct cp_op *op, const struct net_address *address,
                      uint64_t timeout_ns)
{
    if (!socket.port)
        return CP_EMFILE;
    return cp_connect(socket, op, net_sockaddr(address), address->bytes, timeout_ns);
}

void connect_succeeds(struct stage *stage)
{
    EXPECT(connect_to(fresh(stage, 3), &stage->op, &stage->address, CP_FOREVER) == 0);
    EXPECT(next_is(stage, &stage->op, 0));
    EXPECT(stage->packet.key == 3);
}

/* Connects stage->near to an address where nothing listens: of a listener that is closed. */
static void connect_nowhere(struct stage *stage)
{
    cp_socket_close(stage->listener);
    os_sleep_ns(ms(A_MOMENT_MS));
    stage->near = fresh(stage, 3);
    EXPECT(connect_to(stage->near, &stage->op, &stage->address, CP_FOREVER) == 0);
    EXPECT(next_within(stage, PATIENCE_MS)); /* real Windows tries for two seconds */
}

void connect_refused(struct stage *stage)
{
    connect_nowhere(stage);
    EXPECT(!stage->problem);
    EXPECT(stage->packet.result == CP_EREFUSED && stage->packet.key == 3);
    EXPECT(stage->op.os_error != 0);
}

void new_socket_per_attempt(struct stage *stage)
{
    connect_nowhere(stage);
    EXPECT(!stage->problem);
    EXPECT(connect_to(stage->near, &stage->op, &stage->address, CP_FOREVER) == CP_EINVAL);
}

/* Fills the queue of a listener that never accepts; then stage->near's connect stays pending.
 * False: this system refuses or accepts it instead. */
static bool connect_pending(struct stage *stage, uint64_t timeout_ns)
{
    enum { FILLERS = 16 };
    static struct cp_op fillers[FILLERS];
    struct cp_socket listener;
    struct net_address any = net_address_at(&stage->address, 0, 0);
    memset(fillers, 0, sizeof fillers);
    if (cp_socket_open(stage->far_port, net_family(&any), 9, &listener) != 0 ||
        cp_listen(listener, net_sockaddr(&any), any.bytes, 1) != 0)
        return false;
    struct net_address full = listener_address(listener);
    for (unsigned index = 0; index < FILLERS; index++)
        if (connect_to(fresh(stage, 100 + index), &fillers[index], &full, CP_FOREVER) != 0)
            return false;
    while (next_within(stage, 100))
        if (stage->packet.result != 0)
            return false;
    stage->near = fresh(stage, 3);
    return connect_to(stage->near, &stage->op, &full, timeout_ns) == 0;
}

static const char unfillable[] =
    "skip: a full queue of connections does not keep a connect pending here";

void connect_times_out(struct stage *stage)
{
    if (!connect_pending(stage, ms(150)))
        stage->problem = unfillable;
    else
        EXPECT(next_is(stage, &stage->op, CP_ETIMEDOUT));
}

void cancel_connect(struct stage *stage)
{
    if (!connect_pending(stage, CP_FOREVER)) {
        stage->problem = unfillable;
        return;
    }
    EXPECT(cp_cancel(stage->near, &stage->op) == 0);
    EXPECT(next_is(stage, &stage->op, CP_ECANCELED));
}

void connected_is_usable(struct stage *stage)
{
    char data[5];
    struct cp_block block = {"hello", 5};
    EXPECT(cp_send(stage->near, &stage->op, &block, 1) == 0);
    EXPECT(next_is(stage, &stage->op, 5));
    EXPECT(far_receive(stage, data, 5) == 5 && memcmp(data, "hello", 5) == 0);
    EXPECT(connect_to(stage->near, &stage->op, &stage->address, CP_FOREVER) == CP_EISCONN);
}

void accept_listener_closed(struct stage *stage)
{
    struct cp_packet packet;
    EXPECT(cp_accept(stage->listener, &stage->op, NULL, NULL) == 0);
    cp_socket_close(stage->listener);
    EXPECT(cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1);
    EXPECT(packet.op == &stage->op && packet.result == CP_EABORTED);
}

void accept_misuse(struct stage *stage)
{
    EXPECT(cp_accept(stage->near, &stage->op, NULL, NULL) == CP_EINVAL);
    EXPECT(cp_accept(fresh(stage, 3), &stage->op, NULL, NULL) == CP_EINVAL);
    EXPECT(cp_accept((struct cp_socket){0}, &stage->op, NULL, NULL) == CP_EINVAL);
    EXPECT(nothing_comes(stage));
}

/* Each failure is reported; posting the accept again holds it for some milliseconds, or until the
 * port closes a descriptor. */
static void accept_held(struct stage *stage)
{
    enum { FAILURES = 10, HOLD_MS = 10 };
    struct cp_packet packet;
    uint64_t started_ns = os_now_ns();
    for (unsigned failures = 0; failures < FAILURES; failures++) {
        EXPECT(cp_accept(stage->listener, &stage->op, NULL, NULL) == 0);
        EXPECT(cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1);
        EXPECT(packet.op == &stage->op && packet.result == CP_EMFILE);
    }
    EXPECT(os_now_ns() - started_ns >= ms((FAILURES - 1) * HOLD_MS));
    EXPECT(cp_accept(stage->listener, &stage->op, NULL, NULL) == 0);
    cp_socket_close(stage->far);
    EXPECT(cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1);
    EXPECT(packet.op == &stage->op && packet.result == 0);
    EXPECT(cp_associate(stage->far_port, stage->op.accepted, 8, &stage->far) == 0);
}

void accept_without_descriptors(struct stage *stage)
{
    struct cp_op connect = {0};
    stage->near = fresh(stage, 7);
    EXPECT(cp_socket_open(stage->far_port, net_family(&stage->address), 8, &stage->far) == 0);
    EXPECT(connect_to(stage->near, &connect, &stage->address, CP_FOREVER) == 0);
    EXPECT(next_is(stage, &connect, 0));
    if (!descriptors_deny()) {
        stage->problem = "skip: descriptors cannot be limited here";
        return;
    }
    accept_held(stage);
    descriptors_allow();
}

/* The family of an adopted socket is found out, which AcceptEx needs to know. */
void accept_adopted_ipv6(struct stage *stage)
{
    struct net_address address;
    struct cp_packet packet;
    struct cp_op connect = {0};
    intptr_t handle;
    if (!net_numeric("::1", 0, &address) || net_bind(&address, &handle) != 0) {
        stage->problem = "skip: no IPv6 here";
        return;
    }
    EXPECT(net_listen(handle, 1, &(struct net_tuning){0}) == 0);
    struct cp_socket listener = {0};
    EXPECT(cp_associate(stage->far_port, handle, 9, &listener) == 0);
    stage->address = listener_address(listener);
    EXPECT(cp_accept(listener, &stage->op, NULL, NULL) == 0);
    EXPECT(connect_to(fresh(stage, 3), &connect, &stage->address, CP_FOREVER) == 0);
    EXPECT(next_is(stage, &connect, 0));
    EXPECT(cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1);
    EXPECT(packet.op == &stage->op && packet.result == 0);
    EXPECT(cp_associate(stage->far_port, stage->op.accepted, 8, &stage->far) == 0);
}
