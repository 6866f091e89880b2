/* A completion port: sockets are associated with it, operations are posted on them, workers wait
 * for their completions. The vocabulary and the behaviour are those of Windows' I/O completion
 * ports; cp_engine_list names the engines behind it.
 *
 * THE LAW, which every engine keeps and one suite of tests holds all of them to:
 *
 *  1. The caller owns the operation object and its buffers until its completion is delivered.
 *     Its address is the token: it must stay put, and nothing in it may be touched meanwhile.
 *  2. Every accepted operation completes exactly once, cancelled or not, also when its socket is
 *     closed or its peer resets. A refused submission (a negative return) completes never, nor
 *     does one that is over already (CP_DONE).
 *  3. Submitting never blocks. Results come from cp_wait alone, possibly on another thread before
 *     the submitting call has returned; only a socket that skips packets (cp_socket_skip) gives
 *     some to the submitting call.
 *  4. Packets leave in the order they were queued. At most one receive and one send per socket
 *     are in the kernel; further ones wait in order in user space.
 *  5. At most `concurrency` workers run between two waits. Parked workers are woken
 *     last-in-first-out. A worker that declares a blocking section (or sleeps, where the port
 *     watches) gives its place to another, and may overshoot the limit when it comes back (as after
 *     a time-out), exactly as the kernel's queue does; while as many as the limit run, no waiter is
 *     given a packet.
 *  6. Results are >= 0 or a negative code of enum cp_error; the same event has the same code on
 *     every engine.
 *  7. Closing a port wakes every waiter with CP_ECLOSED. An object with an operation in flight
 *     is parked, not freed.
 *
 * A thread becomes a worker of a port by its first cp_wait there, and belongs to one port at a
 * time: it is counted as running from that wait's return until its next one, until it declares a
 * blocking section, waits on another port, or ends. */
#ifndef CPORT_H
#define CPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the library gives to others; all else of it is hidden. */
#ifdef __ELF__
#pragma GCC visibility push(default)
#endif

/* ---- version -------------------------------------------------------------------------------- */

#define CP_VERSION_MAJOR 0
#define CP_VERSION_MINOR 1
#define CP_VERSION_PATCH 0
#define CP_VERSION       (CP_VERSION_MAJOR << 16 | CP_VERSION_MINOR << 8 | CP_VERSION_PATCH)

/* cp_version: CP_VERSION of the library that runs. The program may have been compiled with another
 * CP_VERSION_PATCH; before 1.0 another minor version may lay out the public structs anew. */
unsigned cp_version(void);

/* ---- results -------------------------------------------------------------------------------- */

/* Everything is >= 0 (a result) or one of these, negative. The same event has the same code on
 * every engine; where several OS codes mean one event they share a line. */

/* code, name in rows and messages, what it means */
#define CP_ERRORS(X)                                                                               \
    X(CP_EINVAL, "invalid", "an argument is out of its domain, or the socket cannot do this")      \
    X(CP_ECANCELED, "canceled", "cp_cancel took the operation back")                               \
    X(CP_EABORTED, "aborted", "its own socket was closed under the operation")                     \
    X(CP_ETIMEDOUT, "timeout", "the time limit of a connect, or TCP's own, ran out")               \
    X(CP_EREFUSED, "refused", "nothing listens there")                                             \
    X(CP_ERESET, "reset", "the peer reset the connection")                                         \
    X(CP_EUNREACHABLE, "unreachable", "no route to the network or host")                           \
    X(CP_ENOTCONN, "not-connected", "the socket is not connected")                                 \
    X(CP_EISCONN, "already-connected", "the socket is connected already")                          \
    X(CP_ESHUTDOWN, "shut-down", "this direction was shut down on this side")                      \
    X(CP_EADDRINUSE, "address-in-use", "another socket has that address and port")                 \
    X(CP_EADDRNOTAVAIL, "address-not-available",                                                   \
      "not an address of this machine, or no port is left")                                        \
    X(CP_EACCES, "not-permitted", "the system does not allow it")                                  \
    X(CP_EMFILE, "too-many-descriptors", "the process is out of descriptors")                      \
    X(CP_ENFILE, "too-many-files", "the system is out of descriptors")                             \
    X(CP_ENOSPC, "too-many-watched", "the user may watch no more descriptors with epoll")          \
    X(CP_ENOMEM, "out-of-memory", "no memory, here or in the kernel")                              \
    X(CP_ENOBUFS, "no-blocks", "a late receive's source had no block: post it again when it has")  \
    X(CP_EMSGSIZE, "message-size",                                                                 \
      "a datagram is larger than the blocks for it, or than the network takes")                    \
    X(CP_ENOTFOUND, "not-found", "nothing to cancel: not pending, or completing already")          \
    X(CP_ECLOSED, "port-closed", "the port is closed")                                             \
    X(CP_EUNSUPPORTED, "unsupported", "this engine or machine cannot do it")                       \
    X(CP_EOTHER, "other", "an OS code that has no line in this table")

