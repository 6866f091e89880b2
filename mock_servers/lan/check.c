/* A rate is what arrives of datagrams that are sent faster: where frames are lost, queues are short
 * or the machine is busy, what TCP reaches says more of TCP than of the link. Where datagrams do
 * not reach it, for each costs the processor so much, TCP may still do; no link carries more than
 * its rate, so the greater of the two counts. */
#include "mock_servers/lan/check.h"

#include <pthread.h>
#include <sched.h>

#include "base/os.h"

enum {
    BITS_PER_BYTE = 8,
    FULL_PAYLOAD_BYTES = LAN_MTU_BYTES - 28,
    SMALL_PAYLOAD_BYTES = 100,
    HEADERS_BYTES = ETHERNET_HEADER_BYTES + 28,
    FLOOD_SENT_MIN = 100,
    LOSS_SENT_MIN = 100,
    LOSS_SENT_MAX = 20000,
    LOSSES_WANTED = 100, /* enough for an interval of a quarter either way */
    LOSS_SECONDS_MAX = 5,
    LOSS_PER_S_MAX = 20000,
    NO_LOSS_SENT = 2000,
    SETTLE_ROUND_TRIPS = 20,
};

static const uint64_t rate_duration_ns = OS_NS_PER_S, settle_ns = 300 * OS_NS_PER_MS;
static const uint64_t settle_both_ns = 2ULL * OS_NS_PER_S;
static const uint64_t round_trips_duration_ns = 2ULL * OS_NS_PER_S;
static const uint64_t patience_ns = 300 * OS_NS_PER_MS;
static const double window_share = 0.4;
static const double flood_share = 1.25, loss_rate_share = 0.5;

static uint64_t longest_round_trip_ns(const struct link_request *request)
{
    uint64_t longest_ns = 0;

    for (int i = 0; i < LINK_DIRECTIONS; i++)
        longest_ns += request->path[i].delay_ns + request->path[i].jitter_ns;
    return longest_ns;
}

/* How long a full queue takes to drain. */
static uint64_t queue_ns(const struct shaper_config *path)
{
    if (path->rate_bits_per_s == 0)
        return 0;
    return path->queue_bytes * BITS_PER_BYTE * OS_NS_PER_S / path->rate_bits_per_s;
}

/* ---- measuring ------------------------------------------------------------------------------ */

static int round_trips_check(struct check *check, const struct link_request *request,
                             const struct namespaces *namespaces)
{
    struct measured_round_trips measured;
    uint64_t wire_bits = shaper_wire_bytes(HEADERS_BYTES + sizeof(uint64_t)) * BITS_PER_BYTE;
    int result = measure_round_trips(namespaces, round_trips_duration_ns,
                                     patience_ns + longest_round_trip_ns(request), &measured);

    if (result < 0)
        return result;
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        const struct shaper_config *path = &request->path[i];
        check->round_trip_asked += (double)path->delay_ns;
        if (path->rate_bits_per_s > 0)
            check->round_trip_expected +=
                (double)wire_bits * OS_NS_PER_S / (double)path->rate_bits_per_s;
    }
    check->round_trip_expected += check->round_trip_asked;
    check->round_trip_bounds = bounds_round_trip(check->round_trip_expected);
    if (measured.count == 0)
        return 0;
    check->round_trip_p50 = (double)measured.sorted_ns[measured.count / 2];
    check->round_trip_p99 = (double)measured.sorted_ns[(uint64_t)measured.count * 99 / 100];
    check->round_trip_ok = check->round_trip_p50 >= check->round_trip_bounds.min &&
                           check->round_trip_p50 <= check->round_trip_bounds.max;
    return 0;
}

static int rate_by_datagrams(double *bits_per_s, const struct link_request *request, int direction,
                             const struct namespaces *namespaces)
{
    const struct shaper_config *path = &request->path[direction];
    double frame_bits =
        (double)shaper_wire_bytes(HEADERS_BYTES + FULL_PAYLOAD_BYTES) * BITS_PER_BYTE;
    double per_s = (double)path->rate_bits_per_s / frame_bits * flood_share;
    double duration_ns = (double)(settle_ns + rate_duration_ns);
    struct datagram_plan plan = {
        .direction = direction,
        .payload_bytes = FULL_PAYLOAD_BYTES,
        .per_s = per_s,
        .count = (uint64_t)(per_s * duration_ns / OS_NS_PER_S) + FLOOD_SENT_MIN,
        .duration_ns = (uint64_t)duration_ns,
        .settle_ns = settle_ns,
        .head_start = path->queue_bytes / shaper_wire_bytes(HEADERS_BYTES + FULL_PAYLOAD_BYTES),
        .patience_ns = patience_ns + longest_round_trip_ns(request) + queue_ns(path),
    };
    struct measured_datagrams measured;
    int result = measure_datagrams(namespaces, &plan, &measured);

    *bits_per_s = path->loss < 1 ? measured.bits_per_s / (1 - path->loss) : 0;
    return result;
}

/* So much that the link is full, and so little that nothing is dropped and it is so at once. The
 * system takes a little less than double of it. */
static uint64_t window_bytes(const struct link_request *request, int direction)
{
    const struct shaper_config *path = &request->path[direction];
    double flight_bytes = (double)path->rate_bits_per_s / BITS_PER_BYTE *
                          (double)longest_round_trip_ns(request) / OS_NS_PER_S;

    return path->rate_bits_per_s == 0
               ? 0
               : (uint64_t)((double)path->queue_bytes * window_share + flight_bytes);
}

