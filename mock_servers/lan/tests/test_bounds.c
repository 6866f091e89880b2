/* The bounds of a check. */
#include "mock_servers/lan/tests/lan_under_test.h"

#include <math.h>
#include <stdio.h>

#include "mock_servers/lan/check.h"

static bool about(double value, double expected)
{
    return fabs(value - expected) <= 1e-9 * fabs(expected);
}

TEST(test_rates_and_round_trips)
{
    struct bounds rate = bounds_rate(100e6), trip = bounds_round_trip(10e6);
    assert_true(about(rate.min, 97e6) && about(rate.max, 103e6));
    assert_true(about(trip.min, 9.4e6) && about(trip.max, 10.6e6));
    trip = bounds_round_trip(0);
    assert_true(trip.min == 0 && about(trip.max, 1e5));
}

static void assert_lost(uint64_t sent, double loss, double min, double max)
{
    struct bounds bounds = bounds_lost(sent, loss);
    assert_true(bounds.min == min);
    assert_true(bounds.max == max);
}

/* By hand, and from the quantiles 0.005 and 0.995 as tables have them. */
TEST(test_the_binomial_interval)
{
    assert_lost(1000, 0, 0, 0);
    assert_lost(1000, 1, 1000, 1000);
    assert_lost(1, 0.5, 0, 1);
    assert_lost(10, 0.5, 1, 9); /* 1/1024 is less than 0.005, 11/1024 is more */
    assert_lost(100, 0.5, 37, 63);
    assert_lost(10000, 0.01, 75, 127);
    assert_lost(20000, 0.001, 10, 32);
}

/* The probability within is at least 99 %, and without either edge's own it would not be. */
TEST(test_the_interval_is_the_smallest)
{
    static const double losses[] = {0.001, 0.01, 0.1, 0.5};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        enum { SENT = 500 };
        double loss = losses[i], below = 0, upto_min = 0, above = 0, from_max = 0;
        struct bounds bounds = bounds_lost(SENT, loss);
        double each = pow(1 - loss, SENT);
        for (int lost = 0; lost <= SENT; lost++) {
            below += lost < bounds.min ? each : 0;
            upto_min += lost <= bounds.min ? each : 0;
            above += lost > bounds.max ? each : 0;
            from_max += lost >= bounds.max ? each : 0;
            each *= (SENT - lost) / (lost + 1.0) * loss / (1 - loss);
        }
        assert_true(below < 0.005 && above < 0.005);
        assert_true(upto_min >= 0.005 && from_max >= 0.005);
    }
}