enum cp_error {
    CP_ERROR_BASE = -1000,
#define CP_ERROR_CODE(code, name, text) code,
    CP_ERRORS(CP_ERROR_CODE)
#undef CP_ERROR_CODE
        CP_ERROR_END
};

enum { CP_ERROR_COUNT = CP_ERROR_END - CP_ERROR_BASE - 1 };

/* cp_error_name: "refused"; a number that is no code of ours gives "other". */
const char *cp_error_name(int code);

/* cp_error_text: what the code means, for people. */
const char *cp_error_text(int code);

/* cp_error_index: 0..CP_ERROR_COUNT-1, for counting by code. */
int cp_error_index(int code);

/* cp_error_from_os: an errno value (Linux), a WSA or Win32 code (Windows), positive -> portable
 * code. */
int cp_error_from_os(int os_code);

/* cp_error_from_errno: a negative errno value on every system -> portable code; 0 -> 0. */
int cp_error_from_errno(int error);

/* ---- types ---------------------------------------------------------------------------------- */

struct cport;
struct sockaddr;

/* Names a socket of a port. Zeroed: none. It stays the name of that socket alone, also after a
 * close: a later call with it gets CP_EINVAL. */
struct cp_socket {
    struct cport *port;
    uint64_t id;
};

/* The OS's own socket: a descriptor on Linux, a SOCKET on Windows. */
typedef intptr_t cp_handle;
#define CP_HANDLE_NONE ((cp_handle)-1)

enum {
    CP_BLOCKS_MAX = 16,       /* blocks of one late receive */
    CP_BATCH_MAX = 256,       /* packets of one cp_wait */
    CP_SOCKETS_MAX = 1 << 20, /* sockets of one port at a time */
};
#define CP_FOREVER UINT64_MAX

/* What a submitting call returns instead of 0 where the operation is over already and no packet
 * will come: see cp_socket_skip. */
#define CP_DONE 1

/* A piece of memory that an operation reads from or writes to. */
struct cp_block {
    void *data;
    size_t bytes;
};

/* Where a late receive finds its blocks. */
struct cp_source {
    /* take: called by cp_wait (of a socket that skips packets also by cp_receive_late), on the
     * calling thread, when data is there: fills in up to `max` blocks, the operation's until its
     * completion is delivered, and returns how many. 0: none are free; the receive completes with
     * CP_ENOBUFS, the data stays in the socket. Must not block. */
    unsigned (*take)(void *context, struct cp_block *blocks, unsigned max);
    /* give: likewise if there was no data after all: returns the blocks of the last take, and the
     * receive goes on waiting without any. Must not block. */
    void (*give)(void *context, struct cp_block *blocks, unsigned count);
    void *context;
};

/* Private to the port: where an address goes, as accept() and recvfrom() have it. */
struct cp_address_out {
    struct sockaddr *address;
    unsigned *bytes;
};

/* Private to the port: the node of a queue. */
struct cp_node {
    struct cp_node *next;
    bool is_direction; /* not an operation but a socket's direction that has become ready */
    bool is_key;       /* nor that, but a packet of cp_post_key */
};

/* CP_LISTEN is never delivered: cp_listen is synchronous. */
enum cp_kind {
    CP_CONNECT = 1,
    CP_ACCEPT,
    CP_RECEIVE,
    CP_SEND,
    CP_POST,
    CP_LISTEN,
    CP_RECEIVE_FROM,
    CP_SEND_TO,
    CP_TIMER,
};

/* An operation. The caller provides it, zeroed before its first use; a submitting call fills it
 * in. After its completion is delivered it may be used again. */
struct cp_op {
    /* Readable once the completion is delivered. */
    enum cp_kind kind;
    unsigned block_count;    /* late receive: blocks that the source gave, the caller's again */
    struct cp_block *blocks; /* late receive: the caller's array; else the port's copy */
    cp_handle accepted;      /* accept: the new connection, the caller's to associate or to close */
    int64_t result;          /* as in cp_packet */
    int os_error;            /* the OS's code behind a negative result; 0 if there is none */

