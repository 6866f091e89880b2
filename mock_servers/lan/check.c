/* Checks round trip, loss and rate. A rate is what arrives of datagrams sent faster: where frames
 * are lost, queues are short or the machine is busy, the rate of TCP says more of TCP than of the
 * link. On a fast link datagrams may cost too much to reach the rate, while TCP still does. No link
 * carries more than its rate, so the greater of the two counts. */
#include "mock_servers/lan/check.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/os.h"
#include "mock_servers/lan/measure.h"

enum {
    BITS_PER_BYTE = 8,
    ROUND_TRIPS = 400,
    ROUND_TRIPS_PER_S = 500, /* seldom, so that none waits for another */
    ECHOES_PER_S = 4000,
    ECHO_SECONDS_MAX = 5,
    LOSSES_WANTED = 100, /* enough for an interval of a quarter either way */
    NO_LOSS_SENT = 2000,
    RATE_FRAMES_MIN = 4, /* measured on a slow link */
    TCP_SETTLE_ROUND_TRIPS = 20,
};

static const uint64_t rate_duration_ns = OS_NS_PER_S, settle_ns = 300 * OS_NS_PER_MS;
static const uint64_t patience_min_ns = 300 * OS_NS_PER_MS;
static const double flood_share = 1.25, echo_rate_share = 0.5;

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

/* ---- what is measured ------------------------------------------------------------------------ */

struct checker {
    struct check *check;
    struct link *link;
    const struct link_request *request;
    const struct namespaces *namespaces;
};

static void value_check(struct checked_value *value, double asked, double measured,
                        struct bounds allowed)
{
    bool ok = measured >= allowed.min && measured <= allowed.max;

    *value = (struct checked_value){asked, measured, allowed, ok};
}

/* The time that so many bytes take on the wire; 0 where the rate is unlimited. */
static double wire_ns(const struct shaper_config *path, double bytes)
{
    double rate = (double)path->rate_bits_per_s;

    return rate > 0 ? bytes * BITS_PER_BYTE * OS_NS_PER_S / rate : 0;
}

static double echo_wire_bytes(void)
{
    return (double)shaper_wire_bytes(ETHERNET_HEADER_BYTES + 28 + MEASURE_ECHO_BYTES);
}

/* The longest that a frame and its answer take, queues not counted. */
static uint64_t longest_round_trip_ns(const struct link_request *request)
{
    uint64_t longest_ns = 0;

    for (int i = 0; i < LINK_DIRECTIONS; i++)
        longest_ns += request->path[i].delay_ns + request->path[i].jitter_ns;
    return longest_ns;
}

/* ---- round trip and loss --------------------------------------------------------------------- */

/* At most `count` datagrams and `per_s`, and fewer on a slow link. */
static int echo_measure(const struct checker *checker, double count, double per_s,
                        struct measured_echo *measured)
{
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        double frame_ns = wire_ns(&checker->request->path[i], echo_wire_bytes());
        if (frame_ns > 0)
            per_s = fmin(per_s, echo_rate_share * OS_NS_PER_S / frame_ns);
    }
    count = fmax(1, fmin(count, per_s * ECHO_SECONDS_MAX));
    return measure_echo(checker->namespaces, (uint64_t)count, per_s,
                        patience_min_ns + longest_round_trip_ns(checker->request), measured);
}

static int round_trip_check(const struct checker *checker)
{
    struct check *check = checker->check;
    struct checked_value *value = &check->values[CHECK_ROUND_TRIP];
    struct measured_echo measured;
    double asked_ns = 0, wires_ns = 0;
    int result = echo_measure(checker, ROUND_TRIPS, ROUND_TRIPS_PER_S, &measured);

    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        asked_ns += (double)checker->request->path[i].delay_ns;
        wires_ns += wire_ns(&checker->request->path[i], echo_wire_bytes());
    }
    check->round_trip_expected_ns = asked_ns + wires_ns;
    check->round_trip_p99_ns = (double)measured.p99_ns;
    value_check(value, asked_ns, (double)measured.p50_ns, bounds_round_trip(asked_ns + wires_ns));
    value->ok = value->ok && measured.p50_ns > 0;
    return result;
}

static int loss_check(const struct checker *checker)
{
    struct check *check = checker->check;
    struct measured_echo measured;
    double count = 0;

    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        double loss = check->loss_asked[i] = checker->request->path[i].loss;
        count = fmax(count, loss > 0 ? LOSSES_WANTED / loss : NO_LOSS_SENT);
    }
    int result = echo_measure(checker, count, ECHOES_PER_S, &measured);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        uint64_t sent = check->sent[i] = measured.sent[i];
        double loss = check->loss_asked[i];
        value_check(&check->values[CHECK_LOSS + i], loss * (double)sent,
                    (double)(sent - measured.received[i]), bounds_lost(sent, loss));
    }
    return result;
}

