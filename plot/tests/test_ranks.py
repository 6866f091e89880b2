"""Rank tests against published examples and tables, enumeration, and simulated coverage."""

import itertools
import math
import random
import unittest
from unittest import mock

import plot_path
import ranks

# Hollander and Wolfe, Nonparametric Statistical Methods, 2nd edition, 1999; R's help page of
# wilcox.test has both as examples. Table 4.1: permeability of the human chorioamnion at term, and
# at 12 to 26 weeks. Table 3.1: Hamilton's depression scale before and after a tranquillizer.
TERM = (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
EARLY = (1.15, 0.88, 0.90, 0.74, 1.21)
BEFORE = (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
AFTER = (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
# R's data set airquality (Chambers and others, 1983): ozone in May and in August.
MAY = (41, 36, 12, 18, 28, 23, 19, 8, 7, 16, 11, 14, 18, 14, 34, 6, 30, 11, 1, 11, 4, 32, 23, 45,
       115, 37)
AUGUST = (39, 9, 16, 78, 35, 66, 122, 89, 110, 44, 28, 65, 22, 59, 23, 31, 44, 21, 9, 45, 168, 73,
          76, 118, 84, 85)
# R's data set ToothGrowth (C. I. Bliss, 1952): length by vitamin C (VC) and by orange juice (OJ).
VC = (4.2, 11.5, 7.3, 5.8, 6.4, 10, 11.2, 11.2, 5.2, 7, 16.5, 16.5, 15.2, 17.3, 22.5, 17.3, 13.6,
      14.5, 18.8, 15.5, 23.6, 18.5, 33.9, 25.5, 26.4, 32.5, 26.7, 21.5, 23.3, 29.5)
OJ = (15.2, 21.5, 17.6, 9.7, 14.5, 10, 8.2, 9.4, 16.5, 9.7, 19.7, 23.3, 23.6, 26.4, 20, 25.2, 25.8,
      21.2, 14.5, 27.3, 25.5, 26.4, 22.4, 24.5, 24.8, 30.9, 26.4, 27.3, 29.4, 23)


def approximate(a, b):
    """The two-sided p-value by the normal approximation, whatever the size."""
    with mock.patch.object(ranks, "RANK_EXACT_MAX", 0):
        return ranks.mann_whitney(a, b)


def enumerated(a, b):
    """(lower tail, upper tail) of the rank sum, by every split of the runs."""
    values = list(a) + list(b)
    middle = [sum(x < y for x in values) + sum(x == y for x in values) / 2 + 0.5 for y in values]
    seen = sum(middle[:len(a)])
    sums = [sum(split) for split in itertools.combinations(middle, len(a))]
    return (sum(s <= seen for s in sums) / len(sums), sum(s >= seen for s in sums) / len(sums))


class MannWhitney(unittest.TestCase):
    def test_published_example(self):
        """Example 4.1; R prints W = 35, p-value = 0.1272."""
        self.assertAlmostEqual(ranks.mann_whitney(TERM, EARLY, "greater"), 0.1272, places=4)

    def test_published_examples_of_the_approximation(self):
        """R: wilcox.test(Ozone ~ Month, airquality, Month %in% c(5, 8)) prints p-value = 0.0001208
        and wilcox.test(len ~ supp, ToothGrowth) 0.06449, both with ties and continuity."""
        self.assertAlmostEqual(approximate(MAY, AUGUST), 0.0001208, places=7)
        self.assertAlmostEqual(approximate(OJ, VC), 0.06449, places=5)

    def test_published_critical_values(self):
        """The largest U significant at 0.05 two-sided: the table of Mann and Whitney's U that text
        books print, for instance S. Siegel, Nonparametric Statistics, 1956, table K."""
        for m, n, critical in ((4, 4, 0), (5, 5, 2), (6, 6, 5), (6, 8, 8), (8, 8, 13),
                               (10, 10, 23), (12, 15, 49), (20, 20, 127)):
            counts, total = ranks.u_counts(m, n), math.comb(m + n, m)
            self.assertLessEqual(2 * sum(counts[:critical + 1]) / total, 0.05, (m, n))
            self.assertGreater(2 * sum(counts[:critical + 2]) / total, 0.05, (m, n))

    def test_every_split_by_hand(self):
        draw = random.Random(3)
        for _ in range(60):
            m, n = draw.randrange(1, 6), draw.randrange(1, 6)
            a, b = ([draw.randrange(6) for _ in range(size)] for size in (m, n))
            lower, upper = enumerated(a, b)
            self.assertAlmostEqual(ranks.mann_whitney(a, b, "less"), lower)
            self.assertAlmostEqual(ranks.mann_whitney(a, b, "greater"), upper)
            self.assertAlmostEqual(ranks.mann_whitney(a, b), min(1, 2 * min(lower, upper)))

    def test_what_few_runs_cannot_reach(self):
        for n, floor in ((3, 0.1), (4, 0.0286), (5, 0.0079)):
            self.assertAlmostEqual(ranks.mann_whitney(range(n), range(n, 2 * n)), floor, places=4)

    def test_the_approximation_takes_over_smoothly(self):
        half = ranks.RANK_EXACT_MAX // 2
        a, b = tuple(range(half)), tuple(x + 6.5 for x in range(half))
        self.assertAlmostEqual(ranks.mann_whitney(a, b), approximate(a, b), delta=0.001)
        self.assertEqual(ranks.mann_whitney(a + (0,), b), approximate(a + (0,), b))

    def test_runs_that_are_all_the_same(self):
        for n in (5, 40):
            self.assertEqual(ranks.mann_whitney([1] * n, [1] * n), 1)

    def test_false_alarms_stay_below_the_level(self):
        draw, alarms = random.Random(2), 0
        for _ in range(3000):
            a, b = ([draw.expovariate(1) for _ in range(6)] for _ in range(2))
            alarms += ranks.mann_whitney(a, b) <= 0.05
        self.assertLess(alarms / 3000, 0.05)
        self.assertGreater(alarms / 3000, 0.03)  # exactly 0.0411 by the tables


class Shifts(unittest.TestCase):
    def test_published_example(self):
        """Examples 4.3 and 4.4; R with conf.int = TRUE prints 0.305, and -0.15 to 0.76."""
        self.assertAlmostEqual(ranks.hodges_lehmann(TERM, EARLY), 0.305)
        found = ranks.shift_interval(TERM, EARLY)
        self.assertAlmostEqual(found.low, -0.15)
        self.assertAlmostEqual(found.high, 0.76)
        self.assertAlmostEqual(found.confidence, 0.96, places=3)

    def test_published_example_with_ties(self):
        """R: wilcox.test(len ~ supp, ToothGrowth, conf.int = TRUE) prints 4.0, and -0.1 to 8.5."""
        self.assertAlmostEqual(ranks.hodges_lehmann(OJ, VC), 4.0)
        found = ranks.shift_interval(OJ, VC)
        self.assertAlmostEqual(found.low, -0.1)
        self.assertAlmostEqual(found.high, 8.5)

    def test_it_holds_the_shifts_that_the_test_does_not_reject(self):
        draw = random.Random(4)
        for _ in range(20):
            a, b = ([draw.gauss(0, 1) for _ in range(size)] for size in (5, 6))
            found = ranks.shift_interval(a, b)
            for shift, inside in ((found.low - 1e-6, False), (found.low + 1e-6, True),
                                  (found.high - 1e-6, True), (found.high + 1e-6, False)):
                p = ranks.mann_whitney(a, [y + shift for y in b])
                self.assertEqual(p > 1 - 0.95, inside)

    def test_too_few_runs_have_none(self):
        self.assertIsNone(ranks.shift_interval(range(3), range(3)))
        self.assertIsNone(ranks.shift_interval((), range(9)))
        for m, n in ((4, 4), (3, 5), (2, 8)):
            self.assertIsNotNone(ranks.shift_interval(range(m), range(n)))

    def test_swapped_sides_swap_the_sign(self):
        one, other = ranks.shift_interval(TERM, EARLY), ranks.shift_interval(EARLY, TERM)
        self.assertAlmostEqual(one.low, -other.high)


class Ratios(unittest.TestCase):
    def test_a_factor_is_found(self):
        a = (1.0, 1.1, 1.2, 1.3, 1.45)
        self.assertAlmostEqual(ranks.ratio_estimate([3 * x for x in a], a), 3)
        found = ranks.ratio_interval([3 * x for x in a], a)
        self.assertTrue(found.low <= 3 <= found.high)
        self.assertIsNone(ranks.ratio_interval((1, 2, 3), (1, 2, 3)))

    def test_the_unit_does_not_matter(self):
        one = ranks.ratio_interval(TERM, EARLY)
        other = ranks.ratio_interval([1000 * x for x in TERM], [1000 * x for x in EARLY])
        self.assertAlmostEqual(one.low, other.low)
        self.assertAlmostEqual(one.high, other.high)


class SignedRanks(unittest.TestCase):
    def test_published_example(self):
        """Examples 3.3 and 3.4 (there after - before): 0.46, and 0.010 to 0.786 at 0.961."""
        found = [x - y for x, y in zip(BEFORE, AFTER)]
        self.assertAlmostEqual(ranks.pseudomedian(found), 0.46)
        interval = ranks.signed_rank_interval(found)
        self.assertAlmostEqual(interval.low, 0.010)
        self.assertAlmostEqual(interval.high, 0.786)
        self.assertAlmostEqual(interval.confidence, 0.961, places=3)

    def test_published_critical_values(self):
        """The largest T significant at 0.05 two-sided: F. Wilcoxon's table, Biometrics 1, 1945, as
        Siegel, 1956, table G continues it."""
        for n, critical in ((6, 0), (7, 2), (8, 3), (10, 8), (12, 13), (15, 25), (20, 52),
                            (25, 89)):
            counts = ranks.sign_sums(range(1, n + 1))
            self.assertLessEqual(2 * sum(counts[:critical + 1]) / 2 ** n, 0.0505, n)
            self.assertGreater(2 * sum(counts[:critical + 2]) / 2 ** n, 0.05, n)

    def test_every_sign_pattern_by_hand(self):
        """Ties and zeros included."""
        draw = random.Random(7)
        for _ in range(60):
            found = [draw.randrange(-4, 5) for _ in range(draw.randrange(1, 9))]
            moved = [value for value in found if value]
            middle = ranks.doubled_ranks([abs(value) for value in moved])
            seen = sum(rank for rank, value in zip(middle, moved) if value > 0)
            sums = [sum(itertools.compress(middle, signs))
                    for signs in itertools.product((0, 1), repeat=len(middle))]
            tail = min(sum(s <= seen for s in sums), sum(s >= seen for s in sums)) / len(sums)
            self.assertAlmostEqual(ranks.signed_rank(found), min(1, 2 * tail))

    def test_published_p_value(self):
        """Example 3.1; R's wilcox.test(paired = TRUE) prints V = 40, p-value = 0.03906."""
        self.assertAlmostEqual(ranks.signed_rank([x - y for x, y in zip(BEFORE, AFTER)]), 0.03906,
                               places=5)

    def test_what_few_pairs_cannot_reach(self):
        self.assertEqual(ranks.signed_rank([1, 2, 3, 4, 5]), 2 / 32)
        self.assertEqual(ranks.signed_rank([0, 0]), 1)

    def test_the_approximation_takes_over_smoothly(self):
        found = [value - 11.5 for value in range(40)]
        exact = ranks.signed_rank(found)
        with mock.patch.object(ranks, "RANK_EXACT_MAX", 0):
            self.assertAlmostEqual(ranks.signed_rank(found), exact, delta=0.001)

    def test_too_few_pairs_have_none(self):
        for n in range(6):
            self.assertIsNone(ranks.signed_rank_interval(range(n)))
        self.assertIsNotNone(ranks.signed_rank_interval(range(6)))
        self.assertIsNotNone(ranks.signed_rank_interval(range(5), 0.9))


class PairedRatios(unittest.TestCase):
    def test_a_shared_drift_cancels_out(self):
        """Blocks that drift by a factor of 20, with a ratio of 1.5 in each."""
        draw = random.Random(1)
        b = [2.0 ** (i / 2) for i in range(9)]
        a = [1.5 * x * draw.lognormvariate(0, 0.01) for x in b]
        self.assertAlmostEqual(ranks.paired_ratio(a, b), 1.5, delta=0.02)
        found, apart = ranks.paired_ratio_interval(a, b), ranks.ratio_interval(a, b)
        self.assertTrue(1.47 < found.low <= 1.5 <= found.high < 1.53)
        self.assertLess(apart.low, 1)

    def test_no_pairs_have_no_interval(self):
        self.assertIsNone(ranks.paired_ratio_interval([], []))


class Intervals(unittest.TestCase):
    """Both kinds of interval, of two cells and of pairs."""

    def test_they_cover_as_often_as_they_say(self):
        def two_cells(draw):
            return ranks.shift_interval([draw.expovariate(1) + 3 for _ in range(5)],
                                        [draw.expovariate(1) for _ in range(5)])

        def pairs(draw):
            return ranks.signed_rank_interval([draw.uniform(-1, 1) + 3 for _ in range(8)])
        for make in (two_cells, pairs):
            draw = random.Random(9)
            found = [make(draw) for _ in range(2000)]
            hits = sum(one.low <= 3 <= one.high for one in found)
            self.assertAlmostEqual(hits / 2000, found[0].confidence, delta=0.015)

    def test_many_runs_take_the_approximation(self):
        draw = random.Random(6)
        a, b = ([draw.gauss(0, 1) for _ in range(31)] for _ in range(2))
        for near, exact in ((ranks.shift_interval(a, b), ranks.shift_interval(a[:30], b[:30])),
                            (ranks.signed_rank_interval(a + b[:30]),
                             ranks.signed_rank_interval(a + b[:29]))):
            self.assertAlmostEqual(near.confidence, 0.95, delta=0.005)
            self.assertAlmostEqual(near.high - near.low, exact.high - exact.low, delta=0.1)


class WrongUse(unittest.TestCase):
    def test_it_is_a_value_error(self):
        bad_ratios = [call for bad in (0, -1, math.nan) for call in (
            (ranks.ratio_estimate, [1, 2, bad], [1, 2]),
            (ranks.ratio_interval, [1, 2], [1, 2, bad]))]
        for function, *arguments in bad_ratios + [
                (ranks.mann_whitney, (), (1,)), (ranks.mann_whitney, (1,), ()),
                (ranks.mann_whitney, (math.nan,), (1,)), (ranks.mann_whitney, (1,), (math.inf,)),
                (ranks.mann_whitney, [1], [2], "both"), (ranks.hodges_lehmann, [], [1]),
                (ranks.shift_interval, [1, 2, 3, 4], [1, 2, 3, math.nan]),
                (ranks.shift_interval, TERM, EARLY, 95), (ranks.pseudomedian, []),
                (ranks.signed_rank_interval, [1, 2, 3, 4, 5, math.nan]),
                (ranks.paired_ratio, [1, 2], [1]), (ranks.paired_ratio_interval, [1, 0], [1, 1])]:
            with self.assertRaises(ValueError, msg=(function, arguments)):
                function(*arguments)


class Order(unittest.TestCase):
    def test_of_hollander_and_wolfe(self):
        """Table 8.1: lightness of tuna, and the panel's scores."""
        hunter = (44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1)
        scores = (2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8)
        self.assertAlmostEqual(ranks.spearman(hunter, scores), 0.6)  # cor.test in R
        self.assertAlmostEqual(ranks.spearman_p(hunter, scores), 0.0484, delta=0.015)

    def test_few_values_are_counted_exactly(self):
        self.assertEqual(ranks.spearman_p((1, 2, 3, 4), (10, 20, 30, 40)), 1 / 24)
        self.assertEqual(ranks.spearman_p((4, 3, 2, 1), (1, 2, 3, 4)), 1)

    def test_drawn_orders_agree_with_all_of_them(self):
        a, b = (1, 2, 3, 4, 5, 6), (2, 1, 4, 6, 3, 5)
        exact = ranks.spearman_p(a, b)
        with mock.patch.object(ranks, "SHUFFLES", 719):
            self.assertAlmostEqual(ranks.spearman_p(a, b), exact, delta=0.03)

    def test_ties_and_bounds(self):
        self.assertAlmostEqual(ranks.spearman((1, 1, 2), (1, 2, 3)), 3 ** 0.5 / 2)
        self.assertEqual(ranks.spearman((1, 2, 3), (3, 2, 1)), -1)
        self.assertIsNone(ranks.spearman((1, 1, 1), (1, 2, 3)))
        self.assertRaises(ValueError, ranks.spearman, (1, 2), (1, 2, 3))
