/* Round trips, losses and rates of a link, by sockets on both of its sides. */
#include "mock_servers/lan/measure.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"

enum { FROM, TO }; /* the ends of a connection */

enum {
    PORT = 7, /* the namespaces are fanin-lan's alone */
    BITS_PER_BYTE = 8,
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
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct timespec timeout = os_timespec(left_ns);

    ppoll(polled, count, &timeout, NULL);
}

/* ---- sockets on both sides ------------------------------------------------------------------ */

static int socket_open(const struct namespaces *namespaces, enum lan_side side, int type)
{
    struct timeval limit = {.tv_sec = CONNECT_SECONDS_MAX};
    int bytes = DATAGRAM_BUFFER_BYTES, on = 1;

    namespaces_enter(namespaces, side);
    int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    namespaces_enter(namespaces, LAN_NEAR);
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

static struct sockaddr_in address_of(enum lan_side side)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    inet_pton(AF_INET, lan_addresses[side].host, &address.sin_addr);
    return address;
}

static bool sockets_join(int from, int *to, const struct sockaddr_in addresses[2], int type)
{
    const struct sockaddr *sender = (const struct sockaddr *)&addresses[FROM];
    const struct sockaddr *receiver = (const struct sockaddr *)&addresses[TO];
    socklen_t bytes = sizeof addresses[0];

    if (bind(*to, receiver, bytes) != 0)
        return false;
    if (type == SOCK_DGRAM)
        return bind(from, sender, bytes) == 0 && connect(from, receiver, bytes) == 0 &&
               connect(*to, sender, bytes) == 0;
    if (listen(*to, 1) != 0 || connect(from, receiver, bytes) != 0)
        return false;
    int accepted = accept4(*to, NULL, NULL, SOCK_CLOEXEC);
    close(*to);
    *to = accepted;
    return accepted >= 0;
}

static void ends_close(const int ends[2])
{
    for (int end = 0; end < 2; end++)
        if (ends[end] >= 0)
            close(ends[end]);
}

/* Sockets that do not block, connected to each other through the link. Blocks until they are, a
 * minute at most. */
static int ends_open(int ends[2], const struct namespaces *namespaces,
                     enum link_direction direction, int type)
{
    const enum lan_side sides[2] = {direction == LINK_UP ? LAN_NEAR : LAN_FAR,
                                    direction == LINK_UP ? LAN_FAR : LAN_NEAR};
    struct sockaddr_in addresses[2];

    for (int end = 0; end < 2; end++) {
        addresses[end] = address_of(sides[end]);
        ends[end] = socket_open(namespaces, sides[end], type);
    }
    if (sockets_join(ends[FROM], &ends[TO], addresses, type) &&
        fcntl(ends[FROM], F_SETFL, O_NONBLOCK) == 0 && fcntl(ends[TO], F_SETFL, O_NONBLOCK) == 0)
        return 0;
    int result = errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
    ends_close(ends);
    return result;
}

/* ---- round trips and losses ----------------------------------------------------------------- */

struct echo {
    int near, far;
    struct measured_echo *measured;
    uint64_t *round_trips_ns; /* one for each datagram that has come back */
};

/* Each datagram holds the time at which it was sent. Returns whether any has arrived. */
static bool echoes_receive(struct echo *echo)
{
    struct measured_echo *measured = echo->measured;
    uint64_t before = measured->received[LINK_UP] + measured->received[LINK_DOWN], sent_ns;

    while (recv(echo->far, &sent_ns, sizeof sent_ns, 0) == sizeof sent_ns) {
        measured->received[LINK_UP]++;
        measured->sent[LINK_DOWN] += send(echo->far, &sent_ns, sizeof sent_ns, 0) > 0;
    }
    while (recv(echo->near, &sent_ns, sizeof sent_ns, 0) == sizeof sent_ns)
        echo->round_trips_ns[measured->received[LINK_DOWN]++] = os_now_ns() - sent_ns;
    return measured->received[LINK_UP] + measured->received[LINK_DOWN] > before;
}

