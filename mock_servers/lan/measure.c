/* Round trips, losses and rates of a link, by sockets on both of its sides. */
#include "mock_servers/lan/measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/quantile.h"
#include "mock_servers/lan/namespace.h"

enum {
    FROM, /* the ends of a connection */
    TO,
    ENDS,
    ECHOES_MAX = 20000,
    ECHO_SECONDS_MAX = 5,
    PORT = 7, /* the namespaces are fanin-lan's alone */
    DATAGRAM_BUFFER_BYTES = 8 << 20,
    DATAGRAM_BYTES = LAN_MTU_BYTES - 20 - 8, /* fills a frame */
    PAUSE_NS = 20000,
    BURST_MAX = 64, /* sent before any are received */
    STREAMS = 4,    /* a direction; one alone may be held back by its buffers */
    FLOWS_MAX = LINK_DIRECTIONS * STREAMS,
    CHUNK_BYTES = 256 << 10,
    CONNECT_SECONDS_MAX = 60,
};

static void poll_until(uint64_t deadline_ns, struct pollfd *polled, nfds_t count)
{
    uint64_t now_ns = os_now_ns();
    struct timespec timeout = os_timespec(deadline_ns > now_ns ? deadline_ns - now_ns : 0);
    ppoll(polled, count, &timeout, NULL);
}

/* ---- sockets on both sides ------------------------------------------------------------------ */

