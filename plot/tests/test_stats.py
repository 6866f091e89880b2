"""Order statistics, intervals and corrections: values worked out by hand, published tables, and
simulated coverage."""

import math
import random
import unittest

import plot_path
import stats
from stats import Interval

NO_NUMBERS = (math.nan, math.inf, -math.inf)


class Medians(unittest.TestCase):
    def test_the_median_is_the_middle_or_between_the_middles(self):
        self.assertEqual(stats.median([7]), 7)
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 3, 2]), 2.5)

    def test_nothing_has_no_median_and_no_spread(self):
        with self.assertRaises(ValueError):
            stats.median([])
        self.assertIsNone(stats.spread([]))

    def test_a_spread_keeps_the_outlier(self):
        found = stats.spread([10, 11, 12, 13, 1000])
        self.assertEqual((found.n, found.low, found.median, found.high), (5, 10, 12, 1000))


class MedianIntervals(unittest.TestCase):
    def test_against_binomial_tables(self):
        """The tail of the binomial with p = 1/2, as any table of it prints (for instance National
        Bureau of Standards, Applied Mathematics Series 6, 1950): n, k - 1, and P(X <= k - 1)."""
        for n, below, tail in ((6, 0, 0.0156), (8, 0, 0.0039), (9, 1, 0.0195), (10, 1, 0.0107),
                               (12, 2, 0.0193), (15, 3, 0.0176), (20, 5, 0.0207), (25, 7, 0.0216)):
            found = stats.median_interval(range(n))
            self.assertEqual((found.low, found.high), (below, n - 1 - below), n)
            self.assertAlmostEqual(found.confidence, 1 - 2 * tail, delta=0.0002)

    def test_too_few_runs_have_none(self):
        for n in range(6):
            self.assertIsNone(stats.median_interval(range(n), 0.95))
        self.assertEqual(stats.median_interval([5, 1, 4, 2, 3], 0.9), Interval(1, 5, 0.9375))
        self.assertIsNone(stats.median_interval([1, 2, 3, 4], 0.9))

    def test_exactly_what_was_asked_for_is_enough(self):
        self.assertEqual(stats.median_interval(range(5), 0.9375).confidence, 0.9375)

    def test_it_covers_as_often_as_it_says(self):
        draw, hits, draws = random.Random(11), 0, 4000
        for _ in range(draws):
            found = stats.median_interval([draw.expovariate(1) for _ in range(9)])
            hits += found.low <= math.log(2) <= found.high
        self.assertAlmostEqual(hits / draws, found.confidence, delta=0.015)

    def test_wrong_use(self):
        for confidence in (0, 1, 95, -0.5, math.nan):
            with self.assertRaises(ValueError):
                stats.median_interval(range(9), confidence)
        for value in NO_NUMBERS:
            with self.assertRaises(ValueError):
                stats.median_interval([1, 2, 3, 4, 5, value])


def rejected_by_holm(p_values, level):
    """The procedure as Holm states it, step by step."""
    places = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = set()
    for step, place in enumerate(places):
        if p_values[place] > level / (len(places) - step):
            break
        rejected.add(place)
    return rejected


class Holm(unittest.TestCase):
    def test_a_published_example(self):
        """Four p-values of the article on the Holm-Bonferroni method in the English Wikipedia: the
        first and the last are rejected at 0.05, the others not."""
        adjusted = stats.holm([0.01, 0.04, 0.03, 0.005])
        for found, expected in zip(adjusted, (0.03, 0.06, 0.06, 0.02)):
            self.assertAlmostEqual(found, expected)

    def test_it_rejects_what_the_procedure_rejects(self):
        draw = random.Random(5)
        for _ in range(300):
            p_values = [draw.random() ** 4 for _ in range(draw.randrange(1, 12))]
            level = draw.choice((0.01, 0.05, 0.1))
            self.assertEqual({i for i, p in enumerate(stats.holm(p_values)) if p <= level},
                             rejected_by_holm(p_values, level))

    def test_ends(self):
        self.assertEqual(stats.holm([]), [])
        self.assertEqual(stats.holm([0.04]), [0.04])
        self.assertEqual(stats.holm([1, 1, 1]), [1, 1, 1])
        self.assertEqual(stats.holm([0.0, 0.9]), [0.0, 0.9])

    def test_wrong_use(self):
        for p in (-0.1, 1.1, math.nan):
            with self.assertRaises(ValueError):
                stats.holm([0.5, p])


class Equivalence(unittest.TestCase):
    def test_the_whole_interval_must_lie_within_the_margin_both_ways(self):
        for low, high, within in ((0.96, 1.04, True), (0.96, 1.06, False), (0.94, 1.04, False),
                                  (1 / 1.05, 1.05, True), (0.951, 1.0, False)):
            self.assertEqual(stats.equivalent(Interval(low, high, 0.95), 0.05), within)
        self.assertFalse(stats.equivalent(None, 0.05))

    def test_a_margin_is_above_0(self):
        for margin in (0, -0.1, math.nan):
            with self.assertRaises(ValueError):
                stats.equivalent(Interval(1, 1, 0.95), margin)
