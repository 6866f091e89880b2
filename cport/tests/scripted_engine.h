/* A test double: an engine whose kernel is the test itself. Sockets have no network behind them;
 * the test says what their peers do, with the calls below, from any thread. It is a completion
 * engine with one poller, so that promotion is exercised. Opened by port_open. */
#ifndef FANIN_TESTS_SCRIPTED_ENGINE_H
#define FANIN_TESTS_SCRIPTED_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "cport/engine.h"

extern const struct engine engine_scripted;

/* script_connect: the result of the socket's connect, pending or future: 0 or a negative code. */
void script_connect(struct cp_socket *socket, int64_t result);

/* script_feed: the peer sends. script_finish: it ends its stream. script_reset: it resets the
 * connection. */
void script_feed(struct cp_socket *socket, const void *data, size_t bytes);
void script_finish(struct cp_socket *socket);
void script_reset(struct cp_socket *socket);

/* script_window: how many more bytes the peer takes from now on (SIZE_MAX at first). */
void script_window(struct cp_socket *socket, size_t bytes);

/* script_sent: moves up to `bytes` of what was sent into `data`; returns how many. */
size_t script_sent(struct cp_socket *socket, void *data, size_t bytes);

/* script_hold_cancels: from now on cancels stay pending, until script_release_cancels. */
void script_hold_cancels(struct cp_socket *socket);
void script_release_cancels(struct cp_socket *socket);

#endif
