/* A test double: an engine whose kernel is the test itself. Sockets have no network behind them;
 * the test says what their peers do, with the calls below, from any thread. It is a completion
 * engine with one poller, so that promotion is exercised. Opened by port_open. */
#ifndef FANIN_TESTS_SCRIPTED_ENGINE_H
#define FANIN_TESTS_SCRIPTED_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "cport/engine.h"

extern const struct engine engine_scripted;

enum script_event {
    SCRIPT_CONNECT,      /* the result of its connect, pending or future: 0 or a negative code */
    SCRIPT_ACCEPT,       /* the result of its accepts, pending or future */
    SCRIPT_FINISH,       /* the peer ends its stream */
    SCRIPT_RESET,        /* ... resets the connection */
    SCRIPT_WINDOW,       /* ... takes that many more bytes from now on (SIZE_MAX at first) */
    SCRIPT_HOLD_CANCELS, /* cancels stay pending from now on, until script_release_cancels */
};

/* script: what happens to the socket, with the value that the event names. */
void script(struct cp_socket socket, enum script_event event, int64_t value);
void script_release_cancels(struct cp_socket socket);

/* script_feed: the peer sends. */
void script_feed(struct cp_socket socket, const void *data, size_t bytes);

/* script_sent: moves up to `bytes` of what was sent into `data`; returns how many. */
size_t script_sent(struct cp_socket socket, void *data, size_t bytes);

#endif
