/* Checks round trip, loss and rate. A rate is what arrives of datagrams sent faster: where frames
 * are lost, queues are short or the machine is busy, the rate of TCP says more of TCP than of the
 * link. On a fast link datagrams may cost too much to reach the rate, while TCP still does. No link
 * carries more than its rate, so the greater of the two counts. */
#include "mock_servers/lan/check.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/draft.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "mock_servers/lan/measure.h"

enum {
    ROUND_TRIPS = 400,
    ROUND_TRIPS_PER_S = 500, /* seldom, so that none waits for another */
    ECHOES_PER_S = 4000,
    ECHO_FRAME_BYTES = ETHERNET_HEADER_BYTES + 28 + MEASURE_ECHO_BYTES,
    LOSSES_WANTED = 100, /* enough for an interval of a quarter either way */
    NO_LOSS_SENT = 2000,
    RATE_FRAMES_MIN = 4, /* measured on a slow link */
    TCP_SETTLE_ROUND_TRIPS = 20,
    TEXT_BYTES = 64,
    PERCENT = 100,
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

struct value {
    double asked, measured;
    struct bounds allowed;
    bool ok;
};

struct check {
    struct link *link;
    const struct shaper_config *paths;
    uint64_t longest_round_trip_ns;     /* of a frame and its answer, queues not counted */
    struct value round_trip;            /* the median, in ns */
    double round_trip_expected_ns;      /* what was asked for and the datagrams' time on the wire */
    double round_trip_p99_ns;           /* NAN, as the median: none was completed */
    struct value rate[LINK_DIRECTIONS]; /* bit/s; asked 0: unlimited, always ok */
    struct value loss[LINK_DIRECTIONS]; /* in datagrams, of those `sent` */
    uint64_t sent[LINK_DIRECTIONS];
    /* TCP both ways at once; for information. */
    double both_bits_per_s[LINK_DIRECTIONS], link_cpu_share;
    struct link_figures figures; /* before the link is flooded */
};

static struct value value_of(double asked, double measured, struct bounds allowed)
{
    bool ok = measured >= allowed.min && measured <= allowed.max;
    return (struct value){asked, measured, allowed, ok};
}

/* The time that so many bytes take on the wire; 0 where the rate is unlimited. */
static double wire_ns(const struct shaper_config *path, uint64_t bytes)
{
    double rate = (double)path->rate_bits_per_s;
    return rate > 0 ? (double)bytes * BITS_PER_BYTE * OS_NS_PER_S / rate : 0;
}

/* Round trip and loss, with fewer datagrams on a slow link. */
static int echo_check(struct check *check)
{
    double losses = 0, per_s_max = ECHOES_PER_S, asked_ns = 0, expected_ns = 0;
    struct measured_echo seldom, often;
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        const struct shaper_config *path = &check->paths[i];
        double frame_ns = wire_ns(path, shaper_wire_bytes(ECHO_FRAME_BYTES));
        asked_ns += (double)path->delay_ns;
        expected_ns += (double)path->delay_ns + frame_ns;
        losses = fmax(losses, path->loss > 0 ? LOSSES_WANTED / path->loss : NO_LOSS_SENT);
        if (frame_ns > 0)
            per_s_max = fmin(per_s_max, echo_rate_share * OS_NS_PER_S / frame_ns);
    }
    uint64_t patience_ns = patience_min_ns + check->longest_round_trip_ns;
    double per_s = fmin(ROUND_TRIPS_PER_S, per_s_max);
    int result = measure_echo(ROUND_TRIPS, per_s, patience_ns, &seldom);
    if (result == 0)
        result = measure_echo(losses, per_s_max, patience_ns, &often);
    if (result < 0)
        return result;
    check->round_trip_expected_ns = expected_ns;
    check->round_trip_p99_ns = seldom.p99_ns;
    check->round_trip = value_of(asked_ns, seldom.p50_ns, bounds_round_trip(expected_ns));
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        double sent = (double)often.sent[i], loss = check->paths[i].loss;
        check->sent[i] = often.sent[i];
        check->loss[i] = value_of(loss * sent, sent - (double)often.received[i],
                                  bounds_lost(often.sent[i], loss));
    }
    return 0;
}

static int tcp_measure(const struct check *check, bool up, bool down,
                       double bits_per_s[LINK_DIRECTIONS])
{
    struct load load = {.used = {up, down},
                        .duration_ns = rate_duration_ns,
                        .settle_ns =
                            settle_ns + TCP_SETTLE_ROUND_TRIPS * check->longest_round_trip_ns};
    return measure_rate(&load, bits_per_s);
}

