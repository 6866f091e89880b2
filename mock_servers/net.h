/* What the devices need of the system: sockets, one wait for all of them, and stores that are sent
 * without being copied. Link-time choice: net_linux.c answers this list name by name, another
 * system's file would.
 *
 * No socket ever blocks. Failure is a negative errno value; -EAGAIN means that it would have
 * blocked. */
#ifndef FANIN_NET_H
#define FANIN_NET_H

#include <stddef.h>
#include <stdint.h>

struct net_address {
    uint32_t host; /* IPv4, host byte order */
    uint16_t port;
};

/* net_start: once per process, before anything else: a peer that is gone must not be a signal. */
void net_start(void);

/* net_bind: takes `address` without listening, so that connects to it are refused; port 0 takes
 * a free one. `*handle` is the caller's to close. Frees of a former process's connections do not
 * stand in the way. */
int net_bind(const struct net_address *address, intptr_t *handle);

/* How accepted connections send; they have no Nagle delay in any case. */
struct net_tuning {
    int send_buffer_bytes;  /* 0: as the system likes */
    const char *congestion; /* congestion control by its system's name; NULL: as the system likes */
};

/* net_listen: makes a bound socket listen. -ENOENT: the system has no such congestion control. */
int net_listen(intptr_t handle, int backlog, const struct net_tuning *tuning);

int net_port(intptr_t handle);                               /* the bound port */
int net_local(intptr_t handle, struct net_address *address); /* its own end of a connection */
int net_accept(intptr_t listener, intptr_t *handle);         /* the next connection, or -EAGAIN */
int net_connect(const struct net_address *address, intptr_t *handle); /* starts; never awaited */

int64_t net_receive(intptr_t handle, void *data, size_t bytes); /* 0: the peer has finished */
int64_t net_send(intptr_t handle, const void *data, size_t bytes);

/* net_unacknowledged: bytes sent that the peer's system has not taken yet. */
int64_t net_unacknowledged(intptr_t handle);

void net_finish(intptr_t handle); /* no more will be sent; receiving goes on */
void net_close(intptr_t handle);
void net_reset(intptr_t handle); /* closes with a reset */

/* ---- waiting ---- */

enum net_sign {
    NET_READABLE = 1, /* something to receive or to accept, or the peer has finished */
    NET_WRITABLE = 2,
    NET_FINISHED = 4, /* the peer has finished sending */
    NET_BROKEN = 8,   /* reset or in error */
};

struct net_event {
    void *owner;
    unsigned signs; /* of enum net_sign */
};

struct net_watch;

struct net_watch *net_watch_open(void); /* NULL: the system has none left */
void net_watch_close(struct net_watch *watch);

/* net_watch_add: reports the socket's signs with `owner` from now on: each once when it begins
 * to hold, and again after an operation has answered -EAGAIN. Ends when the socket is closed. */
int net_watch_add(struct net_watch *watch, intptr_t handle, void *owner);

/* net_watch_wait: blocks up to `timeout_ns`; 0..max events, 0 also after a signal. */
int net_watch_wait(struct net_watch *watch, struct net_event *events, int max, uint64_t timeout_ns);

/* ---- stores ---- */

int net_store_open(uint64_t bytes,
                   intptr_t *store); /* all zeros; takes memory only as it is written */
int net_store_write(intptr_t store, uint64_t offset, const void *data,
                    size_t bytes); /* whole or failed */
int64_t net_store_send(intptr_t store, uint64_t offset, size_t bytes, intptr_t handle);
void net_store_close(intptr_t store);

#endif