static int socket_open(enum lan_side side, int type)
{
    struct timeval limit = {.tv_sec = CONNECT_SECONDS_MAX};
    int bytes = DATAGRAM_BUFFER_BYTES, on = 1;
    namespaces_enter(side);
    int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    namespaces_enter(LAN_NEAR);
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    /* Reno grows until something is dropped, and every kernel has it. */
    setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
    if (type == SOCK_DGRAM &&
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return descriptor;
}

/* Sockets that do not block, connected to each other through the link. Blocks until they are, a
 * minute at most. They stay open when that fails. */
static int ends_open(int ends[ENDS], enum link_direction direction, int type)
{
    struct sockaddr_in addresses[ENDS];
    const struct sockaddr *from = (const struct sockaddr *)&addresses[FROM];
    const struct sockaddr *to = (const struct sockaddr *)&addresses[TO];
    socklen_t bytes = sizeof *addresses;
    for (int end = 0; end < ENDS; end++) {
        enum lan_side side = end == FROM ? (int)direction : !direction;
        addresses[end] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
        inet_pton(AF_INET, lan_addresses[side].host, &addresses[end].sin_addr);
        ends[end] = socket_open(side, type);
    }
    int error = bind(ends[TO], to, bytes);
    if (type == SOCK_DGRAM) {
        error = error || bind(ends[FROM], from, bytes) || connect(ends[TO], from, bytes) ||
                connect(ends[FROM], to, bytes);
    } else {
        int listener = ends[TO];
        error = error || listen(listener, 1) || connect(ends[FROM], to, bytes) ||
                (ends[TO] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0;
        close(listener);
    }
    if (error || fcntl(ends[FROM], F_SETFL, O_NONBLOCK) || fcntl(ends[TO], F_SETFL, O_NONBLOCK))
        return errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
    return 0;
}

/* ---- round trips and losses ----------------------------------------------------------------- */

static uint64_t round_trips_ns[ECHOES_MAX]; /* of the datagrams that have come back */

/* Each datagram holds the time at which it was sent. Returns whether any has arrived. */
static bool echoes_receive(const int ends[ENDS], struct measured_echo *measured)
{
    uint64_t before = measured->received[LINK_UP] + measured->received[LINK_DOWN], sent_ns;
    while (recv(ends[TO], &sent_ns, sizeof sent_ns, 0) == sizeof sent_ns) {
        measured->received[LINK_UP]++;
        measured->sent[LINK_DOWN] += send(ends[TO], &sent_ns, sizeof sent_ns, 0) > 0;
    }
    while (recv(ends[FROM], &sent_ns, sizeof sent_ns, 0) == sizeof sent_ns)
        round_trips_ns[measured->received[LINK_DOWN]++] = os_now_ns() - sent_ns;
    return measured->received[LINK_UP] + measured->received[LINK_DOWN] > before;
}

static void echo_run(const int ends[ENDS], uint64_t count, double interval_ns, uint64_t patience_ns,
                     struct measured_echo *measured)
{
    struct pollfd polled[] = {{.fd = ends[TO], .events = POLLIN},
                              {.fd = ends[FROM], .events = POLLIN}};
    uint64_t started_ns = os_now_ns(), heard_ns = started_ns, wake_ns = started_ns;
    uint64_t back = 0, tried = 0;
    while (tried < count || back < measured->sent[LINK_UP]) {
        uint64_t now_ns = os_now_ns();
        if (tried < count && now_ns >= wake_ns) {
            tried++;
            measured->sent[LINK_UP] += send(ends[FROM], &now_ns, sizeof now_ns, 0) > 0;
        }
        if (echoes_receive(ends, measured) || tried < count)
            heard_ns = now_ns;
        else if (now_ns >= heard_ns + patience_ns)
            return;
        back = measured->received[LINK_DOWN];
        wake_ns = tried < count ? started_ns + (uint64_t)((double)tried * interval_ns)
                                : heard_ns + patience_ns;
        poll_until(wake_ns, polled, ENDS);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int measure_echo(double count, double per_s, uint64_t patience_ns, struct measured_echo *measured)
{
    int ends[ENDS], result = ends_open(ends, LINK_UP, SOCK_DGRAM);
    if (result < 0)
        return result;
    *measured = (struct measured_echo){.p50_ns = NAN, .p99_ns = NAN};
    count = fmax(1, fmin(fmin(count, per_s * ECHO_SECONDS_MAX), ECHOES_MAX));
    echo_run(ends, (uint64_t)count, OS_NS_PER_S / per_s, patience_ns, measured);
    close(ends[FROM]);
    close(ends[TO]);
    uint64_t back = measured->received[LINK_DOWN];
    qsort(round_trips_ns, back, sizeof *round_trips_ns, compare);
    if (back > 0) {
        measured->p50_ns = (double)round_trips_ns[quantile_rank(0.5, back) - 1];
        measured->p99_ns = (double)round_trips_ns[quantile_rank(0.99, back) - 1];
    }
    return 0;
}

/* ---- rates ---------------------------------------------------------------------------------- */

struct rate_test {
    const struct load *load;
    bool streams;
    struct pollfd polled[FLOWS_MAX][ENDS]; /* the ends of each flow */
    enum link_direction direction[FLOWS_MAX];
    int count;
    double sent; /* datagrams */
    uint64_t started_ns, received[LINK_DIRECTIONS], last_ns[LINK_DIRECTIONS];
};

static int flows_open(struct rate_test *test)
{
    int flows = test->streams ? STREAMS : 1;
    for (int i = 0; i < LINK_DIRECTIONS * flows; i++) {
        int ends[ENDS], direction = i / flows, result;
        if (!test->load->used[direction])
            continue;
        if ((result = ends_open(ends, direction, test->streams ? SOCK_STREAM : SOCK_DGRAM)) < 0)
            return result;
        struct pollfd *polled = test->polled[test->count];
        /* Datagrams are sent by the clock. */
        polled[FROM] = (struct pollfd){.fd = ends[FROM], .events = test->streams ? POLLOUT : 0};
        polled[TO] = (struct pollfd){.fd = ends[TO], .events = POLLIN};
        test->direction[test->count++] = direction;
    }
    return 0;
}

/* Sends the datagrams that are due. Returns when the next ones are. */
static uint64_t datagrams_send(struct rate_test *test, int to)
{
    static const uint8_t payload[DATAGRAM_BYTES];
    uint64_t now_ns = os_now_ns();
    double due = test->load->datagrams +
                 test->load->datagrams_per_s * (double)(now_ns - test->started_ns) / OS_NS_PER_S;
    for (int i = 0; i < BURST_MAX && test->sent < due; i++) {
        /* A full queue of the kernel refuses more: that must not become a busy loop. */
        if (send(to, payload, sizeof payload, 0) < 0)
            return now_ns + PAUSE_NS;
        test->sent++;
    }
    return test->sent < due ? now_ns : now_ns + PAUSE_NS;
}

static void flows_run(struct rate_test *test, uint64_t duration_ns)
{
    static uint8_t chunk[CHUNK_BYTES]; /* what is sent and received does not matter */
    uint64_t until_ns = os_now_ns() + duration_ns;
    while (os_now_ns() < until_ns) {
        uint64_t wake_ns = until_ns;
        if (!test->streams)
            wake_ns = datagrams_send(test, test->polled[0][FROM].fd);
        poll_until(wake_ns, test->polled[0], (nfds_t)(ENDS * test->count));
        for (int i = 0; i < test->count; i++) {
            const struct pollfd *polled = test->polled[i];
            ssize_t got;
            if (polled[FROM].revents & POLLOUT)
                (void)!send(polled[FROM].fd, chunk, sizeof chunk, MSG_NOSIGNAL);
            while (polled[TO].revents && (got = recv(polled[TO].fd, chunk, sizeof chunk, 0)) > 0) {
                test->received[test->direction[i]] += (uint64_t)got;
                test->last_ns[test->direction[i]] = os_now_ns();
            }
        }
    }
}

/* Bytes of the wire for each byte of payload. */
static double wire_share(const struct rate_test *test)
{
    int payload_bytes = DATAGRAM_BYTES;
    socklen_t bytes = sizeof payload_bytes;
    if (test->streams &&
        getsockopt(test->polled[0][FROM].fd, IPPROTO_TCP, TCP_MAXSEG, &payload_bytes, &bytes) != 0)
        return 0; /* unknown: no rate passes the check */
    return (double)WIRE_BYTES_MAX / payload_bytes;
}

int measure_rate(const struct load *load, double bits_per_s[LINK_DIRECTIONS])
{
    struct rate_test test = {.load = load, .streams = load->datagrams_per_s == 0};
    int result = flows_open(&test);
    if (result < 0)
        return result;
    test.started_ns = test.last_ns[LINK_UP] = test.last_ns[LINK_DOWN] = os_now_ns();
    flows_run(&test, load->settle_ns);
    struct rate_test settled = test;
    flows_run(&test, load->duration_ns);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        double bytes = (double)(test.received[i] - settled.received[i]) * wire_share(&test);
        double ns = (double)(test.last_ns[i] - settled.last_ns[i]);
        bits_per_s[i] = ns > 0 ? bytes * BITS_PER_BYTE * OS_NS_PER_S / ns : 0;
    }
    for (int i = 0; i < test.count; i++) {
        close(test.polled[i][FROM].fd);
        close(test.polled[i][TO].fd);
    }
    return 0;
}
