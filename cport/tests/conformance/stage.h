/* The stage of the conformance suite: one text about the behaviours of a completion port, in
 * plain C on the port's own API, so that it runs wherever an engine does, Wine included. The far
 * side of every connection is a socket of a second port of the same engine; only a reset needs a
 * word with the system (far_reset).
 *
 * A behaviour is a function that returns NULL if it holds, or what it saw instead. */
#ifndef FANIN_CONFORMANCE_STAGE_H
#define FANIN_CONFORMANCE_STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "cport/cport.h"
#include "cport/tests/ms.h"

enum { PATIENCE_MS = 15000, A_MOMENT_MS = 20 };

struct stage {
    const char *engine;
    struct cport *port, *far;
    struct cp_socket *listener;
    struct net_address address; /* of the listener */
};

/* Both ends of one connection: `near` on stage->port with key 7, `far` on stage->far. */
struct pair {
    struct cp_socket *near, *far;
};

#define STRINGIZE(x) #x
#define LINE_TEXT(x) STRINGIZE(x)
#define EXPECT(truth)                                                                              \
    do {                                                                                           \
        if (!(truth))                                                                              \
            return "line " LINE_TEXT(__LINE__) ": not so: " #truth;                                \
    } while (0)

/* The next packet of `port` within `timeout_ms`; false: none came. */
static inline bool next_within(struct cport *port, struct cp_packet *packet, uint64_t timeout_ms)
{
    return cp_wait(port, packet, 1, ms(timeout_ms)) == 1;
}

static inline bool next(struct cport *port, struct cp_packet *packet)
{
    return next_within(port, packet, PATIENCE_MS);
}

static inline bool nothing_comes(struct cport *port)
{
    struct cp_packet packet;
    return !next_within(port, &packet, A_MOMENT_MS);
}

/* An operation of the far side, waited for. */
static inline int64_t far_done(struct stage *stage, int accepted)
{
    struct cp_packet packet;
    if (accepted != 0)
        return accepted;
    return next(stage->far, &packet) ? packet.result : CP_ETIMEDOUT;
}

static inline int64_t far_send(struct stage *stage, struct pair *pair, const void *data,
                               size_t bytes)
{
    struct cp_op op = {0};
    struct cp_block block = {(void *)(uintptr_t)data, bytes};
    return far_done(stage, cp_send(pair->far, &op, &block, 1));
}

/* Receives exactly `bytes`, or says why not. */
static inline int64_t far_receive(struct stage *stage, struct pair *pair, void *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        struct cp_op op = {0};
        struct cp_block block = {(char *)data + done, bytes - done};
        int64_t count = far_done(stage, cp_receive(pair->far, &op, &block, 1));
        if (count <= 0)
            return count;
        done += (size_t)count;
    }
    return (int64_t)done;
}

/* Ends the far side in good order. */
static inline void far_close(struct pair *pair)
{
    cp_socket_close(pair->far);
    pair->far = NULL;
}

/* Ends the far side by a reset. far_linux.c or far_windows.c. */
void far_reset(struct pair *pair);

/* listener_address: where a listening socket of the port listens. */
static inline struct net_address listener_address(struct cp_socket *listener)
{
    struct net_address address = {0};
    net_local(cp_socket_handle(listener), &address);
    return address;
}

static inline bool pair_open(struct stage *stage, struct pair *pair)
{
    struct cp_op accept = {0}, connect = {0};
    struct cp_packet packet;
    memset(pair, 0, sizeof *pair);
    if (cp_accept(stage->listener, &accept) != 0 ||
        cp_socket_open(stage->port, net_family(&stage->address), 7, &pair->near) != 0 ||
        cp_connect(pair->near, &connect, net_sockaddr(&stage->address), stage->address.bytes,
                   ms(PATIENCE_MS)) != 0)
        return false;
    return next(stage->port, &packet) && packet.result == 0 && next(stage->far, &packet) &&
           packet.result == 0 && cp_associate(stage->far, accept.accepted, 8, &pair->far) == 0;
}

static inline const char *stage_open(struct stage *stage, unsigned concurrency)
{
    static char why[256];
    struct cp_config near = {.engine = stage->engine, .concurrency = concurrency};
    struct cp_config far = {.engine = stage->engine, .concurrency = 8};
    if (cp_open(&near, &stage->port, why, sizeof why) != 0 ||
        cp_open(&far, &stage->far, why, sizeof why) != 0)
        return why;
    char unread[64];
    struct net_address any;
    if (net_resolve("127.0.0.1", 0, &any, unread, sizeof unread) != 0 ||
        cp_socket_open(stage->far, net_family(&any), 9, &stage->listener) != 0 ||
        cp_listen(stage->listener, net_sockaddr(&any), any.bytes, 64) != 0)
        return "no listener on 127.0.0.1";
    stage->address = listener_address(stage->listener);
    return NULL;
}

static inline void stage_close(struct stage *stage)
{
    cp_free(stage->port);
    cp_free(stage->far);
    stage->port = stage->far = NULL;
}

#endif