static void echo_run(struct echo *echo, uint64_t count, double interval_ns, uint64_t patience_ns)
{
    struct pollfd polled[] = {{.fd = echo->far, .events = POLLIN},
                              {.fd = echo->near, .events = POLLIN}};
    uint64_t started_ns = os_now_ns(), heard_ns = started_ns, now_ns = started_ns;

    for (uint64_t tried = 0; tried < count || now_ns < heard_ns + patience_ns;) {
        uint64_t due_ns = started_ns + (uint64_t)((double)tried * interval_ns);
        if (tried < count && now_ns >= due_ns) {
            tried++;
            echo->measured->sent[LINK_UP] += send(echo->near, &now_ns, sizeof now_ns, 0) > 0;
        }
        if (echoes_receive(echo) || tried < count)
            heard_ns = now_ns;
        if (tried == count && echo->measured->received[LINK_DOWN] == echo->measured->sent[LINK_UP])
            return;
        due_ns = started_ns + (uint64_t)((double)tried * interval_ns);
        poll_until(tried < count ? due_ns : heard_ns + patience_ns, polled, 2);
        now_ns = os_now_ns();
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int measure_echo(const struct namespaces *namespaces, uint64_t count, double per_s,
                 uint64_t patience_ns, struct measured_echo *measured)
{
    static uint64_t round_trips_ns[MEASURE_ECHOES_MAX];
    int ends[2];
    int result = ends_open(ends, namespaces, LINK_UP, SOCK_DGRAM);

    *measured = (struct measured_echo){0};
    if (result < 0)
        return result;
    assert(count <= MEASURE_ECHOES_MAX);
    struct echo echo = {ends[FROM], ends[TO], measured, round_trips_ns};
    echo_run(&echo, count, OS_NS_PER_S / per_s, patience_ns);
    uint64_t back = measured->received[LINK_DOWN];
    qsort(round_trips_ns, back, sizeof *round_trips_ns, compare);
    if (back > 0) {
        measured->p50_ns = round_trips_ns[back / 2];
        measured->p99_ns = round_trips_ns[back * 99 / 100];
    }
    ends_close(ends);
    return 0;
}

/* ---- rates ---------------------------------------------------------------------------------- */

struct rate_test {
    const struct load *load;
    struct pollfd polled[FLOWS_MAX][2]; /* the ends of each flow */
    enum link_direction direction[FLOWS_MAX];
    int count;
    double sent; /* datagrams */
    uint64_t started_ns, received[LINK_DIRECTIONS], last_ns[LINK_DIRECTIONS];
};

static int flows_open(struct rate_test *test, const struct namespaces *namespaces)
{
    const struct load *load = test->load;
    int flows = load->type == SOCK_STREAM ? STREAMS : 1;

    for (int i = 0; i < LINK_DIRECTIONS * flows; i++) {
        int ends[2], direction = i / flows, result;
        if (!load->used[direction])
            continue;
        if ((result = ends_open(ends, namespaces, direction, load->type)) < 0)
            return result;
        test->direction[test->count] = direction;
        /* Datagrams are sent by the clock. */
        test->polled[test->count][FROM] =
            (struct pollfd){.fd = ends[FROM], .events = load->type == SOCK_STREAM ? POLLOUT : 0};
        test->polled[test->count++][TO] = (struct pollfd){.fd = ends[TO], .events = POLLIN};
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

static void flow_receive(struct rate_test *test, int flow)
{
    static uint8_t chunk[CHUNK_BYTES];
    enum link_direction direction = test->direction[flow];
    ssize_t got;

    while ((got = recv(test->polled[flow][TO].fd, chunk, sizeof chunk, 0)) > 0) {
        test->received[direction] += (uint64_t)got;
        test->last_ns[direction] = os_now_ns();
    }
}

static void flows_run(struct rate_test *test, uint64_t duration_ns)
{
    static const uint8_t chunk[CHUNK_BYTES];
    uint64_t until_ns = os_now_ns() + duration_ns;

    while (os_now_ns() < until_ns) {
        uint64_t wake_ns = until_ns;
        if (test->load->type == SOCK_DGRAM)
            wake_ns = datagrams_send(test, test->polled[0][FROM].fd);
        poll_until(wake_ns, test->polled[0], (nfds_t)(2 * test->count));
        for (int i = 0; i < test->count; i++) {
            if (test->polled[i][FROM].revents & POLLOUT)
                (void)!send(test->polled[i][FROM].fd, chunk, sizeof chunk, MSG_NOSIGNAL);
            if (test->polled[i][TO].revents)
                flow_receive(test, i);
        }
    }
}

/* Bytes of the wire for each byte of payload. */
static double wire_share(const struct rate_test *test)
{
    int payload_bytes = DATAGRAM_BYTES;
    socklen_t bytes = sizeof payload_bytes;

    if (test->load->type == SOCK_STREAM && (getsockopt(test->polled[0][FROM].fd, IPPROTO_TCP,
                                                       TCP_MAXSEG, &payload_bytes, &bytes) != 0 ||
                                            payload_bytes <= 0 || payload_bytes > LAN_MTU_BYTES))
        return 0; /* unknown: no rate passes the check */
    return (double)WIRE_BYTES_MAX / payload_bytes;
}

int measure_rate(const struct namespaces *namespaces, const struct load *load,
                 double bits_per_s[LINK_DIRECTIONS])
{
    struct rate_test test = {.load = load};
    int result = flows_open(&test, namespaces);

    bits_per_s[LINK_UP] = bits_per_s[LINK_DOWN] = 0;
    if (result == 0) {
        test.started_ns = test.last_ns[LINK_UP] = test.last_ns[LINK_DOWN] = os_now_ns();
        flows_run(&test, load->settle_ns);
        struct rate_test settled = test;
        flows_run(&test, load->duration_ns);
        for (int i = 0; i < LINK_DIRECTIONS; i++) {
            double bytes = (double)(test.received[i] - settled.received[i]) * wire_share(&test);
            if (bytes > 0)
                bits_per_s[i] = bytes * BITS_PER_BYTE * OS_NS_PER_S /
                                (double)(test.last_ns[i] - settled.last_ns[i]);
        }
    }
    for (int i = 0; i < test.count; i++)
        ends_close((int[]){test.polled[i][FROM].fd, test.polled[i][TO].fd});
    return result;
}
