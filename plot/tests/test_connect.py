"""The connection test by factor: levels, model, words and figure, from made-up rows."""

import unittest

import plot_path
import connect
import link_fixtures
import rows
import tables
from section_fixtures import NEEDS_GNUPLOT, draw, fields, results, said


class Levels(unittest.TestCase):
    def test_of_failing_servers(self):
        for fleet, level in (("", (0, "none")), ("fault=refuse:2%", (1, "2 % refused")),
                             ("fault=small-backlog:4", (2, "4 dropped")),
                             ("fault=no-answer:1", (3, "1 no-answer")),
                             ("backlog=9", (3, "backlog=9"))):
            self.assertEqual(connect.failing({"fleet": fleet}), level)

    def test_loopback_comes_before_every_round_trip(self):
        self.assertLess(connect.round_trip({"link_rtt_ms": None}),
                        connect.round_trip({"link_rtt_ms": 0.2}))


class Model(unittest.TestCase):
    def test_one_after_the_other_adds_up_and_at_once_does_not(self):
        row = link_fixtures.connect_row("rtt", "sync", link_rtt_ms=10.0)
        self.assertEqual(connect.model_ms(row), 2000)
        self.assertEqual(connect.model_ms(dict(row, connect="async")), 10)

    def test_who_never_answers_takes_the_limit(self):
        row = link_fixtures.connect_row("failing", "sync", link_rtt_ms=0.2,
                                        **link_fixtures.failed("timeout", 4))
        self.assertAlmostEqual(connect.model_ms(row), 196 * 0.2 + 4 * 500)
        self.assertEqual(connect.model_ms(dict(row, connect="async")), 500)

    def test_a_refusal_takes_a_round_trip(self):
        row = link_fixtures.connect_row("failing", "sync", link_rtt_ms=1.0,
                                        **link_fixtures.failed("refused", 4))
        self.assertEqual(connect.model_ms(row), 200)

    def test_loopback_has_none(self):
        self.assertIsNone(connect.model_ms(link_fixtures.connect_row("rtt", "sync",
                                                                     link_rtt_ms=None)))


class Words(unittest.TestCase):
    def setUp(self):
        self.made = [
            link_fixtures.connect_row("failing", "sync", connect_ms=60.0),
            link_fixtures.connect_row("failing", "sync", connect_ms=80.0, fleet="fault=refuse:2%",
                                      **link_fixtures.failed("refused", 4)),
            link_fixtures.connect_row("failing", "sync", connect_ms=2100.0,
                                      fleet=link_fixtures.SILENT,
                                      **link_fixtures.failed("timeout", 4)),
            link_fixtures.connect_row("failing", "async", connect_ms=505.0, connect_us_max=2500.0,
                                      fleet=link_fixtures.SILENT,
                                      **link_fixtures.failed("timeout", 4))]
        self.text = said(connect.build(results(self.made)))

    def test_what_each_failure_must_have_taken(self):
        self.assertIn("took 0.300 ms", self.text)  # (2043 - 196 * 0.3) / 4 = 496
        self.assertIn("each of its 4 failures must have taken 496 ms, or each connect 10.2 ms.",
                      self.text)

    def test_sync_over_async_by_level(self):
        self.assertIn("Sync / async by failing servers: 2 % dropped 4.16x. The paper: 16.3x.",
                      self.text)

    def test_failing_servers_compared_with_the_paper(self):
        self.assertIn("With 2 % refused: 196/200 servers connected, 80.0 ms (80.0), 0.0392x the "
                      "paper's.", self.text)
        self.assertIn("With 2 % dropped: 196/200 servers connected, 2100 ms (2100), 1.03x the "
                      "paper's.", self.text)

    def test_levels_near_the_papers_time(self):
        self.assertIn("Sync connects within 10 % of the paper's 2043 ms: failing: 2 % dropped "
                      "(2100 ms).", self.text)
        self.assertIn("2043 ms: none.", said(connect.build(results(self.made[:2]))))

    def test_the_papers_async_times_do_not_fit_slow_failures(self):
        self.assertIn("505 ms until the last failure, 2.50 ms until the last success", self.text)
        self.assertIn("async times with failures are within 10.0 ms", self.text)
        self.assertNotIn("last failure", said(connect.build(results(self.made[:3]))))

    def test_factors_that_did_not_run_have_no_text(self):
        text = said(connect.build(results([link_fixtures.connect_row("rtt", "async")])))
        self.assertNotIn("must have taken", text)
        self.assertNotIn("last failure", text)


class Sections(unittest.TestCase):
    def test_every_factor_has_its_lines(self):
        text = said(connect.build(results(link_fixtures.connect_rows())))
        self.assertEqual(fields(text, "round", "trip", "10", "ms", "sync")[0], "all")
        self.assertEqual(fields(text, "failing:", "2", "%", "dropped", "async")[0], "196/200")
        self.assertEqual(fields(text, "limit", "250", "ms", "sync")[3], "1039")
        self.assertEqual(fields(text, "connections", "10000", "async")[-1], "3")
        self.assertLessEqual(max(map(len, text[text.index("===="):].splitlines())), tables.WIDTH)

    def test_failed_connects_are_results_here(self):
        made = link_fixtures.connect_row("failing", "sync", **link_fixtures.failed("refused", 4))
        self.assertTrue(rows.is_result(made))
        self.assertFalse(rows.is_result(dict(made, connections_failed=1)))

    def test_missing_and_strange_rows_are_left_out_with_a_line(self):
        for made in ([], [link_fixtures.connect_row("another", "sync")],
                     [link_fixtures.connect_row("rtt", "sync", audit="fail: bytes")]):
            section = connect.build(results(made))
            self.assertEqual((len(section.blocks), section.figures), (1, []))
            self.assertIn("Left out", section.blocks[0])

    def test_links_that_fell_back_share_one_level_and_say_so(self):
        made = [link_fixtures.connect_row(
            "rtt", mode, **dict(link_fixtures.FALLBACK, link_asked="lan100-rtt%d" % trip))
            for mode in ("async", "sync") for trip in (1, 10)]
        text = said(connect.build(results(made)))
        self.assertEqual(fields(text, "round", "trip", "loopback", "sync")[-1], "2")
        self.assertIn("2 of 4 rows were meant for lan100-rtt10 and fell back to loopback", text)

    def test_two_engines_are_two_tables_and_figures(self):
        made = link_fixtures.connect_rows(1)
        section = connect.build(results(made + [dict(row, engine="uring") for row in made]))
        self.assertEqual([figure.name for figure in section.figures],
                         ["connect-engine-epoll", "connect-engine-uring"])


@NEEDS_GNUPLOT
class Pictures(unittest.TestCase):
    def test_every_factor_has_a_panel(self):
        text, _ = draw(connect.build, link_fixtures.connect_rows())
        for wanted in ("Round trip", "Failing servers", "Time limit", "Workers", "Connections",
                       "dropped", "sync 2043", "async 125", "model, not measured"):
            self.assertIn(wanted, text)

    def test_one_run_is_enough(self):
        self.assertIn("Round trip", draw(connect.build, [
            link_fixtures.connect_row("rtt", "sync")])[0])

    def test_loopback_alone_has_no_model_and_a_picture(self):
        draw(connect.build, [link_fixtures.connect_row("rtt", "sync", **link_fixtures.FALLBACK)])
