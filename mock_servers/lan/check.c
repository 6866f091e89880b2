/* Checks round trip, loss and rate. A rate is what arrives of datagrams sent faster: where frames
 * are lost, queues are short or the machine is busy, the rate of TCP says more of TCP than of the
 * link. On a fast link datagrams may cost too much to reach the rate, while TCP still does. No link
 * carries more than its rate, so the greater of the two counts. */
#include "mock_servers/lan/check.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>

#include "base/os.h"

enum {
    BITS_PER_BYTE = 8,
    HEADERS_BYTES = ETHERNET_HEADER_BYTES + 28,
    FULL_PAYLOAD_BYTES = LAN_MTU_BYTES - 28,
    SMALL_PAYLOAD_BYTES = 100,
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
static const uint64_t patience_min_ns = 300 * OS_NS_PER_MS;
static const double flood_share = 1.25, loss_rate_share = 0.5;

/* ---- bounds ---------------------------------------------------------------------------------- */

static const double rate_share = 0.03, round_trip_share = 0.05, round_trip_ns = 1e5;
static const double tail = 0.005; /* on either side */

struct bounds bounds_rate(double bits_per_s)
{
    return (struct bounds){bits_per_s * (1 - rate_share), bits_per_s * (1 + rate_share)};
}

struct bounds bounds_round_trip(double ns)
{
    double off = round_trip_ns + round_trip_share * ns;

    return (struct bounds){ns > off ? ns - off : 0, ns + off};
}

/* Of exactly `lost` of `sent`. */
static double probability(uint64_t sent, uint64_t lost, double loss)
{
    double n = (double)sent, k = (double)lost;

    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(loss) +
               (n - k) * log1p(-loss));
}

/* The counts below which, and above which, there is no more than the tail. */
struct bounds bounds_lost(uint64_t sent, double loss)
{
    assert(loss >= 0 && loss <= 1);
    if (loss == 0 || loss == 1)
        return (struct bounds){loss * (double)sent, loss * (double)sent};
    uint64_t min = 0, max = sent;
    double below = 0, above = 0;
    while (min < sent && (below += probability(sent, min, loss)) < tail)
        min++;
    while (max > min && (above += probability(sent, max, loss)) < tail)
        max--;
    return (struct bounds){(double)min, (double)max};
}

/* ---- round trip ------------------------------------------------------------------------------ */

struct checker {
    struct check *check;
    struct link *link;
    const struct link_request *request;
    const struct namespaces *namespaces;
};

static bool within(double value, struct bounds bounds)
{
    return value >= bounds.min && value <= bounds.max;
}

static double wire_bits(uint32_t payload_bytes)
{
    return (double)shaper_wire_bytes(HEADERS_BYTES + payload_bytes) * BITS_PER_BYTE;
}

/* The longest that a frame and its answer take, queues not counted. */
static uint64_t longest_round_trip_ns(const struct link_request *request)
{
    uint64_t longest_ns = 0;

    for (int i = 0; i < LINK_DIRECTIONS; i++)
        longest_ns += request->path[i].delay_ns + request->path[i].jitter_ns;
    return longest_ns;
}

static int round_trips_check(const struct checker *checker)
{
    struct check *check = checker->check;
    struct measured_round_trips measured;
    int result =
        measure_round_trips(checker->namespaces, round_trips_duration_ns,
                            patience_min_ns + longest_round_trip_ns(checker->request), &measured);

    if (result < 0)
        return result;
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        const struct shaper_config *path = &checker->request->path[i];
        double rate = (double)path->rate_bits_per_s;
        check->round_trip_asked += (double)path->delay_ns;
        check->round_trip_expected +=
            (double)path->delay_ns +
            (rate > 0 ? wire_bits(MEASURE_PING_BYTES) * OS_NS_PER_S / rate : 0);
    }
    check->round_trip_bounds = bounds_round_trip(check->round_trip_expected);
    if (measured.count == 0)
        return 0;
    check->round_trip_p50 = (double)measured.sorted_ns[measured.count / 2];
    check->round_trip_p99 = (double)measured.sorted_ns[(uint64_t)measured.count * 99 / 100];
    check->round_trip_ok = within(check->round_trip_p50, check->round_trip_bounds);
    return 0;
}

/* ---- rate ----------------------------------------------------------------------------------- */

static struct datagram_plan flood_plan(const struct link_request *request, int direction)
{
    const struct shaper_config *path = &request->path[direction];
    double rate = (double)path->rate_bits_per_s, bits = wire_bits(FULL_PAYLOAD_BYTES);
    double per_s = rate / bits * flood_share;
    double queue_bits = (double)path->queue_bytes * BITS_PER_BYTE;
    uint64_t duration_ns = settle_ns + rate_duration_ns;