    /* Private to the port. Kept small: every waiting connection has an operation. */
    int reason; /* the code that a cancel or a deadline asks it to end with; 0: none */
    struct cp_node node;
    struct cp_slot *slot; /* its socket's */
    union cp_op_part {
        struct cp_source source;    /* late receive */
        struct cp_block copies[2];  /* other receives and sends: the first blocks */
        struct cp_address_out peer; /* accept */
        struct {
            struct cp_block copy;
            struct cp_address_out from;
        } datagram; /* receive_from */
    } part;
    uintptr_t key;
    uint64_t deadline_ns; /* 0: none */
    size_t done_bytes;    /* of a send that takes several attempts */
    uint32_t timer_slot;  /* its index in the heap of deadlines, from 1; 0: none */
    uint8_t state;        /* OP_IDLE, ...: atomic */
    uint8_t block_room;   /* late receive: blocks that fit the caller's array */
    bool started;
    bool late : 1, blocks_owned : 1;
    uint64_t engine[5]; /* for the engine: an OVERLAPPED, an address to connect to */
};

/* What cp_wait delivers. */
struct cp_packet {
    struct cp_op *op; /* NULL: of cp_post_key */
    uintptr_t key;    /* of the socket, or of the post or timer */
    int64_t result;   /* bytes, 0, or a negative code; of a post: the poster's number */
};

/* ---- ports --------------------------------------------------------------------------------- */

struct cp_config {
    const char *engine;   /* of cp_engine_list, or NULL or "auto": the first that runs here */
    unsigned concurrency; /* workers that may run at once; 0: one per usable CPU */
    /* A running worker that sleeps anywhere but in cp_wait gives its place away, unasked, about a
     * millisecond after packets began to wait for it: a thread of the library looks for such
     * workers, and only then. When the worker runs on it is counted again, over the limit if need
     * be: at its next cp_wait or cp_block_end, or as soon as the thread sees it, which looks only
     * while packets wait and a worker for them. Needs /proc. On Windows the kernel does all this
     * itself, asked or not. */
    bool watch;
};

/* cp_open: makes a port. Does not block. CP_EUNSUPPORTED: the engine does not run here, `why`
 * (may be NULL) says the reason, or it cannot watch; CP_EINVAL: no such engine, `why` lists those
 * that exist; CP_EMFILE, CP_ENOMEM. */
int cp_open(const struct cp_config *config, struct cport **port, char *why, size_t why_bytes);

/* cp_close: closes the port: every waiter, and every later call, gets CP_ECLOSED; queued packets
 * are dropped; open sockets are closed. Their operations end without packets and belong to the
 * port, with their blocks, until cp_free. Blocks for milliseconds at most; idempotent. */
void cp_close(struct cport *port);

/* cp_free: frees the port, closing it first if need be. No thread may be in a call on it. NULL is
 * allowed. */
void cp_free(struct cport *port);

/* cp_engine_name: the engine's name, as in cp_engine_list. */
const char *cp_engine_name(const struct cport *port);

/* cp_gate_name: what enforces law 5: "user" (the gate above the engine) or "os". */
const char *cp_gate_name(const struct cport *port);

/* cp_concurrency: how many workers may run at once. */
unsigned cp_concurrency(const struct cport *port);

/* ---- workers ------------------------------------------------------------------------------- */

/* cp_wait: waits up to `timeout_ns` (0: does not block; CP_FOREVER) for packets and fills in
 * 1..max of them; never waits to fill. Returns how many, 0 when the time ran out, or CP_ECLOSED.
 * The calling worker is counted as running from the return on, also after 0 (a batch is one
 * place, whatever its size). */
int cp_wait(struct cport *port, struct cp_packet *packets, unsigned max, uint64_t timeout_ns);

/* cp_wait_ms: cp_wait with a time limit in milliseconds; -1: for ever. CP_EINVAL for other negative
 * numbers. */
int cp_wait_ms(struct cport *port, struct cp_packet *packets, unsigned max, int timeout_ms);

/* cp_block_begin, cp_block_end: bracket code that may put the calling worker to sleep outside
 * cp_wait. Begin gives the worker's place to another; end takes one back at once, over the limit
 * if need be. No effect on a thread that is not a worker of the port. They do not nest. cp_wait
 * ends a section, too; then its end has no effect. */
void cp_block_begin(struct cport *port);
void cp_block_end(struct cport *port);

/* cp_leave: the calling thread is a worker of the port no longer: its place goes to another. Its
 * next cp_wait makes it one again. No effect on a thread that is not a worker of the port. */
void cp_leave(struct cport *port);

/* cp_post: queues a packet of your own: `op`, `key` and `result` arrive as given. The op is in
 * flight until then. Fails with CP_ECLOSED, or CP_EINVAL for an op that is in flight. */