/* Both ways at once, and what the link has missed until then: it must miss nothing before it is
 * flooded. */
static int both_ways_check(struct check *check)
{
    struct link_figures before;
    uint64_t started_ns = os_now_ns();
    link_read(check->link, &before);
    int result = tcp_measure(check, true, true, check->both_bits_per_s);
    link_read(check->link, &check->figures);
    check->link_cpu_share =
        (double)(check->figures.cpu_ns - before.cpu_ns) / (double)(os_now_ns() - started_ns);
    return result;
}

/* The datagrams first fill the queue, so that the wire stays busy when this thread has to wait for
 * a processor. */
static int flood_measure(const struct check *check, int direction,
                         double bits_per_s[LINK_DIRECTIONS])
{
    const struct shaper_config *path = &check->paths[direction];
    double frame_ns = wire_ns(path, WIRE_BYTES_MAX);
    struct load load = {.used = {direction == LINK_UP, direction == LINK_DOWN},
                        .datagrams = (double)path->queue_bytes / WIRE_BYTES_MAX,
                        .datagrams_per_s = flood_share * OS_NS_PER_S / frame_ns,
                        .settle_ns = settle_ns + (uint64_t)frame_ns + check->longest_round_trip_ns,
                        .duration_ns =
                            (uint64_t)fmax((double)rate_duration_ns, RATE_FRAMES_MIN * frame_ns)};
    int result = measure_rate(&load, bits_per_s);
    if (path->loss < 1)
        bits_per_s[direction] /= 1 - path->loss;
    return result;
}

static int rates_check(struct check *check)
{
    /* Real-time priority, so that a flood need not wait for a processor. Root only; the link's own
     * thread still goes first. Not for round trips: they get longer, because the kernel moves such
     * threads between processors eagerly. */
    pthread_setschedparam(pthread_self(), SCHED_RR, &(struct sched_param){.sched_priority = 1});
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        double asked = (double)check->paths[i].rate_bits_per_s;
        double flood[LINK_DIRECTIONS] = {0}, tcp[LINK_DIRECTIONS] = {0};
        struct bounds allowed = bounds_rate(asked);
        int result = asked > 0 ? flood_measure(check, i, flood) : 0;
        if (result == 0 && (asked == 0 || flood[i] < allowed.min))
            result = tcp_measure(check, i == LINK_UP, i == LINK_DOWN, tcp);
        if (result < 0)
            return result;
        check->rate[i] = value_of(asked, fmax(flood[i], tcp[i]), allowed);
        check->rate[i].ok = check->rate[i].ok || asked == 0;
    }
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------ */

static const char line_format[] = "%-26s %-14s %-14s %-26s %s\n";

static void number_print(char text[TEXT_BYTES], double value, const char *unit)
{
    if (isnan(value))
        snprintf(text, TEXT_BYTES, "none");
    else
        snprintf(text, TEXT_BYTES, "%.4g %s", value, unit);
}

static void value_print(FILE *out, const char *what, const struct value *value, double scale,
                        const char *unit)
{
    char asked[TEXT_BYTES], measured[TEXT_BYTES], allowed[TEXT_BYTES];
    number_print(measured, value->measured / scale, unit);
    snprintf(asked, sizeof asked, "%.4g %s", value->asked / scale, unit);
    snprintf(allowed, sizeof allowed, "%.4g to %.4g %s", value->allowed.min / scale,
             value->allowed.max / scale, unit);
    fprintf(out, line_format, what, asked, measured, allowed, value->ok ? "ok" : "NOT AS ASKED");
}

