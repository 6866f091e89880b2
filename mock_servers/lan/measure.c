#include "mock_servers/lan/measure.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/os.h"
#include "mock_servers/lan/endpoints.h"

enum {
    BITS_PER_BYTE = 8,
    DATAGRAM_HEADERS_BYTES = ETHERNET_HEADER_BYTES + 20 + 8,
    PAYLOAD_BYTES_MAX = LAN_MTU_BYTES - 28,
    PAUSE_NS = 20000,
    BURST_MAX = 64, /* datagrams sent before those that came are looked at */
    STREAMS = 4,    /* a direction; one alone may be held by its buffers */
    CHUNK_BYTES = 256 << 10,
    WINDOW_BYTES_MIN = 16 << 10,
};

static void until(uint64_t deadline_ns, struct pollfd *polled, nfds_t count)
{
    uint64_t now_ns = os_now_ns();
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left_ns / OS_NS_PER_S),
                               .tv_nsec = (long)(left_ns % OS_NS_PER_S)};

    ppoll(polled, count, &timeout, NULL);
}

/* ---- round trips ---------------------------------------------------------------------------- */

/* Sends back whatever has come to the far side. */
static void echo(int far)
{
    uint64_t number;

    while (recv(far, &number, sizeof number, 0) == sizeof number)
        send(far, &number, sizeof number, 0);
}

/* True if `number` has come back; older ones are of those that were taken for lost. */
static bool came_back(int near, uint64_t number)
{
    uint64_t got;

    while (recv(near, &got, sizeof got, 0) == sizeof got)
        if (got == number)
            return true;
    return false;
}

/* 0: lost. */
static uint64_t round_trip_ns(int ends[LAN_SIDES], uint64_t number, uint64_t patience_ns)
{
    struct pollfd polled[] = {{.fd = ends[LAN_NEAR], .events = POLLIN},
                              {.fd = ends[LAN_FAR], .events = POLLIN}};
    uint64_t sent_ns = os_now_ns();

    send(ends[LAN_NEAR], &number, sizeof number, 0);
    while (os_now_ns() < sent_ns + patience_ns) {
        until(sent_ns + patience_ns, polled, LAN_SIDES);
        echo(ends[LAN_FAR]);
        if (came_back(ends[LAN_NEAR], number))
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
    int ends[LAN_SIDES];
    int result = endpoints_datagram(namespaces, ends);
    uint64_t end_ns = os_now_ns() + duration_ns;

    *measured = (struct measured_round_trips){0};
    if (result < 0)
        return result;
    for (uint64_t number = 0;
         measured->count < MEASURE_ROUND_TRIPS_MAX && (number == 0 || os_now_ns() < end_ns);
         number++) {
        uint64_t took_ns = round_trip_ns(ends, number, patience_ns);
        if (took_ns > 0)
            measured->sorted_ns[measured->count++] = took_ns;
        else
            measured->lost++;
    }
    qsort(measured->sorted_ns, measured->count, sizeof measured->sorted_ns[0], compare);
    endpoints_close(ends);
    return 0;
}

/* ---- datagrams ------------------------------------------------------------------------------ */

struct datagrams {
    const struct datagram_plan *plan;
    int from, to;
    uint64_t sent, received;
    uint64_t settled_ns, first_ns, last_ns, rated; /* of those that count for the rate */
};

/* How many of the plan's datagrams should have been sent by now. */
static uint64_t due_by(const struct datagrams *datagrams, uint64_t since_ns)
{
    double due = (double)datagrams->plan->head_start +
                 (double)since_ns * datagrams->plan->per_s / OS_NS_PER_S;

    return due >= (double)datagrams->plan->count ? datagrams->plan->count : (uint64_t)due + 1;
}

/* When the next one is to be sent. */
static uint64_t next_due_ns(const struct datagrams *datagrams, uint64_t started_ns)
{
    uint64_t paced = datagrams->sent > datagrams->plan->head_start
                         ? datagrams->sent - datagrams->plan->head_start
                         : 0;

    return started_ns + (uint64_t)((double)paced * OS_NS_PER_S / datagrams->plan->per_s);
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
    uint8_t byte;
    bool any = false;

    while (recv(datagrams->to, &byte, sizeof byte, 0) >= 0) {
        uint64_t now_ns = os_now_ns();
        datagrams->received++;
        any = true;
        if (now_ns < datagrams->settled_ns)
            continue;
        if (datagrams->rated++ == 0)
            datagrams->first_ns = now_ns;
        datagrams->last_ns = now_ns;
    }
    return any;
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
            datagrams_send(datagrams, due_by(datagrams, now_ns - started_ns));
        all_sent = datagrams->sent == plan->count || now_ns - started_ns > plan->duration_ns;
        if (datagrams_receive(datagrams) || !all_sent)
            heard_ns = now_ns;
        if (now_ns - heard_ns >= plan->patience_ns ||
            (all_sent && datagrams->received == datagrams->sent))
            return;
        uint64_t wake_ns =
            all_sent ? heard_ns + plan->patience_ns : next_due_ns(datagrams, started_ns);
        /* A queue of the kernel that is full takes no more now: that must not keep us busy. */
        until(wake_ns < now_ns + PAUSE_NS ? now_ns + PAUSE_NS : wake_ns, &polled, 1);
    }
}