/* ---- rate ------------------------------------------------------------------------------------ */

static int tcp_measure(const struct checker *checker, const bool used[LINK_DIRECTIONS],
                       double bits_per_s[LINK_DIRECTIONS])
{
    struct load load = {.type = SOCK_STREAM,
                        .used = {used[LINK_UP], used[LINK_DOWN]},
                        .duration_ns = rate_duration_ns,
                        .settle_ns = settle_ns + TCP_SETTLE_ROUND_TRIPS *
                                                     longest_round_trip_ns(checker->request)};

    return measure_rate(checker->namespaces, &load, bits_per_s);
}

/* The datagrams first fill the queue, so that the wire stays busy when this thread has to wait for
 * a processor. */
static int flood_measure(const struct checker *checker, int direction,
                         double bits_per_s[LINK_DIRECTIONS])
{
    const struct shaper_config *path = &checker->request->path[direction];
    double frame_ns = wire_ns(path, WIRE_BYTES_MAX);
    struct load load = {
        .type = SOCK_DGRAM,
        .datagrams = (double)path->queue_bytes / WIRE_BYTES_MAX,
        .datagrams_per_s = flood_share * OS_NS_PER_S / frame_ns,
        .settle_ns = settle_ns + (uint64_t)frame_ns + longest_round_trip_ns(checker->request),
        .duration_ns = (uint64_t)fmax((double)rate_duration_ns, RATE_FRAMES_MIN * frame_ns)};

    load.used[direction] = true;
    int result = measure_rate(checker->namespaces, &load, bits_per_s);
    if (path->loss < 1)
        bits_per_s[direction] /= 1 - path->loss;
    return result;
}

static int rate_check(const struct checker *checker, int direction)
{
    double asked = (double)checker->request->path[direction].rate_bits_per_s;
    double flood[LINK_DIRECTIONS] = {0}, tcp[LINK_DIRECTIONS] = {0};
    struct checked_value *value = &checker->check->values[CHECK_RATE + direction];
    struct bounds allowed = bounds_rate(asked);
    int result = asked > 0 ? flood_measure(checker, direction, flood) : 0;

    if (result == 0 && (asked == 0 || flood[direction] < allowed.min)) {
        bool used[LINK_DIRECTIONS] = {direction == LINK_UP, direction == LINK_DOWN};
        result = tcp_measure(checker, used, tcp);
    }
    value_check(value, asked, fmax(flood[direction], tcp[direction]), allowed);
    value->ok = value->ok || asked == 0;
    return result;
}

/* Both ways at once, and what the link has missed until then: it must miss nothing before it is
 * flooded. */
static int both_ways_check(const struct checker *checker)
{
    struct check *check = checker->check;
    struct link_figures before, after;
    uint64_t started_ns = os_now_ns();

    link_read(checker->link, &before);
    int result = tcp_measure(checker, (bool[]){true, true}, check->both_bits_per_s);
    link_read(checker->link, &after);
    check->link_cpu_share =
        (double)(after.cpu_ns - before.cpu_ns) / (double)(os_now_ns() - started_ns);
    check->realtime = after.realtime;
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        check->missed[i] = after.counts[i].missed;
    return result;
}

/* Real-time priority, so that a flood need not wait for a processor. Root only; the link's own
 * thread still goes first. Not for round trips: they get longer, because the kernel moves such
 * threads between processors eagerly. */
static void realtime_ask(void)
{
    struct sched_param priority = {.sched_priority = 1};

    pthread_setschedparam(pthread_self(), SCHED_RR, &priority);
}

int check_run(struct check *check, struct link *link, const struct link_request *request,
              const struct namespaces *namespaces, const char **what)
{
    struct checker checker = {check, link, request, namespaces};

    *check = (struct check){.link = link_name(link), .ok = true};
    *what = "the round trip";
    int result = round_trip_check(&checker);
    if (result == 0) {
        *what = "the loss";
        result = loss_check(&checker);
    }
    if (result == 0) {
        *what = "both ways at once";
        result = both_ways_check(&checker);
    }
    realtime_ask();
    for (int i = 0; i < LINK_DIRECTIONS && result == 0; i++) {
        *what = "the rate";
        result = rate_check(&checker, i);
    }
    for (int i = 0; i < CHECK_VALUES; i++)
        check->ok = check->ok && check->values[i].ok;
    return result;
}
