/* Round trips, datagrams and streams through a link. */
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
    DATAGRAM_HEADERS_BYTES = ETHERNET_HEADER_BYTES + 20 + 8,
    DATAGRAM_BUFFER_BYTES = 8 << 20,
    PAYLOAD_BYTES_MAX = LAN_MTU_BYTES - 28,
    PAUSE_NS = 20000,
    BURST_MAX = 64, /* datagrams sent before any are received */
    STREAMS = 4,    /* a direction; one alone may be held back by its buffers */
    STREAMS_MAX = LINK_DIRECTIONS * STREAMS,
    CHUNK_BYTES = 256 << 10,
    CONNECT_SECONDS_MAX = 60,
};

static void poll_until(uint64_t deadline_ns, struct pollfd *polled, nfds_t count)
{
    uint64_t now_ns = os_now_ns();
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left_ns / OS_NS_PER_S),
                               .tv_nsec = (long)(left_ns % OS_NS_PER_S)};

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

/* ---- round trips ---------------------------------------------------------------------------- */

static void echo(int far)
{
    uint64_t number;

    while (recv(far, &number, sizeof number, 0) == sizeof number)
        send(far, &number, sizeof number, 0);
}

/* True if `number` has come back; older ones were taken for lost. */
static bool came_back(int near, uint64_t number)
{
    uint64_t got;

    while (recv(near, &got, sizeof got, 0) == sizeof got)
        if (got == number)
            return true;
    return false;
}

