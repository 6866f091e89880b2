/* The test double: an engine whose kernel is the test itself. Sockets have no network behind
 * them; what their peers do is said with the calls below, from any thread. It is a completion
 * engine: an operation goes to the "kernel" and comes back when the script gives it what it
 * needs. It allows one poller, so that promotion is exercised. */
#ifndef FANIN_SCRIPT_H
#define FANIN_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cp_socket;

/* script_connect: answers the socket's connect, pending or yet to come, with 0 or a negative
 * code. */
void script_connect(struct cp_socket *socket, int64_t result);

/* script_feed: the peer sends. script_finish: it ends its stream. script_reset: it resets the
 * connection. */
void script_feed(struct cp_socket *socket, const void *data, size_t bytes);
void script_finish(struct cp_socket *socket);
void script_reset(struct cp_socket *socket);

/* script_window: how many more bytes the peer takes from now on (SIZE_MAX at first). */
void script_window(struct cp_socket *socket, size_t bytes);

/* script_sent: moves up to `bytes` of what was sent into `data`; how many. */
size_t script_sent(struct cp_socket *socket, void *data, size_t bytes);

/* script_hold_cancels: from now on a cancel only asks; script_release_cancels lets it happen. */
void script_hold_cancels(struct cp_socket *socket);
void script_release_cancels(struct cp_socket *socket);

#endif