int cp_post(struct cport *port, struct cp_op *op, uintptr_t key, int64_t result);

/* cp_post_key: queues a packet without an operation: its op is NULL. CP_ENOMEM, CP_ECLOSED. */
int cp_post_key(struct cport *port, uintptr_t key, int64_t result);

/* cp_timer: queues a packet with `op`, `key` and the result 0 after `after_ns`, never earlier. The
 * op is in flight until then. Timers end in the order of their times. Does not block. CP_EINVAL for
 * an op that is in flight, CP_ENOMEM, CP_ECLOSED. */
int cp_timer(struct cport *port, struct cp_op *op, uintptr_t key, uint64_t after_ns);

/* cp_timer_cancel: takes a timer back: its packet comes now, with CP_ECANCELED. CP_ENOTFOUND: the
 * op is no timer of the port, or its packet is queued already. */
int cp_timer_cancel(struct cport *port, struct cp_op *op);

/* cp_op_done: whether an operation is over: its packet has been delivered or waits. True, too, of
 * one that was never submitted. Does not block; any thread may ask while the op exists. */
bool cp_op_done(const struct cp_op *op);

/* ---- sockets ------------------------------------------------------------------------------- */

/* cp_socket_open: makes a TCP socket of `family` (AF_INET, AF_INET6) and associates it.
 * CP_EMFILE, CP_ENOMEM, CP_EINVAL, CP_ECLOSED. */
int cp_socket_open(struct cport *port, int family, uintptr_t key, struct cp_socket *socket);

/* cp_associate: associates an OS socket, which then belongs to the port: only cp_socket_close
 * closes it. Makes a listener non-blocking, on Windows any socket. CP_EINVAL: associated already
 * with this port, or not a socket. */
int cp_associate(struct cport *port, cp_handle handle, uintptr_t key, struct cp_socket *socket);

/* cp_socket_open_udp: makes a UDP socket of `family` and associates it. It is used unbound, bound
 * (cp_bind), or connected (cp_connect: at once; only its peer's datagrams come then, and cp_send
 * knows where to). Codes as cp_socket_open's. cp_associate takes UDP sockets too. */
int cp_socket_open_udp(struct cport *port, int family, uintptr_t key, struct cp_socket *socket);

/* cp_bind: gives a socket that is not connected its own address, which a connect then comes from;
 * port 0 takes a free one. cp_listen binds itself. Does not block. CP_EINVAL: it is bound already;
 * CP_EADDRINUSE, CP_EADDRNOTAVAIL, CP_EACCES, CP_EISCONN. */
int cp_bind(struct cp_socket socket, const struct sockaddr *address, unsigned address_bytes);

/* cp_listen: binds and listens, so that accepts can be posted. `address` with port 0 takes a
 * free one; read it back from cp_socket_handle. Does not block. */
int cp_listen(struct cp_socket socket, const struct sockaddr *address, unsigned address_bytes,
              int backlog);

/* cp_socket_handle: the OS's socket, to set options of; it stays the port's. CP_HANDLE_NONE: it is
 * closed. */
cp_handle cp_socket_handle(struct cp_socket socket);

/* cp_socket_skip: operations of this socket that succeed in the submitting call itself are over
 * with it: it returns CP_DONE, op->result has the result, and no packet comes, as with Windows'
 * FILE_SKIP_COMPLETION_PORT_ON_SUCCESS. Sends are tried there at once, receives where the port
 * knows that something waits. Saves the packet and the waking of another worker; the caller must
 * not let one busy connection starve the rest. Datagrams skip on Linux only. CP_EINVAL: it is
 * closed. */
int cp_socket_skip(struct cp_socket socket, bool skip);

/* cp_socket_key: packets of the socket have this key from now on, those that are queued already
 * keep theirs. CP_EINVAL: it is closed. */
int cp_socket_key(struct cp_socket socket, uintptr_t key);

/* cp_shutdown: ends this side's sending once the sends that were accepted are over: the peer then
 * sees the end of the stream. Later sends are refused with CP_ESHUTDOWN; receives go on. Posts no
 * packet, does not block; a second call has no effect. CP_ENOTCONN; CP_EINVAL for a UDP socket. */
int cp_shutdown(struct cp_socket socket);

/* cp_socket_release: takes a socket that has no operation in flight out of the port and leaves it
 * open: *handle is the caller's. CP_EINVAL: closed, or an operation is in flight; CP_EUNSUPPORTED:
 * the engine (iocp) cannot. */
int cp_socket_release(struct cp_socket socket, cp_handle *handle);