/* 0: lost. */
static uint64_t round_trip_ns(const int ends[2], uint64_t number, uint64_t patience_ns)
{
    struct pollfd polled[] = {{.fd = ends[FROM], .events = POLLIN},
                              {.fd = ends[TO], .events = POLLIN}};
    uint64_t sent_ns = os_now_ns();

    send(ends[FROM], &number, sizeof number, 0);
    while (os_now_ns() < sent_ns + patience_ns) {
        poll_until(sent_ns + patience_ns, polled, 2);
        echo(ends[TO]);
        if (came_back(ends[FROM], number))
            return os_now_ns() - sent_ns;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int measure_round_trips(const struct namespaces *namespaces, uint64_t duration_ns,
                        uint64_t patience_ns, struct measured_round_trips *measured)
{
    int ends[2];
    int result = ends_open(ends, namespaces, LINK_UP, SOCK_DGRAM);
    uint64_t number = 0, end_ns = os_now_ns() + duration_ns;

    *measured = (struct measured_round_trips){0};
    if (result < 0)
        return result;
    do {
        uint64_t took_ns = round_trip_ns(ends, number++, patience_ns);
        if (took_ns > 0)
            measured->sorted_ns[measured->count++] = took_ns;
    } while (measured->count < MEASURE_ROUND_TRIPS_MAX && os_now_ns() < end_ns);
    qsort(measured->sorted_ns, measured->count, sizeof measured->sorted_ns[0], compare);
    ends_close(ends);
    return 0;
}

/* ---- datagrams ------------------------------------------------------------------------------ */

struct datagrams {
    const struct datagram_plan *plan;
    int from, to;
    uint64_t sent, received;
    uint64_t settled_ns, first_ns, last_ns, rated; /* of those that count for the rate */
};

/* How many should have been sent by now. */
static uint64_t due_count(const struct datagram_plan *plan, uint64_t since_ns)
{
    double due = (double)plan->head_start + (double)since_ns * plan->per_s / OS_NS_PER_S;

    return due >= (double)plan->count ? plan->count : (uint64_t)due + 1;
}

/* Time at which the next one is due, from the start on. */
static uint64_t next_due_ns(const struct datagrams *datagrams)
{
    double paced = (double)datagrams->sent - (double)datagrams->plan->head_start;

    return paced < 0 ? 0 : (uint64_t)(paced * OS_NS_PER_S / datagrams->plan->per_s);
}

static void datagrams_send(struct datagrams *datagrams, uint64_t due)
{
    static const uint8_t payload[PAYLOAD_BYTES_MAX];

    for (int i = 0; i < BURST_MAX && datagrams->sent < due; i++) {
        if (send(datagrams->from, payload, datagrams->plan->payload_bytes, 0) < 0)
            return;
        datagrams->sent++;
    }
}

static bool datagrams_receive(struct datagrams *datagrams)
{
    uint64_t before = datagrams->received;
    uint8_t byte;

    while (recv(datagrams->to, &byte, sizeof byte, 0) >= 0) {
        uint64_t now_ns = os_now_ns();
        datagrams->received++;
        if (now_ns < datagrams->settled_ns)
            continue;
        if (datagrams->rated++ == 0)
            datagrams->first_ns = now_ns;
        datagrams->last_ns = now_ns;
    }
    return datagrams->received > before;
}

static void datagrams_run(struct datagrams *datagrams)
{
    const struct datagram_plan *plan = datagrams->plan;
    struct pollfd polled = {.fd = datagrams->to, .events = POLLIN};
    uint64_t started_ns = os_now_ns(), heard_ns = started_ns;
    bool all_sent = false;

    datagrams->settled_ns = started_ns + plan->settle_ns;
    for (;;) {
        uint64_t now_ns = os_now_ns();
        if (!all_sent)
            datagrams_send(datagrams, due_count(plan, now_ns - started_ns));
        all_sent = datagrams->sent == plan->count || now_ns - started_ns > plan->duration_ns;
        if (datagrams_receive(datagrams) || !all_sent)
            heard_ns = now_ns;
        if (now_ns - heard_ns >= plan->patience_ns ||
            (all_sent && datagrams->received == datagrams->sent))
            return;
        uint64_t wake_ns =
            all_sent ? heard_ns + plan->patience_ns : started_ns + next_due_ns(datagrams);
        /* A full queue of the kernel refuses more: that must not become a busy loop. */
        poll_until(wake_ns < now_ns + PAUSE_NS ? now_ns + PAUSE_NS : wake_ns, &polled, 1);
    }
}

int measure_datagrams(const struct namespaces *namespaces, const struct datagram_plan *plan,
                      struct measured_datagrams *measured)
{
    assert(plan->payload_bytes <= PAYLOAD_BYTES_MAX);
    int ends[2];
    int result = ends_open(ends, namespaces, plan->direction, SOCK_DGRAM);

    *measured = (struct measured_datagrams){0};
    if (result < 0)
        return result;
    struct datagrams datagrams = {.plan = plan, .from = ends[FROM], .to = ends[TO]};
    datagrams_run(&datagrams);
    measured->sent = datagrams.sent;
    measured->received = datagrams.received;
    if (datagrams.last_ns > datagrams.first_ns) {
        uint64_t each = shaper_wire_bytes(DATAGRAM_HEADERS_BYTES + plan->payload_bytes);
        measured->bits_per_s = (double)((datagrams.rated - 1) * each * BITS_PER_BYTE) *
                               OS_NS_PER_S / (double)(datagrams.last_ns - datagrams.first_ns);
    }
    ends_close(ends);
    return 0;
}

/* ---- bulk ----------------------------------------------------------------------------------- */

struct bulk {
    struct pollfd polled[STREAMS_MAX][2]; /* the ends of each stream */
    enum link_direction direction[STREAMS_MAX];
    int count;
    uint64_t received[LINK_DIRECTIONS], last_ns[LINK_DIRECTIONS];
};

static int streams_open(struct bulk *bulk, const struct namespaces *namespaces,
                        enum link_direction direction)
{
    for (int i = 0; i < STREAMS; i++, bulk->count++) {
        int ends[2];
        int result = ends_open(ends, namespaces, direction, SOCK_STREAM);
        if (result < 0)
            return result;
        bulk->direction[bulk->count] = direction;
        bulk->polled[bulk->count][FROM] = (struct pollfd){.fd = ends[FROM], .events = POLLOUT};
        bulk->polled[bulk->count][TO] = (struct pollfd){.fd = ends[TO], .events = POLLIN};
    }
    return 0;
}

static void streams_run(struct bulk *bulk, uint64_t duration_ns)
{
    static uint8_t chunk[CHUNK_BYTES];
    uint64_t until_ns = os_now_ns() + duration_ns;

    while (os_now_ns() < until_ns) {
        poll_until(until_ns, bulk->polled[0], (nfds_t)(2 * bulk->count));
        for (int i = 0; i < bulk->count; i++) {
            struct pollfd *polled = bulk->polled[i];
            if (polled[FROM].revents)
                (void)!send(polled[FROM].fd, chunk, sizeof chunk, MSG_NOSIGNAL);
            ssize_t got = polled[TO].revents ? recv(polled[TO].fd, chunk, sizeof chunk, 0) : 0;
            if (got > 0) {
                bulk->received[bulk->direction[i]] += (uint64_t)got;
                bulk->last_ns[bulk->direction[i]] = os_now_ns();
            }
        }
    }
}

/* Bytes of the wire for each byte of payload. */
static double wire_share(const struct bulk *bulk)
{
    int segment_bytes = 0;
    socklen_t bytes = sizeof segment_bytes;

    getsockopt(bulk->polled[0][FROM].fd, IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, &bytes);
    if (segment_bytes <= 0 || segment_bytes > LAN_MTU_BYTES)
        return 0;
    return (double)WIRE_BYTES_MAX / segment_bytes;
}

static void bulk_run(struct bulk *bulk, struct link *link, const struct bulk_plan *plan,
                     struct measured_bulk *measured)
{
    struct link_figures before, after;

    bulk->last_ns[LINK_UP] = bulk->last_ns[LINK_DOWN] = os_now_ns();
    streams_run(bulk, plan->settle_ns);
    struct bulk settled = *bulk;
    link_read(link, &before);
    uint64_t started_ns = os_now_ns();
    streams_run(bulk, plan->duration_ns);
    link_read(link, &after);
    measured->link_cpu_share =
        (double)(after.cpu_ns - before.cpu_ns) / (double)(os_now_ns() - started_ns);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        double took_ns = (double)(bulk->last_ns[i] - settled.last_ns[i]);
        double bytes = (double)(bulk->received[i] - settled.received[i]) * wire_share(bulk);
        measured->bits_per_s[i] = took_ns > 0 ? bytes * BITS_PER_BYTE * OS_NS_PER_S / took_ns : 0;
    }
}

int measure_bulk(const struct namespaces *namespaces, struct link *link,
                 const struct bulk_plan *plan, struct measured_bulk *measured)
{
    struct bulk bulk = {.count = 0};
    int result = 0;

    *measured = (struct measured_bulk){0};
    for (int i = 0; i < LINK_DIRECTIONS && result == 0; i++)
        if (plan->used[i])
            result = streams_open(&bulk, namespaces, i);
    if (result == 0)
        bulk_run(&bulk, link, plan, measured);
    for (int i = 0; i < bulk.count; i++)
        ends_close((int[]){bulk.polled[i][FROM].fd, bulk.polled[i][TO].fd});
    return result;
}
