/* Plain blocking TCP with time limits: for connect(), one server after the other, as the paper
 * compares it, for questions to the fleet, and for the raw loop. The only file of the collector
 * that knows the system's socket calls; wire_linux.c or wire_windows.c answers what differs. */
#ifndef FANIN_COLLECTOR_WIRE_H
#define FANIN_COLLECTOR_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "cport/cport.h"

enum {
    WIRE_ADDRESS_BYTES_MAX = 28, /* an IPv6 socket address */
    WIRE_TEXT_BYTES = 64,        /* "[....]:65535" */
};

/* A socket address, IPv4 or IPv6, as the system lays it out. */
struct wire_address {
    _Alignas(8) unsigned char data[WIRE_ADDRESS_BYTES_MAX];
    unsigned bytes;
};

/* wire_resolve: `host` may be numeric or a name; a name may block as long as the resolver does.
 * 0, or -1 with `why`. */
int wire_resolve(const char *host, uint16_t port, struct wire_address *address, char *why,
                 size_t why_bytes);

/* wire_address_at: `base` with its last 32 bits counted up by `steps`, and another port. */
struct wire_address wire_address_at(const struct wire_address *base, uint32_t steps, uint16_t port);

const struct sockaddr *wire_sockaddr(const struct wire_address *address);
int wire_family(const struct wire_address *address);

/* wire_address_text: "127.0.0.1:20000" or "[::1]:20000". Returns text. */
const char *wire_address_text(const struct wire_address *address, char text[WIRE_TEXT_BYTES]);

/* wire_connect: a blocking connect(), given up after `timeout_ns`. 0 with *handle the caller's,
 * or a portable negative code. */
int wire_connect(const struct wire_address *address, uint64_t timeout_ns, cp_handle *handle);

/* wire_send: blocks until all bytes are with the kernel. 0, or a portable negative code;
 * CP_ETIMEDOUT after `timeout_ns`. */
int wire_send(cp_handle handle, const void *data, size_t bytes, uint64_t timeout_ns);

/* wire_read_line: blocks for one line that ends in \r\n and puts it NUL-terminated, without its
 * end, into `line`. 0, or a portable negative code: CP_ETIMEDOUT after `timeout_ns`, CP_ENOTCONN
 * when the peer ends first, CP_EINVAL for a line that does not fit. */
int wire_read_line(cp_handle handle, char *line, size_t line_bytes, uint64_t timeout_ns);

/* wire_send_some, wire_receive: as many bytes as go at once, 1 or more. Block until
 * `deadline_ns` by os_now_ns (0: not at all), then CP_ETIMEDOUT. wire_receive: 0 when the peer
 * has finished. */
int64_t wire_send_some(cp_handle handle, const void *data, size_t bytes, uint64_t deadline_ns);
int64_t wire_receive(cp_handle handle, void *data, size_t bytes, uint64_t deadline_ns);

/* wire_receive_waiting: wire_receive that blocks for as long as nothing comes; wire_shutdown on
 * another thread ends it, too. wire_shutdown: both directions; the descriptor stays. */
int64_t wire_receive_waiting(cp_handle handle, void *data, size_t bytes);
void wire_shutdown(cp_handle handle);

void wire_close(cp_handle handle);

/* ---- many at once --------------------------------------------------------------------------- */

/* Sockets, and one wait for those with something to receive. */
struct wire_set;

const char *wire_set_name(void); /* the kernel's interface behind it */

/* wire_set_open: room for `sockets_max`. NULL: the system has none left. */
struct wire_set *wire_set_open(uint32_t sockets_max);
void wire_set_close(struct wire_set *set);

/* wire_set_add: 0 or a portable negative code. wire_set_remove comes before wire_close. */
int wire_set_add(struct wire_set *set, cp_handle handle, void *owner);
void wire_set_remove(struct wire_set *set, cp_handle handle);

/* wire_set_wait: blocks up to `timeout_ms`; fills in the owners of 0..max sockets that are worth
 * a receive, again as long as they are. */
unsigned wire_set_wait(struct wire_set *set, void **owners, unsigned max, unsigned timeout_ms);

#endif
