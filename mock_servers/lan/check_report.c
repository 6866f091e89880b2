/* What a check says: to people, and to programs. */
#include "base/json.h"
#include "base/os.h"
#include "mock_servers/lan/check.h"
#include "mock_servers/lan/units.h"

enum { TEXT_BYTES = 64, PERCENT = 100 };

static const char *const direction_names[LINK_DIRECTIONS] = {
    [LINK_UP] = "up", [LINK_DOWN] = "down"};
static const char *const directions_long[LINK_DIRECTIONS] = {
    [LINK_UP] = "up (near to far)", [LINK_DOWN] = "down (far to near)"};

/* ---- the table ------------------------------------------------------------------------------ */

static void line_print(FILE *out, const char *what, const char *asked, const char *measured,
                       const char *allowed, const char *verdict)
{
    fprintf(out, "%-26s %-14s %-24s %-26s %s\n", what, asked, measured, allowed, verdict);
}

static const char *verdict_text(bool ok)
{
    return ok ? "ok" : "NOT AS ASKED";
}

static void rate_print(FILE *out, const struct check_rate *rate, const char *direction)
{
    char what[TEXT_BYTES], asked[32], measured[TEXT_BYTES], allowed[TEXT_BYTES] = "-";

    snprintf(what, sizeof what, "rate %s", direction);
    snprintf(measured, sizeof measured, "%.4g Mbit/s", rate->measured / 1e6);
    if (rate->asked > 0)
        snprintf(allowed, sizeof allowed, "%.4g to %.4g Mbit/s", rate->bounds.min / 1e6,
                 rate->bounds.max / 1e6);
    line_print(out, what, unit_rate_text((uint64_t)rate->asked, asked), measured, allowed,
               rate->asked > 0 ? verdict_text(rate->ok) : "-");
}

static void loss_print(FILE *out, const struct check_loss *loss, const char *direction)
{
    char what[TEXT_BYTES], asked[32], measured[TEXT_BYTES], allowed[TEXT_BYTES];

    snprintf(what, sizeof what, "loss %s", direction);
    snprintf(asked, sizeof asked, "%.4g %%", loss->asked * PERCENT);
    snprintf(measured, sizeof measured, "%llu of %llu", (unsigned long long)loss->lost,
             (unsigned long long)loss->sent);
    snprintf(allowed, sizeof allowed, "%.0f to %.0f", loss->bounds.min, loss->bounds.max);
    line_print(out, what, asked, measured, allowed, verdict_text(loss->ok));
}

static void round_trip_print(FILE *out, const struct check *check)
{
    char asked[32], measured[TEXT_BYTES], allowed[TEXT_BYTES];

    snprintf(asked, sizeof asked, "%.4g ms", check->round_trip_asked / OS_NS_PER_MS);
    snprintf(measured, sizeof measured, "%.4g ms (p99 %.4g)", check->round_trip_p50 / OS_NS_PER_MS,
             check->round_trip_p99 / OS_NS_PER_MS);
    snprintf(allowed, sizeof allowed, "%.4g to %.4g ms",
             check->round_trip_bounds.min / OS_NS_PER_MS,
             check->round_trip_bounds.max / OS_NS_PER_MS);
    line_print(out, "round trip, median", asked, measured, allowed,
               verdict_text(check->round_trip_ok));
}

void check_print(const struct check *check, FILE *out)
{
    fprintf(out, "link: %s%s\n", check->link, check->realtime ? ", with realtime priority" : "");
    line_print(out, "", "asked", "measured", "allowed", "");
    round_trip_print(out, check);
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        rate_print(out, &check->rates[i], directions_long[i]);
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        loss_print(out, &check->losses[i], directions_long[i]);
    fprintf(out, "both ways at once: %.4g Mbit/s up, %.4g Mbit/s down",
            check->both.bits_per_s[LINK_UP] / 1e6, check->both.bits_per_s[LINK_DOWN] / 1e6);
    if (check->both.link_cpu_share > 0)
        fprintf(out, "; the link took %.1f %% of a processor",
                check->both.link_cpu_share * PERCENT);
    fputc('\n', out);
    uint64_t missed = check->missed[LINK_UP] + check->missed[LINK_DOWN];
    if (missed > 0)
        fprintf(out, "frames that the link itself missed: %llu\n", (unsigned long long)missed);
}

/* ---- the line ------------------------------------------------------------------------------- */

static void direction_write(struct json *json, const struct check *check, int direction)
{
    const struct check_rate *rate = &check->rates[direction];
    const struct check_loss *loss = &check->losses[direction];

    json_object_open(json, direction_names[direction]);
    json_number(json, "rate_asked_bits_per_s", rate->asked);
    json_number(json, "rate_bits_per_s", rate->measured);
    json_flag(json, "rate_ok", rate->ok);
    json_number(json, "loss_asked", loss->asked);
    json_count(json, "loss_sent", loss->sent);
    json_count(json, "loss_lost", loss->lost);
    json_number(json, "loss_lost_min", loss->bounds.min);
    json_number(json, "loss_lost_max", loss->bounds.max);
    json_flag(json, "loss_ok", loss->ok);
    json_number(json, "both_ways_bits_per_s", check->both.bits_per_s[direction]);
    json_count(json, "missed", check->missed[direction]);
    json_object_close(json);
}

int check_write(const struct check *check, FILE *out)
{
    struct json json;

    json_open(&json, out);
    json_text(&json, "check", "link");
    json_text(&json, "status", check->ok ? "ok" : "failed");
    json_text(&json, "link", check->link);
    json_flag(&json, "realtime", check->realtime);
    json_number(&json, "rtt_asked_us", check->round_trip_asked / 1e3);
    json_number(&json, "rtt_expected_us", check->round_trip_expected / 1e3);
    json_number(&json, "rtt_us_p50", check->round_trip_p50 / 1e3);
    json_number(&json, "rtt_us_p99", check->round_trip_p99 / 1e3);
    json_flag(&json, "rtt_ok", check->round_trip_ok);
    json_number(&json, "link_cpu_share", check->both.link_cpu_share);
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        direction_write(&json, check, i);
    return json_close(&json);
}
