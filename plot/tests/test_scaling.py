"""The scaling law against a published fit, exact data, and seeded noise."""

import math
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import scaling

# A Sun SPARCcenter 2000 in SPEC SDM91, scripts per hour over simulated users. The R package usl (S.
# Moeding, version 2 and later) has it as specsdm91 and prints, in its README, the coefficients
# 0.0277285 (sigma), 0.0001044 (kappa), 89.9952330 (lambda), and residuals from -81.7 to 111.1.
SDM91 = ((1, 64.9), (18, 995.9), (36, 1652.4), (72, 1853.2), (108, 1828.9), (144, 1775.0),
         (216, 1702.2))
WORKERS = (1, 2, 4, 6, 8, 10, 12, 16)


def law(lambda_, sigma, kappa):
    return scaling.Usl(lambda_, sigma, kappa, None, 0, None)


def noisy(true, runs, seed, share=0.05):
    """Runs by number of workers, with normal noise."""
    draw = random.Random(seed)
    return {n: [true.throughput(n) * draw.gauss(1, share) for _ in range(runs)] for n in WORKERS}


class Fits(unittest.TestCase):
    def test_published_example(self):
        found = scaling.usl_fit(SDM91)
        self.assertAlmostEqual(found.sigma, 0.0277285, places=7)
        self.assertAlmostEqual(found.kappa, 0.0001044, places=7)
        self.assertAlmostEqual(found.lambda_, 89.9952330, places=5)
        residuals = sorted(x - found.throughput(n) for n, x in SDM91)
        for place, expected in ((0, -81.7), (3, -25.1), (6, 111.1)):
            self.assertAlmostEqual(residuals[place], expected, places=1)
        self.assertAlmostEqual(found.peak, math.sqrt((1 - found.sigma) / found.kappa))

    def test_exact_data_give_the_law_back(self):
        for true in (law(100, 0.1, 0.01), law(5e8, 0.02, 0), law(3, 0, 0.02), law(7, 0, 0)):
            found = scaling.usl_fit([(n, true.throughput(n)) for n in WORKERS])
            for one, other in zip(found[:3], true[:3]):
                self.assertAlmostEqual(one, other, delta=1e-6 * max(1, other))

    def test_no_other_law_is_nearer(self):
        found = scaling.usl_fit(SDM91)
        def error(tried):
            return sum((x - tried.throughput(n)) ** 2 for n, x in SDM91)
        draw = random.Random(1)
        for _ in range(500):
            tried = law(*(value * draw.uniform(0.9, 1.1) for value in found[:3]))
            self.assertGreaterEqual(error(tried), error(found) - 1e-6)

    def test_coefficients_below_0_are_held_at_0(self):
        """Faster than linear: the free fit has a negative sigma."""
        found = scaling.usl_fit([(n, n ** 1.2) for n in WORKERS])
        self.assertEqual((found.sigma, found.kappa, found.peak), (0, 0, None))

    def test_a_flat_throughput_has_its_peak_at_the_start(self):
        self.assertEqual(scaling.usl_fit([(n, 10) for n in WORKERS]).peak, 1)

    def test_a_falling_throughput_too(self):
        self.assertEqual(scaling.usl_fit([(n, 10 / n ** 2) for n in WORKERS]).peak, 1)

    def test_linear_growth_has_no_peak(self):
        found = scaling.usl_fit([(n, 10 * n) for n in WORKERS])
        self.assertIsNone(found.peak)
        self.assertAlmostEqual(found.explained, 1)

    def test_the_unit_does_not_matter(self):
        one = scaling.usl_fit(SDM91)
        other = scaling.usl_fit([(n, 1e6 * x) for n, x in SDM91])
        self.assertAlmostEqual(one.peak, other.peak, places=4)

    def test_too_few_numbers_of_workers_have_none(self):
        self.assertIsNone(scaling.usl_fit([(1, 1), (2, 2), (4, 3)]))
        self.assertIsNone(scaling.usl_fit([(1, 1), (2, 2), (4, 3), (4, 4)]))
        self.assertIsNone(scaling.usl_fit([]))

    def test_no_points_make_it_stumble(self):
        draw = random.Random(2)
        for _ in range(200):
            points = [(n, 10 ** draw.uniform(-3, 9)) for n in draw.sample(range(1, 65), 5)]
            found = scaling.usl_fit(points)
            if found:
                self.assertTrue(all(map(math.isfinite, found[:3])), points)
                self.assertGreaterEqual(min(found[:3]), 0)

    def test_wrong_use(self):
        for point in ((0, 1), (1, 0), (1, -1), (1, math.nan), (math.inf, 1)):
            with self.assertRaises(ValueError):
                scaling.usl_fit([point, *SDM91])


class Peaks(unittest.TestCase):
    def test_the_interval_holds_the_peak_mostly(self):
        """Nominally 0.95; a bootstrap of 5 runs a cell falls short of it, but not far."""
        true, hits, draws = law(100, 0.1, 0.01), 0, 12
        for seed in range(draws):
            found = scaling.usl_peak_interval(noisy(true, 5, seed))
            hits += found.low <= math.sqrt(90) <= found.high
        self.assertGreaterEqual(hits, 0.75 * draws)

    def test_more_noise_makes_it_wider(self):
        narrow = scaling.usl_peak_interval(noisy(law(100, 0.1, 0.01), 5, 1, 0.01))
        wide = scaling.usl_peak_interval(noisy(law(100, 0.1, 0.01), 5, 1, 0.1))
        self.assertLess(narrow.high - narrow.low, wide.high - wide.low)

    def test_without_a_peak_there_is_no_upper_end(self):
        """Faster than linear growth, so that no resampled fit has a peak either."""
        draw = random.Random(1)
        cells = {n: [n ** 1.3 * draw.gauss(1, 0.01) for _ in range(5)] for n in WORKERS}
        found = scaling.usl_peak_interval(cells)
        self.assertEqual((found.low, found.high), (math.inf, math.inf))

    def test_one_seed_one_result(self):
        cells = noisy(law(100, 0.1, 0.01), 5, 1)
        self.assertEqual(scaling.usl_peak_interval(cells, seed=2),
                         scaling.usl_peak_interval(cells, seed=2))

    def test_too_little_data_has_none(self):
        cells = noisy(law(100, 0.1, 0.01), 5, 1)
        self.assertIsNone(scaling.usl_peak_interval(cells | {4: cells[4][:4]}))
        self.assertIsNone(scaling.usl_peak_interval({n: cells[n] for n in (1, 2, 4)}))
        self.assertIsNone(scaling.usl_peak_interval({}))

    def test_wrong_use(self):
        with self.assertRaises(ValueError):
            scaling.usl_peak_interval(noisy(law(100, 0.1, 0.01), 5, 1), 95)
        with self.assertRaises(ValueError):
            scaling.usl_peak_interval({n: [0.0] * 5 for n in WORKERS})


if __name__ == "__main__":
    unittest.main()
