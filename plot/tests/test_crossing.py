"""The crossings: at which share a time comes out, with which interval, and whether one share has
them all."""

import random
import unittest

import plot_path
import calibrations
import crossing
import fixtures
import link_fixtures
import paper_fixtures
import tables
from section_fixtures import NEEDS_GNUPLOT, draw, fields, results, said

SHARES = (3, 4, 5, 6, 8, 12, 25, 100)
TIMES = {"fixed": (4420, 3838, 3690, 3600, 3480, 3400, 3358, 3350),
         "ring": (4310, 3919, 3700, 3530, 3460, 3390, 3356, 3350),
         "chain": (3560, 3437, 3390, 3365, 3356, 3352, 3350, 3349)}
CONNECTS = {4: (260, 195, 158, 132, 100, 62, 40, 24), 6: (255, 190, 150, 126, 96, 60, 38, 22),
            8: (262, 198, 156, 131, 101, 64, 41, 25), 10: (270, 200, 162, 136, 104, 66, 42, 26)}
RUN = paper_fixtures.run()


def row(section, share, **changes):
    """A row of the machine with this share, in percent; 100 is full speed."""
    asked = None if share == 100 else share / 100
    return fixtures.row(**{**link_fixtures.LAN, **paper_fixtures.PAPER, "scenario": "paper",
                           "section": section, "cpu_share": asked, "cpu_share_asked": asked,
                           "cell": "cpu-share=%g%%" % share, **changes})


def runs(times, section, key, repeats=5, spread=0.01, **changes):
    """Rows over SHARES whose medians are near these times."""
    jitter = random.Random(str((section, changes)))
    return [row(section, share, repeat=repeat, **changes,
                **{key: time * jitter.uniform(1 - spread, 1 + spread)})
            for share, time in zip(SHARES, times) for repeat in range(1, repeats + 1)]


def everything(repeats=5, **changes):
    """All that the paper's Tables 1 and 2 have, at every share."""
    made = []
    for scheme, times in TIMES.items():
        made += runs(times, "shares-table2", "elapsed_ms", repeats, scheme=scheme, servers=30,
                     connected=30, **changes)
    for workers, times in CONNECTS.items():
        made += runs(times, "shares-table1", "connect_ms", repeats, 0.08, workers=workers,
                     connect="async", **changes)
    return made + runs([2050] * len(SHARES), "shares-table1", "connect_ms", repeats, connect="sync",
                       workers=6, **changes)


def apart():
    """The same with a line that is far from the others: the longest answer."""
    return [dict(made, connect_ms=1.5 * made["connect_ms"]) if made["workers"] == 10 else made
            for made in everything(3)]


def cells(*times, spread=0.0):
    """A curve over shares of 4, 8, 16, ... percent."""
    return [crossing.Cell(4.0 * 2 ** i, time * (1 - spread), time, time * (1 + spread), 0.9375, 5)
            for i, time in enumerate(times)]


