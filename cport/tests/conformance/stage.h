/* The stage of the conformance suite: behaviours of a completion port in plain C on the port's own
 * API, so that they run wherever an engine does, Wine included. The far end of every connection is
 * a socket of a second port of the same engine.
 *
 * A behaviour is a function that leaves stage->problem NULL if it holds; else "skip: ..." if this
 * system cannot show it, or what it saw instead. */
#ifndef FANIN_CONFORMANCE_STAGE_H
#define FANIN_CONFORMANCE_STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include <cport.h>
#include "cport/tests/ms.h"

enum { PATIENCE_MS = 15000, A_MOMENT_MS = 20 };

struct stage {
    const char *engine;
    struct cport *port, *far_port;
    struct cp_socket listener;  /* on far_port */
    struct net_address address; /* of the listener */
    struct cp_socket near;      /* of a connection: on port, with key 7 */
    struct cp_socket far;       /* ... on far_port */
    struct cp_op op;            /* for the behaviour */
    struct cp_block block;      /* data */
    char data[8];
    struct cp_packet packet; /* the latest of port */
    const char *problem;
};

/* What a behaviour starts with; WATCHED: connected, and the port watches its workers. */
enum setup { ALONE, CONNECTED, WATCHED };

/* number, name in the table, function, limit of the port (0: one per CPU), what it starts with */
#define BEHAVIOURS(X)                                                                              \
    X("1", "post and get", post_and_get, 2, ALONE)                                                 \
    X("2", "packets leave in order", packets_in_order, 2, ALONE)                                   \
    X("3", "an empty port times out and touches nothing", empty_times_out, 2, ALONE)               \
    X("4", "time-outs are accurate", timeout_accuracy, 2, ALONE)                                   \
    X("6", "a batch never waits to fill", batch_never_waits_to_fill, 2, ALONE)                     \
    X("7", "failed I/O is a packet with its code", failed_io_is_a_packet, 2, CONNECTED)            \
    X("9", "closing wakes every waiter", close_wakes_waiters, 2, ALONE)                            \
    X("10", "a closed port refuses", use_after_close, 2, ALONE)                                    \
    X("11", "closing drops queued packets", close_drops_queued_packets, 2, ALONE)                  \
    X("12", "closing ends pending I/O without packets", close_ends_pending_io, 2, CONNECTED)       \
    X("13", "a socket is associated once", associate_twice, 2, CONNECTED)                          \
    X("14", "only a socket can be associated", associate_no_socket, 2, ALONE)                      \
    X("17", "closing an idle socket posts nothing", idle_close_posts_nothing, 2, CONNECTED)        \
    X("20", "a plain call posts nothing", plain_calls_post_nothing, 2, CONNECTED)                  \
    X("21", "shutting down posts nothing and lets sends go first", shutdown_after_sends, 2,        \
      CONNECTED)                                                                                   \
    X("22", "ready data is a packet too", ready_data_is_a_packet_too, 2, CONNECTED)                \
    X("23", "a pending operation is one packet", pending_is_one_packet, 2, CONNECTED)              \
    X("24", "a refused operation is none", refused_is_no_packet, 2, CONNECTED)                     \
    X("25", "success at once needs no packet, where asked for", success_needs_no_packet, 2,        \
      CONNECTED)                                                                                   \
    X("26", "another thread may have the packet first", another_thread_first, 2, CONNECTED)        \
    X("27", "a short read completes", short_read, 2, CONNECTED)                                    \
    X("28", "receives complete in order", receives_complete_in_order, 2, CONNECTED)                \
    X("29", "the peer's end is a receive of 0", graceful_end, 2, CONNECTED)                        \
    X("30", "a reset ends a receive", reset_while_receiving, 2, CONNECTED)                         \
    X("31", "after a reset a receive is refused", receive_after_reset, 2, CONNECTED)               \
    X("32", "closing aborts each receive once", close_while_receiving, 2, CONNECTED)               \
    X("33", "a zero-byte receive waits and takes nothing", zero_byte_receive, 2, CONNECTED)        \
    X("35", "an unconnected socket cannot receive", receive_unconnected, 2, ALONE)                 \
    X("36", "the issuing thread may end", issuing_thread_ends, 2, CONNECTED)                       \
    X("37", "a send is whole", send_is_whole, 2, CONNECTED)                                        \
    X("38", "a send after shutting down says so, receives go on", send_after_shutdown, 2,          \
      CONNECTED)                                                                                   \
    X("39", "after a reset a send is refused", send_after_reset, 2, CONNECTED)                     \
    X("40", "a reset ends a send", reset_while_sending, 2, CONNECTED)                              \
    X("41", "a half-done send can be cancelled", cancel_half_done_send, 2, CONNECTED)              \
    X("42", "sends go out in order", sends_in_order, 2, CONNECTED)                                 \
    X("44", "a connect completes", connect_succeeds, 2, ALONE)                                     \
    X("45", "a refused connect completes", connect_refused, 2, ALONE)                              \
    X("46", "a connect's time limit", connect_times_out, 2, ALONE)                                 \
    X("47", "a new socket per attempt", new_socket_per_attempt, 2, ALONE)                          \
    X("48", "a connect can be cancelled", cancel_connect, 2, ALONE)                                \
    X("49", "a connected socket is usable at once", connected_is_usable, 2, CONNECTED)             \
    X("50", "closing a listener ends its accepts", accept_listener_closed, 2, ALONE)               \
    X("52", "only a listener accepts", accept_misuse, 2, CONNECTED)                                \
    X("53", "a pending operation can be cancelled", cancel_pending, 2, CONNECTED)                  \
    X("54", "nothing pending, nothing cancelled", cancel_finds_nothing, 2, CONNECTED)              \
    X("55", "everything of a socket can be cancelled", cancel_everything, 2, CONNECTED)            \
    X("57", "a cancelled receive loses no data", cancel_loses_no_data, 2, CONNECTED)               \
    X("59", "never more than the limit run", never_more_than_the_limit, 1, ALONE)                  \
    X("60", "a limit of 0 is the processors", a_limit_of_0_is_the_processors, 0, ALONE)            \
    X("P1", "an accept without a descriptor does not spin", accept_without_descriptors, 2, ALONE)  \
    X("P2", "an adopted IPv6 listener accepts", accept_adopted_ipv6, 2, ALONE)                     \
    X("S10", "a worker that sleeps unasked gives its place away", sleeping_gives_the_place, 1,     \
      WATCHED)                                                                                     \
    X("S11", "one place, and a worker waits for what the next packet does",                        \
      waiting_for_the_next_packet, 1, WATCHED)                                                     \
    X("S12", "a worker that computes keeps its place", computing_keeps_the_place, 1, WATCHED)      \
    X("P3", "a wait in milliseconds, -1 for ever", wait_in_ms, 2, ALONE)                           \
    X("P4", "a worker that leaves gives its place", leaving_gives_the_place, 1, ALONE)             \
    X("P5", "a post needs no operation", post_without_op, 2, ALONE)                                \
    X("P6", "a call's blocks are copied", blocks_are_copied, 2, CONNECTED)                         \
    X("P7", "any number of blocks, empty ones too", any_number_of_blocks, 2, CONNECTED)            \
    X("P8", "closing twice never meets the next socket", closed_is_nobody, 2, ALONE)               \
    X("P9", "an accept has the peer's address", accept_has_the_peer, 2, ALONE)                     \
    X("P10", "lengths of addresses are clipped", lengths_are_clipped, 2, ALONE)                    \
    X("P11", "a bound socket connects from there", bound_connects_from_there, 2, ALONE)            \
    X("P12", "an operation says that it is done", op_says_it_is_done, 2, CONNECTED)                \
    X("P13", "a socket's key can change", key_can_change, 2, CONNECTED)                            \
    X("P14", "a socket can be released", release_gives_the_handle, 2, CONNECTED)                   \
    X("P15", "an adopted socket stays blocking", adopted_stays_blocking, 2, ALONE)                 \
    X("T1", "a timer is a packet, never early", timer_is_a_packet, 2, ALONE)                       \
    X("T2", "timers end in order", timers_in_order, 2, ALONE)                                      \
    X("T3", "a timer can be cancelled, once", timer_cancelled, 2, ALONE)                           \
    X("T4", "closing drops timers", timers_dropped_by_close, 2, ALONE)                             \
    X("T5", "a timer of a busy port ends", timer_of_a_busy_port, 1, ALONE)                         \
    X("T6", "an earlier timer wakes a waiter", timer_wakes_a_waiter, 2, ALONE)                     \
    X("T7", "a timer for ever waits", timer_for_ever, 2, ALONE)                                    \
    X("U1", "a datagram is whole and names its sender", datagram_is_whole, 2, ALONE)               \
    X("U2", "an empty datagram is a result of 0", datagram_empty, 2, ALONE)                        \
    X("U3", "a datagram larger than the blocks is cut, and says so", datagram_is_cut, 2, ALONE)    \
    X("U4", "datagrams that wait are received one by one", datagrams_that_wait, 2, ALONE)          \
    X("U5", "receives of datagrams complete in order", datagram_receives_in_order, 2, ALONE)       \
    X("U6", "a connected sender hears that nobody listens", datagram_refused, 2, ALONE)            \
    X("U7", "an unconnected sender does not", datagram_to_nobody, 2, ALONE)                        \
    X("U8", "a connected socket has datagrams of its peer alone", datagrams_of_a_peer, 2, ALONE)   \
    X("U9", "a datagram socket can be adopted", datagrams_adopted, 2, ALONE)                       \
    X("U10", "a receive of datagrams can be cancelled and closed", datagram_receives_end, 2,       \
      ALONE)                                                                                       \
    X("U11", "a datagram too large for the network is refused", datagram_too_large, 2, ALONE)      \
    X("U12", "streams and datagrams keep apart", datagram_misuse, 2, CONNECTED)

