"""Student's t against published values; the choice of tests; false alarms of whole lists."""

import math
import random
import unittest

import plot_path
import families
import ranks

# Student, Biometrika 6, 1908: hours of sleep gained with two drugs. R's t.test(extra ~ group, data
# = sleep) prints t = -1.8608, df = 17.776, p-value = 0.07939.
ONE = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
OTHER = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


class Student(unittest.TestCase):
    def test_published_example(self):
        """With 17 degrees of freedom instead of 17.776 p is a little larger."""
        self.assertAlmostEqual(families.welch_p(ONE, OTHER), 0.07939, delta=0.001)
        self.assertGreater(families.welch_p(ONE, OTHER), 0.07939)

    def test_published_table(self):
        """Percentage points of t, as every table has them (R. A. Fisher and F. Yates, 1938)."""
        for tails, freedom, t in ((0.05, 1, 12.706), (0.05, 4, 2.776), (0.01, 10, 3.169),
                                  (0.1, 30, 1.697), (0.001, 5, 6.869), (0.05, 120, 1.980)):
            self.assertAlmostEqual(families.t_tails(t, freedom) / tails, 1, places=3)

    def test_one_and_two_degrees_of_freedom_have_formulas(self):
        for t in (0, 0.01, 0.5, 1, 3, 50, 1e6):
            self.assertAlmostEqual(families.t_tails(t, 1), 1 - 2 * math.atan(t) / math.pi)
            self.assertAlmostEqual(families.t_tails(t, 2), 1 - t / math.sqrt(2 + t * t))

    def test_no_variance_has_no_t(self):
        self.assertIsNone(families.welch_p([1, 1, 1], [2, 2, 2]))
        self.assertIsNone(families.welch_p([1], [2, 3]))

    def test_published_paired_example(self):
        """The same hours of sleep as pairs, Student's own analysis: R's t.test(paired = TRUE)
        prints t = -4.0621, df = 9, p-value = 0.002833."""
        found = [x - y for x, y in zip(ONE, OTHER)]
        self.assertAlmostEqual(families.student_p(found), 0.002833, places=6)
        self.assertIsNone(families.student_p([1]))
        self.assertIsNone(families.student_p([2, 2, 2]))


class Choice(unittest.TestCase):
    A, B = (1.0, 1.1, 1.2, 1.3, 1.4), (2.0, 2.1, 2.2, 2.3, 2.4)

    def test_what_ranks_can_reach(self):
        for n, floor in ((3, 0.1), (4, 2 / 70), (5, 2 / 252)):
            self.assertAlmostEqual(families.rank_floor(n, n), floor)
            self.assertAlmostEqual(ranks.mann_whitney(range(n), range(n, 2 * n)), floor)

    def test_how_many_runs_it_takes(self):
        found = [families.runs_for_exact(lines) for lines in (1, 6, 10, 100)]
        self.assertEqual(found, [4, 5, 6, 8])
        found = [families.runs_for_exact(lines, paired=True) for lines in (1, 2, 10, 100)]
        self.assertEqual(found, [6, 7, 9, 12])
        for lines in (1, 7, 50):
            n = families.runs_for_exact(lines)
            self.assertLessEqual(families.rank_floor(n, n) * lines, families.LEVEL)

    def test_ranks_while_they_can_reach_the_level(self):
        self.assertEqual(families.p_in_list(self.A, self.B, 6), (2 / 252, families.RANKS))
        self.assertEqual(families.p_in_list(self.A, self.B, 7)[1], families.T_OF_LOGS)

    def test_signed_ranks_while_they_can_reach_the_level(self):
        a, b = self.A + (1.5, 1.6), self.B + (2.9, 2.6)
        self.assertEqual(families.p_in_list(a, b, 3, True), (2 / 128, families.SIGNED_RANKS))
        self.assertEqual(families.p_in_list(a, b, 4, True)[1], families.T_OF_LOGS)
        self.assertEqual(families.tests([(a, b)] * 3, paired=True)[0].adjusted, 6 / 128)

    def test_runs_without_any_variance_fall_back_to_ranks(self):
        for paired, method, least in ((True, families.SIGNED_RANKS, 2 / 32),
                                      (False, families.RANKS, 2 / 252)):
            self.assertEqual(families.p_in_list([2] * 5, [2] * 5, 50, paired), (1, method))
            p, found = families.p_in_list([2] * 5, [4] * 5, 50, paired)
            self.assertAlmostEqual(p, least)
            self.assertEqual(found, method)

    def test_runs_without_a_partner_are_no_pairs(self):
        with self.assertRaises(ValueError):
            families.p_in_list([1, 2, 3], [1, 2], 1, True)

    def test_the_choice_does_not_look_at_the_values(self):
        draw = random.Random(1)
        for lines in (1, 6, 7, 40):
            chosen = {families.p_in_list([draw.lognormvariate(0, 1) for _ in range(5)],
                                         [draw.lognormvariate(3, 1) for _ in range(5)], lines)[1]
                      for _ in range(20)}
            self.assertEqual(len(chosen), 1)

    def test_a_list_is_adjusted_as_a_whole(self):
        alone = families.tests([(self.A, self.B)])[0]
        listed = families.tests([(self.A, self.B)] * 6)[0]
        self.assertAlmostEqual(listed.adjusted, 6 * alone.adjusted)
        self.assertEqual(families.tests([]), [])

    def test_false_alarms_of_a_whole_list(self):
        """40 lines of 5 against 5 runs without any difference, many times over: a list with even
        one finding is a false alarm. Long tails and outliers must not raise their number."""
        def outlier(draw):
            return draw.lognormvariate(0, 0.05) * (10 if draw.random() < 0.1 else 1)
        for name, make in (("log-normal", lambda draw: draw.lognormvariate(0, 0.1)),
                           ("exponential", lambda draw: draw.expovariate(1)),
                           ("with outliers", outlier)):
            draw, alarms, lists = random.Random(7), 0, 60
            for _ in range(lists):
                sides = [([make(draw) for _ in range(5)], [make(draw) for _ in range(5)])
                         for _ in range(40)]
                alarms += any(t.adjusted <= families.LEVEL for t in families.tests(sides))
            self.assertLessEqual(alarms, 8, name)  # 3 expected at most; 9 has a chance of 0.4 %

    def test_a_real_difference_is_found_in_a_long_list(self):
        draw = random.Random(3)
        sides = [([draw.lognormvariate(0, 0.05) for _ in range(5)],
                  [draw.lognormvariate(0, 0.05) * (2 if i == 0 else 1) for _ in range(5)])
                 for i in range(100)]
        self.assertLessEqual(families.tests(sides)[0].adjusted, families.LEVEL)
