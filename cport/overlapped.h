/* Inside the iocp engine: its state, what lies in an operation that is with the kernel, and the
 * calls that start one. */
#ifndef FANIN_PORT_OVERLAPPED_H
#define FANIN_PORT_OVERLAPPED_H

#include "base/winapi.h"
#include "cport/port.h"

#include <mswsock.h>

enum {
    ACCEPT_ADDRESS_BYTES = sizeof(struct sockaddr_in6) + 16, /* AcceptEx wants that much more */
};

struct iocp_state {
    HANDLE port;
    LPFN_CONNECTEX connect;
    LPFN_ACCEPTEX accept;
    bool wine;
    ULONG batch;                /* packets that one poll takes */
    _Atomic unsigned in_flight; /* operations with the kernel */
    _Atomic uint64_t alarm_ns;  /* 0: not set */
    /* Where every AcceptEx writes the addresses that it insists on writing; nobody reads them. */
    unsigned char addresses[2 * ACCEPT_ADDRESS_BYTES];
};

/* What lies in op->engine while the operation is with the kernel. */
struct room {
    OVERLAPPED overlapped;
    SOCKET accepting;
};

_Static_assert(sizeof(struct room) <= sizeof((struct cp_op){0}.engine), "an operation has room");

static inline struct room *room_of(struct cp_op *op)
{
    return (struct room *)op->engine;
}

static inline SOCKET handle_of(const struct cp_socket *socket)
{
    return (SOCKET)socket->handle;
}

static inline int64_t failed(struct cp_op *op, int os_error)
{
    op->os_error = os_error;
    return cp_error_from_os(os_error);
}

/* stream_socket: a TCP socket for overlapped operations, or INVALID_SOCKET. */
SOCKET stream_socket(int family);

/* start: gives the operation to the kernel, whose packet will come: ENGINE_PENDING; or the result
 * where none will. */
int64_t start(struct iocp_state *state, struct cp_socket *socket, struct cp_op *op);

/* received: the result of a receive that took `bytes`. */
int64_t received(const struct iocp_state *state, struct cp_socket *socket, struct cp_op *op,
                 DWORD bytes);

/* accept_again: whether an accept failed because the connection had been given up by its peer while
 * it waited; the next one may be good. */
bool accept_again(const struct cp_op *op, int64_t result);

/* rest_of: the parts of a send's blocks that are still to go, and how many bytes they have. */
size_t rest_of(const struct cp_op *op, struct cp_block *rest, unsigned *count);

#endif
