/* Connections of devices. */
#ifndef FANIN_CONNECTION_H
#define FANIN_CONNECTION_H

#include "mock_servers/loop.h"
#include "mock_servers/runs.h"
#include "mock_servers/stream.h"

struct login {
    char user[PROTOCOL_NAME_BYTES_MAX + 1], password[PROTOCOL_NAME_BYTES_MAX + 1];
};

/* All connections of the process, and what they share. */
struct connections {
    struct loop *loop;
    const struct login *login; /* required before a GO; with an empty user: none is required */
    uint64_t identity;         /* of this process, for STATS */
    struct tapes *tapes;
    struct scratch scratch;
    struct runs runs;
    struct list_node open;
    struct list_node waiting; /* those whose tape is not complete yet */
    struct list_node closed;  /* who closed them may still look at their state */
};

/* What a connection knows of its device: a field of the device. */
struct endpoint {
    struct connections *connections;
    const struct fault *fault; /* NULL: none */
    uint32_t number;
};

/* connections_init: 0, or -1 without memory; connections_end in either case, before the loop is
 * closed. `login` stays the caller's. */
int connections_init(struct connections *connections, struct loop *loop, const struct login *login,
                     uint64_t tape_cap_bytes);
void connections_end(struct connections *connections); /* closes all */

/* connection_open: takes over an accepted socket. 0, or -1 without memory (the socket stays the
 * caller's). */
int connection_open(struct endpoint *endpoint, intptr_t socket);

/* connections_start: starts those that wait for their tapes. Call it when all are complete. */
void connections_start(struct connections *connections);

/* connections_reset: resets all of one device. */
void connections_reset(const struct endpoint *endpoint);

/* connections_free: frees closed ones. Call it when no event is pending. */
void connections_free(struct connections *connections);

#endif
