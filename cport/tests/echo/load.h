/* bench_echo's load: clients of one echo server, driven by one thread. */
#ifndef FANIN_TESTS_ECHO_LOAD_H
#define FANIN_TESTS_ECHO_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct load {
    const char *name;
    unsigned connections; /* at a time, each with one message in flight */
    size_t message_bytes;
    bool reconnects; /* each connection is closed after its message, and made anew */
};

struct load_figures {
    uint64_t messages; /* that came back whole */
    double seconds;
    double server_cpu_s; /* of the server's process, all threads, as the kernel counts it */
};

/* load_run: connects, runs for the warm-up, measures for `duration_ns`, lets the messages in flight
 * come back and closes. Ends the bench if the server fails. */
struct load_figures load_run(const struct load *load, pid_t server, uint16_t port,
                             uint64_t duration_ns);

#endif
