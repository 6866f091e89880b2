/* TCP sockets; net_linux.c and net_windows.c have what differs between the systems. A socket is the
 * system's handle, a descriptor or a SOCKET. Failure is a negative errno value. */
#ifndef FANIN_NET_H
#define FANIN_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- addresses ----------------------------------------------------------------------------- */

enum {
    NET_ADDRESS_BYTES_MAX = 28, /* an IPv6 socket address */
    NET_TEXT_BYTES = 64,        /* "[....]:65535" */
};

/* A socket address, IPv4 or IPv6, in the system's layout. */
struct net_address {
    _Alignas(8) unsigned char data[NET_ADDRESS_BYTES_MAX];
    unsigned bytes;
};

/* net_numeric: of a `host` that is an address. False: it is a name, or wrong. Does not block. */
bool net_numeric(const char *host, uint16_t port, struct net_address *address);

/* net_resolve: all addresses of a name, each once and without a port, in the order of RFC 8305: the
 * resolver's, families in turn. Blocks as long as the resolver does. Returns their number, with
 * *addresses the caller's, from malloc; 0: `why` has the resolver's words. */
unsigned net_resolve(const char *host, struct net_address **addresses, char *why, size_t why_bytes);

/* net_interleave: orders addresses that the resolver has sorted: the first one's family begins, the
 * families take turns; within a family the order stays. */
void net_interleave(struct net_address *addresses, unsigned count);

struct net_address net_ipv4(uint32_t host, uint16_t port);

/* net_address_at: `base` with `steps` added to its last 32 bits, and another port. */
struct net_address net_address_at(const struct net_address *base, uint32_t steps, uint16_t port);

uint32_t net_address_host(const struct net_address *address); /* its last 32 bits */
uint16_t net_address_port(const struct net_address *address);

const struct sockaddr *net_sockaddr(const struct net_address *address);
int net_family(const struct net_address *address);
const char *net_family_name(const struct net_address *address); /* "ipv4" or "ipv6" */

/* net_address_text: "127.0.0.1:20000" or "[::1]:20000". Returns text. */
const char *net_address_text(const struct net_address *address, char text[NET_TEXT_BYTES]);

/* net_own_each: calls `each` for every IPv4 address that this computer has, with the name of its
 * interface ("" where the system does not say). */
int net_own_each(void (*each)(void *context, uint32_t host, const char *interface), void *context);

int net_local(intptr_t handle, struct net_address *address); /* the socket's own end */
int net_peer(intptr_t handle, struct net_address *address);  /* the other one */

/* ---- blocking, with a time limit ------------------------------------------------------------ */

/* Time limits are of os_active_ns: no pause of this process counts. -ECANCELED: it was interrupted
 * (os_interrupted) during the call. */

/* net_connect: a blocking connect(), given up after `timeout_ns`. 0 with *handle the caller's. */
int net_connect(const struct net_address *address, uint64_t timeout_ns, intptr_t *handle);

/* net_send_all: blocks until the kernel has all bytes; -ETIMEDOUT after `timeout_ns`. */
int net_send_all(intptr_t handle, const void *data, size_t bytes, uint64_t timeout_ns);

/* net_read_line: blocks for one line that ends in \r\n and puts it NUL-terminated, without its
 * end, into `line`. -ETIMEDOUT after `timeout_ns`, -ENOTCONN when the peer ends first, -EINVAL for
 * a line that does not fit. */
int net_read_line(intptr_t handle, char *line, size_t line_bytes, uint64_t timeout_ns);

/* net_receive_blocking: blocks until something comes; net_shutdown on another thread ends it, too.
 * 0: the peer has finished. The socket is one of net_connect. */
int64_t net_receive_blocking(intptr_t handle, void *data, size_t bytes);

/* net_wait: blocks until the socket has one of the signs, or is broken (true), or `timeout_ns` of
 * os_now_ns are over. */
bool net_wait(intptr_t handle, unsigned signs, uint64_t timeout_ns);

/* ---- non-blocking; -EAGAIN: the call would have blocked ------------------------------------- */

/* net_connect_begin: a connect that nobody waits for. 0 with *handle the caller's, also while it is
 * still under way. */
int net_connect_begin(const struct net_address *address, intptr_t *handle);

