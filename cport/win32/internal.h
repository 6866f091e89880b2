/* What the files of <cport/win32.h> share. It is built on <cport.h> alone.
 *
 * Locks: a socket's -> cport's own. Nothing waits while it holds one. */
#ifndef CPORT_WINDOWS_NAMES_INTERNAL_H
#define CPORT_WINDOWS_NAMES_INTERNAL_H

#define CP_SYSTEM_NAMES /* here bind() is the system's */
#include <cport/win32.h>

/* ---- errors -------------------------------------------------------------------------------- */

/* error_immediate: what WSAGetLastError says of a call that returned the cport code. */
DWORD error_immediate(int code);

/* error_status: the status of an operation that ended with the code. */
DWORD error_status(int code);

/* error_of_status: what GetLastError says of a packet with that status, WSAGetLastError of the
 * operation. */
DWORD error_of_status(ULONG_PTR status);
DWORD error_of_status_wsa(ULONG_PTR status);

/* fail: sets the last error; FALSE. fail_socket: the same; SOCKET_ERROR. */
BOOL fail(DWORD error);
int fail_socket(DWORD error);

/* fail_errno: SOCKET_ERROR with the Winsock code of errno. */
int fail_errno(void);

/* ---- handles ------------------------------------------------------------------------------- */

enum object_kind { OBJECT_PORT = 1, OBJECT_THREAD };

/* What a HANDLE names unless it is a socket. It lives until it is closed and nobody uses it. */
struct object {
    enum object_kind kind;
    struct slot *slot;                                   /* of the table of handles */
    void (*close)(struct object *object, HANDLE handle); /* as the handle is closed; may be NULL */
    void (*destroy)(struct object *object);              /* after the last use */
};

/* object_publish: gives the object a handle. NULL: there are too many. */
HANDLE object_publish(struct object *object);

/* object_use: the object of that kind, until object_leave; NULL: no such handle. */
struct object *object_use(HANDLE handle, enum object_kind kind);
void object_leave(struct object *object);

struct port {
    struct object object;
    struct cport *cport;
    pthread_mutex_t lock; /* of the posts */
    struct post *free_posts;
    struct post_chunk *chunks;
};

/* port_use: NULL: no such port. */
static inline struct port *port_use(HANDLE handle)
{
    return (struct port *)object_use(handle, OBJECT_PORT);
}

static inline void port_leave(struct port *port)
{
    object_leave(&port->object);
}

/* ---- sockets ------------------------------------------------------------------------------- */

enum socket_state {
    SOCKET_UNKNOWN,    /* nobody asked for a port */
    SOCKET_ASSOCIATED, /* the port is known; cport gets the socket with its first operation, when it
                          is bound, listening or connected */
    SOCKET_ATTACHED    /* cport's */
};

/* An AcceptEx, kept with the socket that is to become the connection. */
struct accept_call {
    LPOVERLAPPED overlapped; /* NULL: none */
    struct cp_socket listener;
    PVOID output;
    DWORD data_bytes, local_bytes, remote_bytes;
};

/* What is known of a descriptor. Never freed. The lock is shared while operations are submitted,
 * exclusive where anything here changes. */
struct socket {
    pthread_rwlock_t lock;
    int descriptor;
    enum socket_state state;
    bool skips, told; /* FILE_SKIP_COMPLETION_PORT_ON_SUCCESS; and cport knows: atomic */
    HANDLE port;
    ULONG_PTR key;
    struct cp_socket cport; /* while attached */
    struct accept_call accepting;
};

/* socket_of: NULL: no number of a descriptor (WSAENOTSOCK), or no memory (WSAENOBUFS). */
struct socket *socket_of(SOCKET number);

/* socket_exists: whether the descriptor is a socket's; if not, the last error says what it is. */
bool socket_exists(const struct socket *socket);

/* socket_use: ... attached to its port and locked for an operation, until socket_done. NULL: the
 * last error says why. */
struct socket *socket_use(SOCKET number);
void socket_done(struct socket *socket);

/* socket_skip: before a receive or send: cport knows whether success makes a packet. Accepts and
 * connects, which may go on after their packets, always have them. */
static inline void socket_skip(struct socket *socket)
{
    if (socket->skips && !__atomic_load_n(&socket->told, __ATOMIC_RELAXED) &&
        !__atomic_exchange_n(&socket->told, true, __ATOMIC_RELAXED))
        cp_socket_skip(socket->cport, true);
}

/* socket_attach: makes it cport's, locked exclusively: 0 or a code of Windows. */
DWORD socket_attach(struct socket *socket);

/* socket_associate: the port's from now on: 0 or a code of Windows. */
DWORD socket_associate(SOCKET number, HANDLE port, ULONG_PTR key);

/* sockets_leave_port: no socket is attached to the port any more. */
void sockets_leave_port(const struct port *port);

/* ---- operations ---------------------------------------------------------------------------- */

/* overlapped_begin: before the submitting call: the packet may be taken before that returns.
 * submitted: what a call returns after cport's code; `bytes` may be NULL. */
void overlapped_begin(LPOVERLAPPED overlapped, const struct socket *socket);
int submitted(LPOVERLAPPED overlapped, int code, LPDWORD bytes);

/* overlapped_end: gives it its status and bytes. operation_finish: ... as cport's result says. */
void overlapped_end(LPOVERLAPPED overlapped, DWORD status, DWORD bytes);
void operation_finish(LPOVERLAPPED overlapped, int64_t result);

/* operation_continue: of an operation that completed on the port: false: it goes on with a second
 * one. Else its status and bytes are set. */
bool operation_continue(HANDLE port, LPOVERLAPPED overlapped, int64_t result);

#endif