static int rate_by_streams(double *bits_per_s, struct link *link,
                           const struct link_request *request, int direction,
                           const struct namespaces *namespaces)
{
    struct measured_bulk measured;
    struct bulk_plan plan = {
        .settle_ns = settle_ns + SETTLE_ROUND_TRIPS * longest_round_trip_ns(request),
        .duration_ns = rate_duration_ns,
        .used = {[LINK_UP] = direction == LINK_UP, [LINK_DOWN] = direction == LINK_DOWN},
        .window_bytes = {window_bytes(request, LINK_UP), window_bytes(request, LINK_DOWN)},
    };
    int result = measure_bulk(namespaces, link, &plan, &measured);

    *bits_per_s = measured.bits_per_s[direction];
    return result;
}

static int rate_measure(struct check_rate *rate, struct link *link,
                        const struct link_request *request, int direction,
                        const struct namespaces *namespaces)
{
    double by_streams = 0;
    int result = 0;

    if (rate->asked > 0)
        result = rate_by_datagrams(&rate->measured, request, direction, namespaces);
    if (result == 0 && (rate->asked == 0 || rate->measured < rate->bounds.min))
        result = rate_by_streams(&by_streams, link, request, direction, namespaces);
    if (by_streams > rate->measured)
        rate->measured = by_streams;
    return result;
}

static int rate_check(struct check *check, struct link *link, const struct link_request *request,
                      int direction, const struct namespaces *namespaces)
{
    struct check_rate *rate = &check->rates[direction];

    rate->asked = (double)request->path[direction].rate_bits_per_s;
    rate->bounds = bounds_rate(rate->asked);
    int result = rate_measure(rate, link, request, direction, namespaces);
    rate->ok = rate->asked == 0 ||
               (rate->measured >= rate->bounds.min && rate->measured <= rate->bounds.max);
    return result;
}

static struct datagram_plan loss_plan(const struct link_request *request, int direction)
{
    const struct shaper_config *path = &request->path[direction];
    double frame_bits =
        (double)shaper_wire_bytes(HEADERS_BYTES + SMALL_PAYLOAD_BYTES) * BITS_PER_BYTE;
    double per_s = (double)path->rate_bits_per_s / frame_bits * loss_rate_share;
    double count = path->loss > 0 ? LOSSES_WANTED / path->loss : NO_LOSS_SENT;

    if (path->rate_bits_per_s == 0 || per_s > LOSS_PER_S_MAX)
        per_s = LOSS_PER_S_MAX;
    if (count > LOSS_SENT_MAX)
        count = LOSS_SENT_MAX;
    if (count > per_s * LOSS_SECONDS_MAX)
        count = per_s * LOSS_SECONDS_MAX;
    return (struct datagram_plan){
        .direction = direction,
        .payload_bytes = SMALL_PAYLOAD_BYTES,
        .per_s = per_s,
        .duration_ns = 2 * LOSS_SECONDS_MAX * (uint64_t)OS_NS_PER_S,
        .count = count < LOSS_SENT_MIN ? LOSS_SENT_MIN : (uint64_t)count,
        .patience_ns = patience_ns + longest_round_trip_ns(request),
    };
}

static int loss_check(struct check *check, const struct link_request *request, int direction,
                      const struct namespaces *namespaces)
{
    struct check_loss *loss = &check->losses[direction];
    struct datagram_plan plan = loss_plan(request, direction);
    struct measured_datagrams measured;
    int result = measure_datagrams(namespaces, &plan, &measured);

    loss->asked = request->path[direction].loss;
    loss->sent = measured.sent;
    loss->lost = measured.sent - measured.received;
    loss->bounds = bounds_lost(loss->sent, loss->asked);
    loss->ok = (double)loss->lost >= loss->bounds.min && (double)loss->lost <= loss->bounds.max;
    return result;
}

/* What the link has missed by then; it must miss nothing of what it is not flooded with. */
static void figures_note(struct check *check, struct link *link)
{
    struct link_figures figures;

    link_read(link, &figures);
    check->realtime = figures.realtime;
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        check->missed[i] = figures.counts[i].missed;
}

/* Answers wait in the queue of the other direction, so no window fits: TCP has to find its own. */
static int both_ways_measure(struct measured_bulk *measured, struct link *link,
                             const struct link_request *request,
                             const struct namespaces *namespaces)
{
    struct bulk_plan plan = {
        .settle_ns = settle_both_ns + SETTLE_ROUND_TRIPS * longest_round_trip_ns(request),
        .duration_ns = rate_duration_ns,
        .used = {true, true},
    };

    return measure_bulk(namespaces, link, &plan, measured);
}

/* What is measured shall be the link, and not how long a flood waits for a processor. Only root may
 * have this; the link's own thread still goes first. (Round trips would become longer by it, for
 * such threads are moved between processors eagerly.) */
static void realtime_ask(void)
{
    struct sched_param priority = {.sched_priority = 1};

    pthread_setschedparam(pthread_self(), SCHED_RR, &priority);
}

int check_run(struct check *check, struct link *link, const struct link_request *request,
              const struct namespaces *namespaces, const char **what)
{
    *check = (struct check){.link = link_name(link)};
    *what = "the round trip";
    int result = round_trips_check(check, request, namespaces);
    for (int i = 0; i < LINK_DIRECTIONS && result == 0; i++) {
        *what = "the loss";
        result = loss_check(check, request, i, namespaces);
    }
    if (result == 0) {
        *what = "both ways at once";
        result = both_ways_measure(&check->both, link, request, namespaces);
        figures_note(check, link);
    }
    realtime_ask();
    for (int i = 0; i < LINK_DIRECTIONS && result == 0; i++) {
        *what = "the rate";
        result = rate_check(check, link, request, i, namespaces);
    }
    check->ok = check->round_trip_ok;
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        check->ok = check->ok && check->rates[i].ok && check->losses[i].ok;
    return result;
}
