/* Prints what a check found: a table for people, a line of JSON for programs. */
#include "base/json.h"
#include "base/os.h"
#include "mock_servers/lan/check.h"

enum { TEXT_BYTES = 64, PERCENT = 100 };

/* ---- the table ------------------------------------------------------------------------------ */

static const char line_format[] = "%-26s %-14s %-14s %-26s %s\n";

static void value_print(FILE *out, const char *what, const struct checked_value *value,
                        double scale, const char *unit)
{
    char asked[TEXT_BYTES], measured[TEXT_BYTES], allowed[TEXT_BYTES];

    snprintf(measured, sizeof measured, "%.4g %s", value->measured / scale, unit);
    snprintf(asked, sizeof asked, "%.4g %s", value->asked / scale, unit);
    snprintf(allowed, sizeof allowed, "%.4g to %.4g %s", value->allowed.min / scale,
             value->allowed.max / scale, unit);
    fprintf(out, line_format, what, asked, measured, allowed, value->ok ? "ok" : "NOT AS ASKED");
}

void check_print(const struct check *check, FILE *out)
{
    static const char *const rates[] = {"rate up (near to far)", "rate down (far to near)"};
    static const char *const losses[] = {"loss up (near to far)", "loss down (far to near)"};
    uint64_t missed = check->missed[LINK_UP] + check->missed[LINK_DOWN];

    fprintf(out, "link: %s%s\n", check->link, check->realtime ? ", with realtime priority" : "");
    fprintf(out, line_format, "", "asked", "measured", "allowed", "");
    value_print(out, "round trip, median", &check->values[CHECK_ROUND_TRIP], OS_NS_PER_MS, "ms");
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        const struct checked_value *rate = &check->values[CHECK_RATE + i];
        if (rate->asked > 0)
            value_print(out, rates[i], rate, 1e6, "Mbit/s");
        else
            fprintf(out, "%-26s %-14s %.4g Mbit/s\n", rates[i], "unlimited", rate->measured / 1e6);
    }
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        value_print(out, losses[i], &check->values[CHECK_LOSS + i],
                    check->sent[i] > 0 ? (double)check->sent[i] / PERCENT : 1, "%");
    fprintf(out,
            "round trip, 99th percentile: %.4g ms; losses are of %llu datagrams up, %llu down\n",
            check->round_trip_p99_ns / OS_NS_PER_MS, (unsigned long long)check->sent[LINK_UP],
            (unsigned long long)check->sent[LINK_DOWN]);
    fprintf(out, "both ways at once: %.4g Mbit/s up, %.4g Mbit/s down",
            check->both_bits_per_s[LINK_UP] / 1e6, check->both_bits_per_s[LINK_DOWN] / 1e6);
    if (check->link_cpu_share > 0)
        fprintf(out, "; the link took %.1f %% of a processor", check->link_cpu_share * PERCENT);
    fputc('\n', out);
    if (missed > 0)
        fprintf(out, "frames that the link itself missed: %llu\n", (unsigned long long)missed);
}

/* ---- the line ------------------------------------------------------------------------------- */

static void direction_write(struct json *json, const struct check *check, int direction)
{
    const struct checked_value *rate = &check->values[CHECK_RATE + direction];
    const struct checked_value *loss = &check->values[CHECK_LOSS + direction];

    json_object_open(json, link_direction_names[direction]);
    json_number(json, "rate_asked_bits_per_s", rate->asked);
    json_number(json, "rate_bits_per_s", rate->measured);
    json_flag(json, "rate_ok", rate->ok);
    json_number(json, "loss_asked", check->loss_asked[direction]);
    json_count(json, "loss_sent", check->sent[direction]);
    json_count(json, "loss_lost", (uint64_t)loss->measured);
    json_number(json, "loss_lost_min", loss->allowed.min);
    json_number(json, "loss_lost_max", loss->allowed.max);
    json_flag(json, "loss_ok", loss->ok);
    json_number(json, "both_ways_bits_per_s", check->both_bits_per_s[direction]);
    json_count(json, "missed", check->missed[direction]);
    json_object_close(json);
}

int check_write(const struct check *check, FILE *out)
{
    const struct checked_value *round_trip = &check->values[CHECK_ROUND_TRIP];
    struct json json;

    json_open(&json, out);
    json_text(&json, "check", "link");
    json_text(&json, "status", check->ok ? "ok" : "failed");
    json_text(&json, "link", check->link);
    json_flag(&json, "realtime", check->realtime);
    json_number(&json, "rtt_asked_us", round_trip->asked / 1e3);
    json_number(&json, "rtt_expected_us", check->round_trip_expected_ns / 1e3);
    json_number(&json, "rtt_us_p50", round_trip->measured / 1e3);
    json_number(&json, "rtt_us_p99", check->round_trip_p99_ns / 1e3);
    json_flag(&json, "rtt_ok", round_trip->ok);
    json_number(&json, "link_cpu_share", check->link_cpu_share);
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        direction_write(&json, check, i);
    return json_close(&json);
}