class Crossings(unittest.TestCase):
    def test_half_the_way_down_is_half_the_way_of_the_logarithm(self):
        found = crossing.crossing(cells(300, 200, 100), 150)
        self.assertAlmostEqual(found.share, 8 * 2 ** 0.5)
        self.assertEqual((found.low, found.high), (found.share, found.share))
        self.assertAlmostEqual(crossing.crossing(cells(300, 200, 100), 200).share, 8)

    def test_the_interval_is_where_the_whiskers_hold_the_time(self):
        found = crossing.crossing(cells(300, 200, 100, spread=0.1), 180)
        self.assertAlmostEqual(found.low, 8)  # 0.9 * 200
        self.assertAlmostEqual(found.high, 8 * 2 ** (40 / 110))  # from 220 to 110
        self.assertTrue(found.low < found.share < found.high)

    def test_beyond_the_measured_shares_an_end_is_open(self):
        steep, flat = cells(300, 200, spread=0.1), cells(300, 101, 100, spread=0.1)
        self.assertIsNone(crossing.crossing(steep, 290).low)
        self.assertIsNotNone(crossing.crossing(steep, 290).high)
        self.assertIsNone(crossing.crossing(flat, 102).high)

    def test_a_time_that_no_share_gives_is_not_reached(self):
        self.assertIsNone(crossing.crossing(cells(300, 200, spread=0.1), 150))
        self.assertIsNone(crossing.crossing(cells(300, 200, spread=0.1), 350))

    def test_a_time_that_only_an_interval_holds_has_no_share(self):
        found = crossing.crossing(cells(300, 200, spread=0.1), 310)
        self.assertIsNone(found.share)
        self.assertIsNone(found.low)
        self.assertGreater(found.high, 4)

    def test_noise_that_crosses_twice_widens_the_interval(self):
        found = crossing.crossing(cells(300, 200, 240, 100), 220)
        self.assertAlmostEqual(found.low, 4 * 2 ** 0.8)
        self.assertAlmostEqual(found.high, 16 * 2 ** (20 / 140))
        self.assertTrue(found.low < found.share < found.high)

    def test_coverage_is_at_least_what_is_said(self):
        """A line that falls straight over log share, with skewed noise whose median is known."""
        jitter, held, tries = random.Random(7), 0, 400
        for _ in range(tries):
            made = [row("shares-table2", share, elapsed_ms=1000 - 100 * i
                        + 60 * (jitter.expovariate(1) - 0.6931))
                    for i, share in enumerate((2, 4, 8, 16, 32)) for _ in range(5)]
            found = crossing.crossing(crossing.curve(made, "elapsed_ms"), 750)
            low, high = found.reach
            held += low <= 4 * 2 ** 1.5 <= high
        self.assertGreater(held / tries, 0.9375 ** 2)


class Words(unittest.TestCase):
    def line(self, name, *interval):
        found = crossing.Crossing(None, *interval) if interval else None
        return crossing.Line("Table 2", name, 100.0, cells(300, 50), found, "predicted")

    def test_intervals_with_a_share_in_common_cross_there(self):
        self.assertEqual(
            crossing.agreement([self.line("fixed", 4.0, 6.0), self.line("ring", 5.5, 9.0)]),
            "they cross at one share (5.5..6 %)")

    def test_intervals_apart_are_named(self):
        text = crossing.agreement([self.line("fixed", 4.0, 5.0), self.line("chain", 4.5, 9.0),
                                   self.line("ring", 5.5, None)])
        self.assertEqual(text, "they do not cross at one share: fixed is at 4..5 %, ring at "
                         "5.5..>8 % (all intervals hold with at least 68 %)")

    def test_few_runs_only_seem_to_disagree(self):
        many = [self.line(name, 4.0, 5.0) for name in "abcdef"] + [self.line("ring", 5.5, 6.0)]
        self.assertIn("they do not seem to cross at one share: a is at 4..5 %, ring at 5.5..6 % "
                      "(too few runs to be sure)", crossing.agreement(many))

    def test_a_number_that_is_not_reached_is_named(self):
        text = crossing.agreement([self.line("fixed", 4.0, 5.0), self.line("chain")])
        self.assertEqual(text, "they do not cross at one share: chain is not reached between 4 % "
                         "and 8 % (all intervals hold with at least 77 %)")

    def test_open_intervals_prove_nothing(self):
        self.assertIn("may cross", crossing.agreement([self.line("fixed", 4.0, None),
                                                       self.line("chain", 5.0, None)]))

    def test_the_paper_s_numbers_and_what_was_calibrated_on_them(self):
        text = said(crossing.build(results(everything(), RUN)))
        self.assertIn("Table 2 (fixed, ring, chain): they cross at one share (5.", text)
        self.assertIn("Both tables: they", text)
        self.assertIn("The calibrated share is 5.87% (5.6..6.2 %).", text)
        self.assertEqual(fields(text, "Table", "2,", "fixed")[-2:], ["calibrated", "(share)"])
        self.assertEqual(fields(text, "Table", "2,", "chain")[-1], "predicted")
        self.assertEqual(fields(text, "Table", "1,", "blocking")[-3:],
                         ["calibrated", "(round", "trip)"])
        self.assertIn("at least 87.9 %", text)
        self.assertLessEqual(max(map(len, text[text.index("===="):].splitlines())), tables.WIDTH)

    def test_rows_of_another_machine_do_not_count_and_say_why(self):
        away = [dict(made, cpu_share=None, cpu_share_reason="no control group")
                for made in everything(1)[:3]]
        text = said(crossing.build(results(everything() + away, RUN)))
        self.assertIn("3 of 323 rows do not count: not on machine paper: no control group.", text)
        self.assertEqual(fields(text, "Table", "2,", "fixed")[3], "5")
        for change in ({"calibration_reason": "did not converge"}, link_fixtures.FALLBACK):
            section = crossing.build(results([dict(made, **change) for made in everything(1)]))
            self.assertTrue(section.is_left_out)

    def test_few_runs_have_less_confidence_and_one_has_none(self):
        self.assertIn("at least 56.2 %", said(crossing.build(results(everything(3), RUN))))
        text = said(crossing.build(results(everything(1), RUN)))
        self.assertIn("too few", text)
        self.assertIn("Both tables: a single run at a share cannot say", text)

    def test_the_calibrated_share_s_own_rows_are_a_share_more(self):
        made = [row for row in everything(2) if row["cpu_share"] in (0.04, 0.08)]
        own = [dict(row, cpu_share=0.0587, cpu_share_asked=0.0587, elapsed_ms=3600.0, repeat=repeat,
                    section="table2-one-record") for row in made[:1] for repeat in range(1, 6)]
        text = said(crossing.build(results(made + own, RUN)))
        self.assertEqual(fields(text, "Table", "2,", "fixed")[3], "2..5")
        self.assertIn("at least 25 %", text)
        self.assertIn("at least 46.9 %", said(crossing.build(results(
            [row for row in made if row["scheme"] == "fixed" and row["section"] != "shares-table1"]
            + own, RUN))))

    def test_one_share_is_no_line(self):
        made = [row for row in everything() if row["cpu_share"] == 0.04]
        self.assertTrue(crossing.build(results(made)).is_left_out)

    def test_without_rows_there_is_one_line(self):
        self.assertIn("no row of scenario paper", crossing.build(results([])).blocks[0])


