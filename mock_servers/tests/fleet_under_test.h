/* The real program, started for a test and talked to over loopback. Every fleet has an address
 * of its own in 127.0.0.0/8, so that no other test can use its ports. */
#ifndef FANIN_FLEET_UNDER_TEST_H
#define FANIN_FLEET_UNDER_TEST_H

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/find.h"
#include "base/protocol.h"
#include "base/tests/test.h"

enum {
    PORT = 20000,
    PATH_BYTES = 512,
    ARGUMENTS_MAX = 32,
    PATIENCE_S = 20, /* of a test for what must come; the sanitizers are slow */
};

struct fleet_under_test {
    struct os_process process;
    uint32_t host;
    char directory[64], ready[PATH_BYTES], errors[PATH_BYTES];
};

void program_path(char path[PATH_BYTES]);
void fleet_forget(struct fleet_under_test *fleet);

/* Starts a fleet with these options and waits until it is ready. */
#define fleet_begin(...) fleet_begin_with((const char *const[]){__VA_ARGS__, NULL})
struct fleet_under_test fleet_begin_with(const char *const *arguments);

/* Waits for the end of a process, which must come, and returns its exit code. */
int process_end(struct os_process *process);

/* Ends the fleet with SIGTERM; its exit code must be 0. */
void fleet_end(struct fleet_under_test *fleet);

/* fleet_kill: with a signal; its address stays this test's own. fleet_begin_again: there again, not
 * ready yet. */
void fleet_kill(struct fleet_under_test *fleet, int number);
void fleet_begin_again(struct fleet_under_test *fleet, const char *count);

/* Starts a fleet that must end by itself. Returns its exit code and its error message. */
int fleet_refused(const char *const *arguments, char *errors, size_t errors_bytes);

/* descriptors_of: how many entries its list of descriptors has, "." and ".." too.
 * fleet_await_descriptors: until it has so many. A connection has none before it is accepted. */
unsigned descriptors_of(const struct fleet_under_test *fleet);
void fleet_await_descriptors(const struct fleet_under_test *fleet, unsigned count);

/* ---- connections ---- */

/* fleet_connections: how many to the fleet are in `state` at the client's end, as /proc/net/tcp
 * says: 1: established, 6: closed by the client. fleet_await_connections: until so many are. */
unsigned fleet_connections(const struct fleet_under_test *fleet, unsigned state);
void fleet_await_connections(const struct fleet_under_test *fleet, unsigned state, unsigned count);

int socket_with_patience(void);
int fleet_try(const struct fleet_under_test *fleet, int handle, unsigned server);
int fleet_connect(const struct fleet_under_test *fleet, unsigned server);
void ask(int handle, const char *text);
void login(int handle, const char *user, const char *password);
extern const enum protocol_source sources[2]; /* tape, live */
struct protocol_go go_of(enum protocol_source source, uint64_t frames, uint32_t min, uint32_t max);
void ask_go(int handle, const struct protocol_go *go);
uint64_t go_bytes(const struct protocol_go *go, uint64_t frames);

/* Receives until `bytes` are there or the connection ends; `*end` is 0 then, or an errno value. */
size_t take(int handle, void *data, size_t bytes, int *end);
bool is_silent_for(int handle, unsigned millis);

/* A line without its end, which must come. */
void take_line(int handle, char line[PROTOCOL_LINE_BYTES_MAX]);
void assert_ends(int handle);

/* The answer "OK"; or one that begins with "NO" and gives the reason, and then the end. */
void assert_ok(int handle);
void assert_no(int handle, const char *reason);

/* Sends bytes on a new connection to server 0, which must refuse them for that reason. */
void assert_refused(const struct fleet_under_test *fleet, const char *data, size_t bytes,
                    const char *reason);
void assert_go_refused(const struct fleet_under_test *fleet, const struct protocol_go *go,
                       const char *reason);
struct protocol_stats stats_of(const struct fleet_under_test *fleet, uint64_t run);

/* ---- frames ---- */

/* Behind which frame the right ones end that are at the head of `data`, in order and whole; of a GO
 * from frame 0, how many they are. `*used`: their bytes. */
uint64_t frames_good(const uint8_t *data, size_t bytes, const struct protocol_go *go, size_t *used);

/* Receives every frame and checks it; returns the bytes, which are the caller's to free. */
uint8_t *frames_take(int handle, const struct protocol_go *go);

/* Asks, receives every frame and checks it; server_check on a connection of its own. */
void frames_check(int handle, const struct protocol_go *go);
void server_check(const struct fleet_under_test *fleet, unsigned server,
                  const struct protocol_go *go);

#endif