/* cp_socket_close: closes the socket, as closesocket does on Windows: operations in flight each
 * complete once with CP_EABORTED (or with their own result if that came first). Closing twice has
 * no effect. */
void cp_socket_close(struct cp_socket socket);

/* ---- operations ---------------------------------------------------------------------------- */
/* All: 0 accepted, a completion will come; CP_DONE: over already, none will (cp_socket_skip);
 * negative: refused, none will. CP_EINVAL for null or too many arguments and for a socket that is
 * not in the state for it, CP_ECLOSED for a closed port.
 *
 * An array of blocks is copied, the memory that they name is not. Any number of them, also empty
 * ones; CP_ENOMEM: no memory for the copy of more than two. An address may be given with the
 * length of a sockaddr_storage. */

/* cp_connect: result 0 when connected. `timeout_ns` CP_FOREVER: TCP's own limit; else
 * CP_ETIMEDOUT then. */
int cp_connect(struct cp_socket socket, struct cp_op *op, const struct sockaddr *address,
               unsigned address_bytes, uint64_t timeout_ns);

/* cp_accept: result 0 and op->accepted, not yet associated with anything. `peer` (may be NULL)
 * then has the peer's address: *peer_bytes is its room before and its length after; both stay put
 * as the op does. CP_EMFILE, CP_ENFILE, CP_ENOMEM: the connection still waits. The listener's next
 * accept is then held until a socket of the port is closed or 10 ms have passed, so that posting it
 * again does not spin. */
int cp_accept(struct cp_socket listener, struct cp_op *op, struct sockaddr *peer,
              unsigned *peer_bytes);

/* cp_receive (early binding): the result is how many bytes are in the blocks, filled in order,
 * one or more as soon as some are there; 0: the peer has finished. Without room (no blocks or
 * empty ones): completes with 0 when data or the peer's end is there, taking nothing (Windows'
 * zero-byte receive). */
int cp_receive(struct cp_socket socket, struct cp_op *op, const struct cp_block *blocks,
               unsigned count);

/* cp_receive_late (late binding): as cp_receive, but the blocks are taken from `source` only
 * when data is there, so that a waiting connection holds none. `blocks` has room for `max` of
 * them, at most CP_BLOCKS_MAX, and stays put as the op does; op->block_count says how many were
 * taken. */
int cp_receive_late(struct cp_socket socket, struct cp_op *op, struct cp_block *blocks,
                    unsigned max, const struct cp_source *source);

/* cp_send: completes when all bytes are with the kernel, or fails; the result is their number.
 * CP_ESHUTDOWN: this side has shut down its sending, or (Linux) the peer has finished and then
 * reset, which nothing had reported; receives go on. */
int cp_send(struct cp_socket socket, struct cp_op *op, const struct cp_block *blocks,
            unsigned count);

/* cp_cancel: asks to take back `op`, or with NULL every operation of the socket. 0: asked, the
 * completion comes as CP_ECANCELED or, if the kernel was faster, as whatever happened.
 * CP_ENOTFOUND: nothing pending. No data is lost by cancelling a receive; after cancelling a
 * half-done send the stream is unusable. */
int cp_cancel(struct cp_socket socket, struct cp_op *op);

/* ---- datagrams ------------------------------------------------------------------------------ */

/* Datagrams, of UDP sockets alone. cp_receive and cp_send serve them as well, the latter on a
 * connected one. Each operation is one datagram, of at most CP_BLOCKS_MAX blocks; a receive needs
 * room for a byte and is not late. CP_EREFUSED, of a connected one: nobody received an earlier
 * datagram; the socket can be used again. */

/* cp_receive_from: the result is the datagram's length, 0 for an empty one. CP_EMSGSIZE: it was
 * larger than the blocks; they are full, the rest is lost. `from` (may be NULL) then has its
 * sender's address: *from_bytes is its room before, enough for the socket's family, and its length
 * after; both stay put as the op does. */
int cp_receive_from(struct cp_socket socket, struct cp_op *op, const struct cp_block *blocks,
                    unsigned count, struct sockaddr *from, unsigned *from_bytes);

/* cp_send_to: completes when the datagram is with the kernel; no bytes make an empty one. The
 * address is copied. CP_EMSGSIZE: larger than the network takes. */
int cp_send_to(struct cp_socket socket, struct cp_op *op, const struct cp_block *blocks,
               unsigned count, const struct sockaddr *to, unsigned to_bytes);

/* ---- engines ------------------------------------------------------------------------------- */

/* cp_engine_list: names and summaries of the engines built in, in order of preference; NULL
 * after the last. */
const char *cp_engine_list(unsigned index, const char **summary);

#ifdef __ELF__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