    return (struct datagram_plan){
        .direction = direction,
        .payload_bytes = FULL_PAYLOAD_BYTES,
        .per_s = per_s,
        .count = (uint64_t)(per_s * (double)duration_ns / OS_NS_PER_S) + FLOOD_SENT_MIN,
        .duration_ns = duration_ns,
        .settle_ns = settle_ns,
        .head_start = (uint64_t)(queue_bits / bits),
        .patience_ns = patience_min_ns + longest_round_trip_ns(request) +
                       (uint64_t)(queue_bits * OS_NS_PER_S / rate),
    };
}

static int bulk_measure(const struct checker *checker, struct bulk_plan *plan,
                        struct measured_bulk *measured)
{
    plan->settle_ns += SETTLE_ROUND_TRIPS * longest_round_trip_ns(checker->request);
    plan->duration_ns = rate_duration_ns;
    return measure_bulk(checker->namespaces, checker->link, plan, measured);
}

static int rate_check(const struct checker *checker, int direction)
{
    struct check_rate *rate = &checker->check->rates[direction];
    double loss = checker->request->path[direction].loss;
    int result = 0;

    rate->asked = (double)checker->request->path[direction].rate_bits_per_s;
    rate->bounds = bounds_rate(rate->asked);
    if (rate->asked > 0) {
        struct datagram_plan plan = flood_plan(checker->request, direction);
        struct measured_datagrams measured;
        result = measure_datagrams(checker->namespaces, &plan, &measured);
        rate->measured = loss < 1 ? measured.bits_per_s / (1 - loss) : 0;
    }
    if (result == 0 && (rate->asked == 0 || rate->measured < rate->bounds.min)) {
        struct bulk_plan plan = {.settle_ns = settle_ns};
        plan.used[direction] = true;
        struct measured_bulk measured;
        result = bulk_measure(checker, &plan, &measured);
        if (measured.bits_per_s[direction] > rate->measured)
            rate->measured = measured.bits_per_s[direction];
    }
    rate->ok = rate->asked == 0 || within(rate->measured, rate->bounds);
    return result;
}

/* ---- loss ----------------------------------------------------------------------------------- */

static struct datagram_plan loss_plan(const struct link_request *request, int direction)
{
    const struct shaper_config *path = &request->path[direction];
    double per_s = (double)path->rate_bits_per_s / wire_bits(SMALL_PAYLOAD_BYTES) * loss_rate_share;
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
        .patience_ns = patience_min_ns + longest_round_trip_ns(request),
    };
}

static int loss_check(const struct checker *checker, int direction)
{
    struct check_loss *loss = &checker->check->losses[direction];
    struct datagram_plan plan = loss_plan(checker->request, direction);
    struct measured_datagrams measured;
    int result = measure_datagrams(checker->namespaces, &plan, &measured);

    loss->asked = checker->request->path[direction].loss;
    loss->sent = measured.sent;
    loss->lost = measured.sent - measured.received;
    loss->bounds = bounds_lost(loss->sent, loss->asked);
    loss->ok = within((double)loss->lost, loss->bounds);
    return result;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Both ways at once, and what the link has missed until then: it must miss nothing before it is
 * flooded. */
static int load_check(const struct checker *checker)
{
    struct bulk_plan plan = {.settle_ns = settle_both_ns, .used = {true, true}};
    struct link_figures figures;
    int result = bulk_measure(checker, &plan, &checker->check->both);

    link_read(checker->link, &figures);
    checker->check->realtime = figures.realtime;
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        checker->check->missed[i] = figures.counts[i].missed;
    return result;
}

/* The link is to be measured, not how long a flood waits for a processor. Only root may have this;
 * the link's own thread still goes first. Round trips would become longer by it, because the kernel
 * moves such threads between processors eagerly. */
static void realtime_ask(void)
{
    struct sched_param priority = {.sched_priority = 1};

    pthread_setschedparam(pthread_self(), SCHED_RR, &priority);
}

int check_run(struct check *check, struct link *link, const struct link_request *request,
              const struct namespaces *namespaces, const char **what)
{
    struct checker checker = {check, link, request, namespaces};

    *check = (struct check){.link = link_name(link)};
    *what = "the round trip";
    int result = round_trips_check(&checker);
    for (int i = 0; i < LINK_DIRECTIONS && result == 0; i++) {
        *what = "the loss";
        result = loss_check(&checker, i);
    }
    if (result == 0) {
        *what = "both ways at once";
        result = load_check(&checker);
    }
    realtime_ask();
    for (int i = 0; i < LINK_DIRECTIONS && result == 0; i++) {
        *what = "the rate";
        result = rate_check(&checker, i);
    }
    check->ok = check->round_trip_ok;
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        check->ok = check->ok && check->rates[i].ok && check->losses[i].ok;
    return result;
}