#define X(number, name, function, limit, setup) void function(struct stage *stage);
BEHAVIOURS(X)
#undef X

#define STRINGIZE(x) #x
#define LINE_TEXT(x) STRINGIZE(x)
#define EXPECT(truth)                                                                              \
    do {                                                                                           \
        if (!(truth)) {                                                                            \
            stage->problem = "line " LINE_TEXT(__LINE__) ": not so: " #truth;                      \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* runs_here: whether the engine runs on this machine; if not, why not. */
bool runs_here(const char *engine, char *why, size_t why_bytes);

/* conformance_open: NULL, or why not. */
const char *conformance_open(struct stage *stage, unsigned concurrency, enum setup setup);
void conformance_close(struct stage *stage);

/* next_within: the next packet of the port, into stage->packet; false: none came. */
bool next_within(struct stage *stage, uint64_t timeout_ms);
/* next_is: the next packet is of this operation and has this result. */
bool next_is(struct stage *stage, const struct cp_op *op, int64_t result);
bool nothing_comes(struct stage *stage);

/* arrives: the far end sends the text, and stage->op, a receive into stage->data, ends with it. */
bool arrives(struct stage *stage, const char *text);

/* reaches: whether the count becomes that and no more. */
bool reaches(atomic_uint *count, unsigned expected);

/* post_receive: posts stage->op: a receive into stage->block. */
int post_receive(struct stage *stage);

/* descriptors_open: how many descriptors or handles the process has (system_linux.c,
 * system_windows.c). */
int descriptors_open(void);

/* descriptors_deny: no descriptor more for the process, until descriptors_allow. False: this system
 * has no such limit. */
bool descriptors_deny(void);
void descriptors_allow(void);

/* handle_narrow: gives the socket a small send buffer, so that sends wait for their receiver.
 * handle_reset_on_close: closing the socket will reset its connection. */
void handle_narrow(cp_handle handle);
void handle_reset_on_close(cp_handle handle);

/* fresh: a new socket of the port, or NULL. */
struct cp_socket fresh(struct stage *stage, uintptr_t key);

/* listener_address: where a listening socket of a port listens. */
struct net_address listener_address(struct cp_socket listener);

/* The far end. far_send and far_receive wait until all bytes are through; they return how many, or
 * a code. */
int64_t far_send(struct stage *stage, const void *data, size_t bytes);
int64_t far_receive(struct stage *stage, void *data, size_t bytes);
void far_reset(struct stage *stage);

#endif
