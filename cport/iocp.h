/* Between the iocp engine's two files: its state, and its operations. */
#ifndef FANIN_IOCP_H
#define FANIN_IOCP_H

#include "base/winapi.h"
#include "cport/port.h"

#include <mswsock.h>

enum { ACCEPT_ADDRESS_BYTES = sizeof(struct sockaddr_in6) + 16 /* AcceptEx wants 16 more */ };

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

static inline SOCKET handle_of(const struct cp_slot *slot)
{
    return (SOCKET)slot->handle;
}

static inline SOCKET iocp_socket(int family, bool datagrams)
{
    return WSASocketW(family, datagrams ? SOCK_DGRAM : SOCK_STREAM,
                      datagrams ? IPPROTO_UDP : IPPROTO_TCP, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

/* ---- iocp_operation_windows.c -------------------------------------------------------------- */

/* iocp_report_refused: whether a socket reports that nobody received a datagram. As on Linux it
 * does so while it is connected. */
void iocp_report_refused(const struct cp_slot *slot, bool on);

/* iocp_start: ENGINE_PENDING: a packet will follow; else the result, and none will. */
int64_t iocp_start(struct iocp_state *state, struct cp_op *op);

/* iocp_result: what a packet says. No lock held: neither the kernel nor another thread uses the
 * operation now. */
int64_t iocp_result(const struct iocp_state *state, struct cp_op *op,
                    const OVERLAPPED_ENTRY *entry);

/* iocp_needs_attempt: whether the operation has come back unfinished; else op->result is whole. */
bool iocp_needs_attempt(struct cp_op *op);

#endif
