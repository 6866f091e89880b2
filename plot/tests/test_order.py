"""The order of runs: what it calls drift and outliers, and that any folder gets its figure."""

import unittest

import plot_path
import fixtures
import order
from section_fixtures import NEEDS_GNUPLOT, draw, results


def one_cell(times, **changes):
    """Runs of a cell, in their order."""
    return [fixtures.row(repeat=i, order=i, elapsed_ms=time, **changes)
            for i, time in enumerate(times, 1)]


class Words(unittest.TestCase):
    def line(self, made):
        return order.build(results(made)).blocks[0].rows[0]

    def test_a_machine_that_slows_down_is_a_drift(self):
        self.assertEqual(self.line(one_cell([100.0] * 10 + [120.0] * 10))[4], "1.20x")
        self.assertEqual(self.line(one_cell([100.0] * 20))[4], "1.00x")

    def test_unlike_cells_share_an_axis(self):
        made = one_cell([100.0, 300.0] * 5)
        for row in made[1::2]:
            row.update(workers=99, cell="another")
        self.assertEqual(self.line(made)[2:], ["2", "10", "1.00x", "0", "-"])

    def test_an_outlier_is_counted_and_named(self):
        section = order.build(results(one_cell([100.0] * 9 + [610.0])))
        self.assertEqual(section.blocks[0].rows[0][5:], ["1", "6.10x, run 10"])
        self.assertIn("run 10 (table3, grid workers=6 concurrency=4) 6.10x",
                      " ".join(section.blocks[0].notes))

    def test_a_run_that_is_too_fast_is_an_outlier_too(self):
        self.assertEqual(self.line(one_cell([100.0] * 9 + [10.0]))[5:], ["1", "0.100x, run 10"])

    def test_connects_by_their_time_and_a_rate_by_cpu(self):
        lines = order.build(results(fixtures.table1_rows(2) + fixtures.spec_rows(2))).blocks[0].rows
        self.assertEqual({line[0]: line[1] for line in lines},
                         {"table1": "connect time", "spec": "client's CPU time"})

    def test_single_runs_have_nothing_to_stand_against(self):
        section = order.build(results(fixtures.table1_rows(1)))
        self.assertTrue(section.is_left_out)
        self.assertTrue(order.build(results([])).is_left_out)

    def test_rows_that_do_not_count_are_not_drawn(self):
        made = one_cell([100.0] * 4) + [fixtures.row(order=9, status="failed", reason="x")]
        self.assertEqual(self.line(made)[3], "4")

    def test_scenarios_stand_as_the_command_named_them(self):
        made = fixtures.table1_rows(2) + fixtures.table2_rows(2)
        run = dict(fixtures.RUN, scenarios={"table2": {}, "table1": {}})
        self.assertEqual([line[0] for line in order.build(results(made, run)).blocks[0].rows],
                         ["table2", "table1"])
        for strange in (None, [], "table1"):
            order.build(results(made, dict(fixtures.RUN, scenarios=strange)))


@NEEDS_GNUPLOT
class Drawn(unittest.TestCase):
    def test_every_scheme_has_its_colour(self):
        picture = draw(order.build, fixtures.table2_rows(3))[1][0].svg
        for name in ("fixed", "ring", "ours", "drain", "raw"):
            self.assertIn("var(--%s)" % name, picture)

    def test_schemes_without_a_colour_share_one_name(self):
        made = fixtures.table2_rows(2) + [
            fixtures.row(order=90 + i, scheme=scheme, client=scheme)
            for scheme in ("libuv", "libuv-slices", "blocking") for i in range(2)]
        settings = order.build(results(made)).figures[0].settings
        self.assertEqual(settings["SCHEMES"], "fixed ring chain drain raw others")

    def test_outliers_only_and_names_with_blanks(self):
        draw(order.build, one_cell([1.0, 1000.0]))
        draw(order.build, one_cell([1.0, 1000.0, 2.0], scheme='a b "c'))
        draw(order.build, one_cell([1.0, 1.0], scheme=""))
