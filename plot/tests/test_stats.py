"""Order statistics against values worked out by hand."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import stats


class Quantiles(unittest.TestCase):
    def test_the_median_is_the_middle_or_between_the_middles(self):
        self.assertEqual(stats.median([7]), 7)
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 3, 2]), 2.5)

    def test_quartiles_are_linear_between_neighbours(self):
        self.assertEqual(stats.quantile([1, 2, 3, 4], 0.25), 1.75)
        self.assertEqual(stats.quantile([1, 2, 3, 4, 5], 0.75), 4)

    def test_the_ends_are_the_extremes(self):
        self.assertEqual(stats.quantile([5, 9, 1], 0), 1)
        self.assertEqual(stats.quantile([5, 9, 1], 1), 9)

    def test_nothing_has_no_quantile_and_no_spread(self):
        with self.assertRaises(ValueError):
            stats.quantile([], 0.5)
        self.assertIsNone(stats.spread([]))

    def test_a_share_lies_between_0_and_1(self):
        for share in (-0.1, 1.1):
            with self.assertRaises(ValueError):
                stats.quantile([1], share)

    def test_a_spread_keeps_the_outlier(self):
        found = stats.spread([10, 11, 12, 13, 1000])
        self.assertEqual((found.n, found.low, found.median, found.high), (5, 10, 12, 1000))


if __name__ == "__main__":
    unittest.main()