static void table_print(const struct check *check, FILE *out)
{
    static const char *const rates[] = {"rate up (near to far)", "rate down (far to near)"};
    static const char *const losses[] = {"loss up (near to far)", "loss down (far to near)"};
    const struct link_figures *figures = &check->figures;
    uint64_t missed = figures->counts[LINK_UP].missed + figures->counts[LINK_DOWN].missed;
    char seldom[TEXT_BYTES];
    fprintf(out, "link: %s%s\n", link_name(check->link),
            figures->realtime ? ", with realtime priority" : "");
    fprintf(out, line_format, "", "asked", "measured", "allowed", "");
    value_print(out, "round trip, median", &check->round_trip, OS_NS_PER_MS, "ms");
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        if (check->rate[i].asked > 0)
            value_print(out, rates[i], &check->rate[i], 1e6, "Mbit/s");
        else
            fprintf(out, "%-26s %-14s %.4g Mbit/s\n", rates[i], "unlimited",
                    check->rate[i].measured / 1e6);
    }
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        value_print(out, losses[i], &check->loss[i],
                    check->sent[i] > 0 ? (double)check->sent[i] / PERCENT : 1, "%");
    number_print(seldom, check->round_trip_p99_ns / OS_NS_PER_MS, "ms");
    fprintf(out, "round trip, 99th percentile: %s; losses are of %llu datagrams up, %llu down\n",
            seldom, (unsigned long long)check->sent[LINK_UP],
            (unsigned long long)check->sent[LINK_DOWN]);
    fprintf(out, "both ways at once: %.4g Mbit/s up, %.4g Mbit/s down",
            check->both_bits_per_s[LINK_UP] / 1e6, check->both_bits_per_s[LINK_DOWN] / 1e6);
    if (check->link_cpu_share > 0)
        fprintf(out, "; the link took %.1f %% of a processor", check->link_cpu_share * PERCENT);
    fputc('\n', out);
    if (missed > 0)
        fprintf(out, "frames that the link itself missed: %llu\n", (unsigned long long)missed);
}

static int line_write(const struct check *check, bool ok, FILE *out)
{
    struct json json;
    json_open(&json, out);
    json_text(&json, "check", "link");
    json_text(&json, "status", ok ? "ok" : "failed");
    json_text(&json, "link", link_name(check->link));
    json_flag(&json, "realtime", check->figures.realtime);
    json_number(&json, "rtt_asked_us", check->round_trip.asked / 1e3);
    json_number(&json, "rtt_expected_us", check->round_trip_expected_ns / 1e3);
    json_number(&json, "rtt_us_p50", check->round_trip.measured / 1e3);
    json_number(&json, "rtt_us_p99", check->round_trip_p99_ns / 1e3);
    json_flag(&json, "rtt_ok", check->round_trip.ok);
    json_number(&json, "link_cpu_share", check->link_cpu_share);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        const struct value *rate = &check->rate[i], *loss = &check->loss[i];
        json_object_open(&json, link_direction_names[i]);
        json_number(&json, "rate_asked_bits_per_s", rate->asked);
        json_number(&json, "rate_bits_per_s", rate->measured);
        json_flag(&json, "rate_ok", rate->ok);
        json_number(&json, "loss_asked", check->paths[i].loss);
        json_count(&json, "loss_sent", check->sent[i]);
        json_count(&json, "loss_lost", (uint64_t)loss->measured);
        json_number(&json, "loss_lost_min", loss->allowed.min);
        json_number(&json, "loss_lost_max", loss->allowed.max);
        json_flag(&json, "loss_ok", loss->ok);
        json_number(&json, "both_ways_bits_per_s", check->both_bits_per_s[i]);
        json_count(&json, "missed", check->figures.counts[i].missed);
        json_object_close(&json);
    }
    return json_close(&json);
}

/* ---- the check ------------------------------------------------------------------------------- */

int check_run(struct link *link, const struct shaper_config paths[LINK_DIRECTIONS],
              const char *json)
{
    static const struct {
        const char *what;
        int (*measure)(struct check *);
    } steps[] = {{"round trip and loss", echo_check},
                 {"both ways at once", both_ways_check},
                 {"the rate", rates_check}};
    struct check check = {.link = link, .paths = paths};
    bool ok = true;
    if (!link_start(link)) {
        message_print("cannot measure anything: %s", lan_reason());
        return EXIT_MEASURED_FAILURE;
    }
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        check.longest_round_trip_ns += paths[i].delay_ns + paths[i].jitter_ns;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int result = steps[i].measure(&check);
        if (result < 0) {
            message_print("cannot measure %s: %s", steps[i].what, strerror(-result));
            return EXIT_MEASURED_FAILURE;
        }
    }
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        ok = ok && check.round_trip.ok && check.rate[i].ok && check.loss[i].ok;
    table_print(&check, json != NULL && strcmp(json, "-") == 0 ? stderr : stdout);
    struct draft draft;
    int written = json == NULL ? 0 : draft_open(&draft, json);
    if (json != NULL && written == 0)
        written = draft_close(&draft, line_write(&check, ok, draft.out));
    if (written < 0) {
        message_print("--json: cannot write: %s", strerror(-written));
        return EXIT_MACHINE_CANNOT;
    }
    if (ok)
        return EXIT_DONE;
    message_print("the link is not as asked for (see above)");
    return EXIT_MEASURED_FAILURE;
}
