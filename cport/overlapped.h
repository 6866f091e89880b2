/* Inside the iocp engine: its state, what an operation holds while the kernel has it, and the calls
 * that start one. */
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
    /* AcceptEx insists on writing addresses; nothing reads them. */
    unsigned char addresses[2 * ACCEPT_ADDRESS_BYTES];
};

/* In op->engine while the kernel has the operation. */
struct iocp_op {
    OVERLAPPED overlapped;
    SOCKET accepting;
};

_Static_assert(sizeof(struct iocp_op) <= sizeof((struct cp_op){0}.engine), "it fits");

static inline struct iocp_op *iocp_op_of(struct cp_op *op)
{
    return (struct iocp_op *)op->engine;
}

static inline SOCKET handle_of(const struct cp_socket *socket)
{
    return (SOCKET)socket->handle;
}

/* stream_socket: a TCP socket for overlapped operations, or INVALID_SOCKET. */
SOCKET stream_socket(int family);

/* start: starts an operation, whose packet will follow: ENGINE_PENDING; or the result if none
 * will. */
int64_t start(struct iocp_state *state, struct cp_op *op);

/* receive_result: the result of a receive that took `bytes`. */
int64_t receive_result(const struct iocp_state *state, struct cp_op *op, DWORD bytes);

/* accept_again: whether an accept failed because the peer reset the connection before it was
 * accepted; the next one may be good. */
bool accept_again(const struct cp_op *op, int64_t result);

#endif