/* net_bind: reserves `address` without listening, so that connects to it are refused; port 0 picks
 * a free one. Succeeds despite connections in TIME_WAIT. On failure *handle is unchanged. */
int net_bind(const struct net_address *address, intptr_t *handle);

/* How accepted connections send. Nagle's delay is always off. One whose peer's machine has died is
 * broken after 15 minutes of silence (on Windows: after its default time). */
struct net_tuning {
    int send_buffer_bytes;  /* 0: the system's default */
    const char *congestion; /* congestion control by its system's name; NULL: the default */
    /* Bytes that wait in the kernel before their first sending: with more it takes none. 0: no such
     * limit; Windows has none. */
    int unsent_max_bytes;
};

/* net_tune: of a connection that net_connect_begin has made. Results as of net_listen. */
int net_tune(intptr_t handle, const struct net_tuning *tuning);

/* net_listen: makes a bound socket listen. -ENOENT: the system has no such congestion control. */
int net_listen(intptr_t handle, int backlog, const struct net_tuning *tuning);

/* net_accept: the next connection, or -EAGAIN. `tuning` is the one of net_listen. */
int net_accept(intptr_t listener, const struct net_tuning *tuning, intptr_t *handle);

int64_t net_receive(intptr_t handle, void *data, size_t bytes); /* 0: the peer has finished */
int64_t net_send(intptr_t handle, const void *data, size_t bytes);

/* net_unacknowledged: bytes sent that the peer's system has not confirmed; -ENOSYS: not known. */
int64_t net_unacknowledged(intptr_t handle);

void net_finish(intptr_t handle);   /* no more will be sent; receiving goes on */
void net_shutdown(intptr_t handle); /* both directions; the handle stays open */
void net_close(intptr_t handle);
void net_reset(intptr_t handle); /* closes with a reset */

/* ---- waiting for many ----------------------------------------------------------------------- */

enum net_sign {
    NET_READABLE = 1, /* something to receive or to accept, or the peer has finished */
    NET_WRITABLE = 2,
    NET_FINISHED = 4, /* the peer has finished sending */
    NET_BROKEN = 8,   /* reset or in error */
};

/* A watched socket: a field of its owner, which is found from it. One that is all zeros is not
 * watched. */
struct net_watched {
    struct net_watch *watch;
    intptr_t handle;
    size_t place; /* these three: Windows only */
    unsigned armed;
    bool is_over;
};

struct net_event {
    struct net_watched *watched;
    unsigned signs; /* of enum net_sign */
};

enum net_trigger {
    NET_EDGE,         /* each sign once when it begins to hold, and after net_watch_again */
    NET_WHILE_UNREAD, /* NET_READABLE, as long as it holds */
};

struct net_watch;

const char *net_watch_name(void); /* the kernel's interface behind it */

struct net_watch *net_watch_open(enum net_trigger trigger); /* NULL: the system has none left */
void net_watch_close(struct net_watch *watch);

/* net_watch_add: reports the socket's signs from now on. net_watch_remove comes before the socket
 * is closed, and does nothing to one that is not watched. */
int net_watch_add(struct net_watch *watch, struct net_watched *watched, intptr_t handle);
void net_watch_remove(struct net_watched *watched);

/* net_watch_again: after -EAGAIN: reports the sign when it holds again. */
void net_watch_again(struct net_watched *watched, enum net_sign sign);

/* net_watch_wait: blocks up to `timeout_ns`; 0..max events, 0 also after a signal. */
int net_watch_wait(struct net_watch *watch, struct net_event *events, int max, uint64_t timeout_ns);

/* ---- stores --------------------------------------------------------------------------------- */

/* net_store_open: `bytes` of zeros, which take memory only when they are written. */
int net_store_open(uint64_t bytes, intptr_t *store);

/* net_store_write: inside the store; whole or failed. */
int net_store_write(intptr_t store, uint64_t offset, const void *data, size_t bytes);

/* net_store_send: hands pages of the store to a connection. Needs os_writes_fail: Linux has no such
 * call without a signal. */
int64_t net_store_send(intptr_t store, uint64_t offset, size_t bytes, intptr_t handle);
void net_store_close(intptr_t store);

#endif
