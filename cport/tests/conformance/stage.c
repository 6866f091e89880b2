/* The stage of the conformance suite. */
#include "cport/tests/conformance/stage.h"

#include <sys/socket.h>

bool runs_here(const char *engine, char *why, size_t why_bytes)
{
    struct cport *port = NULL;
    int code = cp_open(&(struct cp_config){.engine = engine}, &port, why, why_bytes);
    cp_free(port);
    return code == 0;
}

bool next_within(struct stage *stage, uint64_t timeout_ms)
{
    return cp_wait(stage->port, &stage->packet, 1, ms(timeout_ms)) == 1;
}

bool next_is(struct stage *stage, const struct cp_op *op, int64_t result)
{
    return next_within(stage, PATIENCE_MS) && stage->packet.op == op &&
           stage->packet.result == result;
}

bool arrives(struct stage *stage, const char *text)
{
    int64_t bytes = (int64_t)strlen(text);
    return far_send(stage, text, (size_t)bytes) == bytes && next_is(stage, &stage->op, bytes) &&
           memcmp(stage->data, text, (size_t)bytes) == 0;
}

bool reaches(atomic_uint *count, unsigned expected)
{
    for (unsigned tries = 0; tries < PATIENCE_MS && atomic_load(count) < expected; tries++)
        os_sleep_ns(ms(1));
    return atomic_load(count) == expected;
}

bool nothing_comes(struct stage *stage)
{
    return !next_within(stage, A_MOMENT_MS);
}

int post_receive(struct stage *stage)
{
    return cp_receive(stage->near, &stage->op, &stage->block, 1);
}

struct cp_socket fresh(struct stage *stage, uintptr_t key)
{
    struct cp_socket socket = {0};
    cp_socket_open(stage->port, net_family(&stage->address), key, &socket);
    return socket;
}

struct net_address listener_address(struct cp_socket listener)
{
    struct net_address address = {0};
    net_local(cp_socket_handle(listener), &address);
    return address;
}

/* ---- the far end --------------------------------------------------------------------------- */

static int64_t far_result(struct stage *stage, int code)
{
    struct cp_packet packet;
    if (code != 0)
        return code;
    int count = cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS));
    return count == 1 ? packet.result : CP_ETIMEDOUT;
}

int64_t far_send(struct stage *stage, const void *data, size_t bytes)
{
    struct cp_op op = {0};
    struct cp_block block = {(void *)(uintptr_t)data, bytes};
    return far_result(stage, cp_send(stage->far, &op, &block, 1));
}

int64_t far_receive(struct stage *stage, void *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        struct cp_op op = {0};
        struct cp_block block = {(char *)data + done, bytes - done};
        int64_t count = far_result(stage, cp_receive(stage->far, &op, &block, 1));
        if (count <= 0)
            return count;
        done += (size_t)count;
    }
    return (int64_t)done;
}

void handle_narrow(cp_handle handle)
{
    int bytes = 8192;
    setsockopt(handle, SOL_SOCKET, SO_SNDBUF, (const char *)&bytes, sizeof bytes);
}

void handle_reset_on_close(cp_handle handle)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt(handle, SOL_SOCKET, SO_LINGER, (const char *)&hard, sizeof hard);
}

void far_reset(struct stage *stage)
{
    handle_reset_on_close(cp_socket_handle(stage->far));
    cp_socket_close(stage->far);
}

/* ---- opening and closing ------------------------------------------------------------------- */

static bool connect_pair(struct stage *stage)
{
    struct cp_op accept = {0}, connect = {0};
    stage->near = fresh(stage, 7);
    return stage->near.port && cp_accept(stage->listener, &accept, NULL, NULL) == 0 &&
           cp_connect(stage->near, &connect, net_sockaddr(&stage->address), stage->address.bytes,
                      ms(PATIENCE_MS)) == 0 &&
           next_is(stage, &connect, 0) && far_result(stage, 0) == 0 &&
           cp_associate(stage->far_port, accept.accepted, 8, &stage->far) == 0;
}

const char *conformance_open(struct stage *stage, unsigned concurrency, enum setup setup)
{
    static char why[256] = "skip: ";
    const size_t skip = strlen("skip: ");
    struct cp_config near = {stage->engine, concurrency, setup == WATCHED};
    struct cp_config far = {.engine = stage->engine, .concurrency = 8};
    int code = cp_open(&near, &stage->port, why + skip, sizeof why - skip);
    if (code != 0)
        return code == CP_EUNSUPPORTED ? why : why + skip;
    if (cp_open(&far, &stage->far_port, why + skip, sizeof why - skip) != 0)
        return why + skip;
    struct net_address any = net_ipv4(0x7f000001, 0);
    if (cp_socket_open(stage->far_port, net_family(&any), 9, &stage->listener) != 0 ||
        cp_listen(stage->listener, net_sockaddr(&any), any.bytes, 64) != 0)
        return "no listener on 127.0.0.1";
    stage->address = listener_address(stage->listener);
    stage->block = (struct cp_block){stage->data, sizeof stage->data};
    return setup != ALONE && !connect_pair(stage) ? "no connection" : NULL;
}

void conformance_close(struct stage *stage)
{
    cp_free(stage->port);
    cp_free(stage->far_port);
}