int measure_datagrams(const struct namespaces *namespaces, const struct datagram_plan *plan,
                      struct measured_datagrams *measured)
{
    assert(plan->payload_bytes <= PAYLOAD_BYTES_MAX);
    int ends[LAN_SIDES];
    int result = endpoints_datagram(namespaces, ends);

    *measured = (struct measured_datagrams){0};
    if (result < 0)
        return result;
    struct datagrams datagrams = {
        .plan = plan,
        .from = ends[plan->direction == LINK_UP ? LAN_NEAR : LAN_FAR],
        .to = ends[plan->direction == LINK_UP ? LAN_FAR : LAN_NEAR],
    };
    datagrams_run(&datagrams);
    measured->sent = datagrams.sent;
    measured->received = datagrams.received;
    if (datagrams.last_ns > datagrams.first_ns) {
        uint64_t each = shaper_wire_bytes(DATAGRAM_HEADERS_BYTES + plan->payload_bytes);
        measured->bits_per_s = (double)((datagrams.rated - 1) * each * BITS_PER_BYTE) *
                               OS_NS_PER_S / (double)(datagrams.last_ns - datagrams.first_ns);
    }
    endpoints_close(ends);
    return 0;
}

/* ---- bulk ----------------------------------------------------------------------------------- */

struct stream {
    int ends[LAN_SIDES];
    enum link_direction direction;
};

struct bulk {
    struct stream streams[LINK_DIRECTIONS * STREAMS];
    int count;
    uint8_t *chunk;
    uint64_t received[LINK_DIRECTIONS], last_ns[LINK_DIRECTIONS];
};

static int sender_of(const struct stream *stream)
{
    return stream->ends[stream->direction == LINK_UP ? LAN_NEAR : LAN_FAR];
}

static int receiver_of(const struct stream *stream)
{
    return stream->ends[stream->direction == LINK_UP ? LAN_FAR : LAN_NEAR];
}