class Calibrations(unittest.TestCase):
    def found(self, entries):
        return calibrations.calibrations(results([], dict(fixtures.RUN, calibrations=entries)),
                                         "paper")

    def test_one_that_was_not_found_has_no_value(self):
        lost = paper_fixtures.calibration("rtt", status="failed", reason="3 to 4 ms")
        self.assertEqual([(one.value, one.number, one.interval, one.reason)
                          for one in self.found([lost])], [(None, None, "", "3 to 4 ms")])

    def test_strange_entries_are_none(self):
        for entries in (None, 1, "x", {}, [None, 1, "x", {}, {"target": "x", "scenario": "paper"}]):
            self.assertEqual(self.found(entries), [])

    def test_the_paper_s_number_that_it_stands_for(self):
        one = self.found([paper_fixtures.calibration("cpu-share")])[0]
        self.assertTrue(one.stands_for("elapsed_ms", 3640))
        self.assertFalse(one.stands_for("elapsed_ms", 3528))
        self.assertFalse(one.stands_for("connect_ms", 3640))


@NEEDS_GNUPLOT
class Pictures(unittest.TestCase):
    def test_every_number_and_the_answer_are_shown(self):
        text, pictures = draw(crossing.build, everything(5))
        for wanted in ("3640", "3528", "Table 2, chain: 3365 ms", "Table 1, blocking: 2043 ms",
                       "at one share"):
            self.assertIn(wanted, text)
        for name in ("fixed", "ring", "ours", "line-1"):
            self.assertIn("var(--%s)" % name, pictures[0].svg)

    def test_one_table_alone_and_times_that_are_never_reached(self):
        draw(crossing.build, runs(TIMES["chain"], "shares-table2", "elapsed_ms", scheme="chain"))
        draw(crossing.build, runs([9000] * 8, "shares-table2", "elapsed_ms", scheme="ring"))
        draw(crossing.build, runs([20] * 8, "shares-table1", "connect_ms", workers=6))

    def test_slower_cells_than_the_axis_shows_are_drawn_at_its_edge(self):
        made = runs((90000,) + TIMES["fixed"][1:], "shares-table2", "elapsed_ms", scheme="fixed")
        draw(crossing.build, made)