static void window_limit(const struct stream *stream, uint64_t window_bytes)
{
    uint64_t share = window_bytes / STREAMS;
    int bytes = share < WINDOW_BYTES_MIN ? WINDOW_BYTES_MIN : (int)share;

    if (window_bytes > 0)
        setsockopt(sender_of(stream), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static int streams_open(struct bulk *bulk, const struct namespaces *namespaces,
                        const struct bulk_plan *plan)
{
    for (int direction = 0; direction < LINK_DIRECTIONS; direction++) {
        for (int i = 0; i < STREAMS && plan->used[direction]; i++) {
            struct stream *stream = &bulk->streams[bulk->count];
            stream->direction = direction;
            int result = endpoints_stream(namespaces, direction == LINK_UP ? LAN_NEAR : LAN_FAR,
                                          stream->ends);
            if (result < 0)
                return result;
            window_limit(stream, plan->window_bytes[direction]);
            bulk->count++;
        }
    }
    return 0;
}

static void stream_move(struct bulk *bulk, const struct stream *stream,
                        const struct pollfd polled[2])
{
    if (polled[0].revents)
        (void)!send(sender_of(stream), bulk->chunk, CHUNK_BYTES, MSG_NOSIGNAL);
    if (polled[1].revents) {
        ssize_t got = recv(receiver_of(stream), bulk->chunk, CHUNK_BYTES, 0);
        if (got > 0) {
            bulk->received[stream->direction] += (uint64_t)got;
            bulk->last_ns[stream->direction] = os_now_ns();
        }
    }
}

static void streams_run(struct bulk *bulk, uint64_t until_ns)
{
    struct pollfd polled[2 * LINK_DIRECTIONS * STREAMS];

    for (int i = 0; i < bulk->count; i++) {
        polled[2 * i] = (struct pollfd){.fd = sender_of(&bulk->streams[i]), .events = POLLOUT};
        polled[2 * i + 1] = (struct pollfd){.fd = receiver_of(&bulk->streams[i]), .events = POLLIN};
    }
    while (os_now_ns() < until_ns) {
        until(until_ns, polled, (nfds_t)(2 * bulk->count));
        for (int i = 0; i < bulk->count; i++)
            stream_move(bulk, &bulk->streams[i], polled + 2 * i);
    }
}

/* Of the wire, for each byte of payload. */
static double wire_share(const struct bulk *bulk)
{
    int segment_bytes = 0;
    socklen_t bytes = sizeof segment_bytes;

    getsockopt(sender_of(&bulk->streams[0]), IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, &bytes);
    if (segment_bytes <= 0 || segment_bytes > LAN_MTU_BYTES)
        return 0;
    return (double)(ETHERNET_FRAME_BYTES_MAX + ETHERNET_WIRE_EXTRA_BYTES) / segment_bytes;
}

static void bulk_run(struct bulk *bulk, struct link *link, const struct bulk_plan *plan,
                     struct measured_bulk *measured)
{
    struct link_figures before, after;
    uint64_t received[LINK_DIRECTIONS], since_ns[LINK_DIRECTIONS];

    bulk->last_ns[LINK_UP] = bulk->last_ns[LINK_DOWN] = os_now_ns();
    streams_run(bulk, os_now_ns() + plan->settle_ns);
    memcpy(received, bulk->received, sizeof received);
    memcpy(since_ns, bulk->last_ns, sizeof since_ns);
    link_read(link, &before);
    uint64_t started_ns = os_now_ns();
    streams_run(bulk, started_ns + plan->duration_ns);
    link_read(link, &after);
    measured->link_cpu_share =
        (double)(after.cpu_ns - before.cpu_ns) / (double)(os_now_ns() - started_ns);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        double took_ns = (double)(bulk->last_ns[i] - since_ns[i]);
        double bytes = (double)(bulk->received[i] - received[i]) * wire_share(bulk);
        measured->bits_per_s[i] = took_ns > 0 ? bytes * BITS_PER_BYTE * OS_NS_PER_S / took_ns : 0;
    }
}

int measure_bulk(const struct namespaces *namespaces, struct link *link,
                 const struct bulk_plan *plan, struct measured_bulk *measured)
{
    struct bulk bulk = {.chunk = calloc(1, CHUNK_BYTES)};
    int result = bulk.chunk == NULL ? -ENOMEM : streams_open(&bulk, namespaces, plan);

    *measured = (struct measured_bulk){0};
    if (result == 0)
        bulk_run(&bulk, link, plan, measured);
    for (int i = 0; i < bulk.count; i++)
        endpoints_close(bulk.streams[i].ends);
    free(bulk.chunk);
    return result;
}
