"""Table 3's level: what is said of candidates from made-up rows."""

import random
import unittest

import plot_path
import fixtures
import level
import paper
import paper_fixtures
import tables
from section_fixtures import NEEDS_GNUPLOT, draw, fields, results, said

PEAK = 5211057
NAMES = tuple(level.CANDIDATES)


def rows(section, rate, repeats=3, **changes):
    """The 17 cells; `rate` gives a cell's bytes per second."""
    return [fixtures.row(scenario="level", section=section, machine="candidate", workers=cell[0],
                         concurrency=cell[1], cell="workers=%d concurrency=%d" % cell,
                         repeat=repeat, bytes=10000000, elapsed_ms=1e10 / rate(cell, repeat),
                         **changes)
            for cell in paper.table3() for repeat in range(1, repeats + 1)]


def flat(section="look-one", **changes):
    """The best cell's number in every cell, in an order of its own in each repeat."""
    jitter = random.Random(3)
    return rows(section, lambda cell, repeat: PEAK * jitter.uniform(0.999, 1.001), **changes)


def right(section="work", off=1.05, **changes):
    """The paper's cells, all off by as much."""
    return rows(section, lambda cell, repeat: paper.table3()[cell] * off, **changes)


def found(name, value="every:9.6ms:one", **changes):
    return paper_fixtures.calibration("look", scenario="level", section="find-" + name,
                                      **{"value": value, "number": 9.6, "low": 9.31, "high": 9.88,
                                         **changes})


def text(made, *calibrations):
    return said(level.build(results(made, dict(fixtures.RUN, calibrations=list(calibrations)))))


class Words(unittest.TestCase):
    def test_a_candidate_that_predicts_all_cells_is_named(self):
        made = text(right() + flat(), found("work", "touch:192ns/byte"), found("look-one"))
        self.assertIn("Work on each byte explains Table 3: its median error is 5 %, its rank "
                      "correlation +1.00", made)

    def test_alike_cells_explain_nothing(self):
        made = text(flat(), found("look-one"))
        self.assertIn("None does. Closest in level: look, one record, with a median error "
                      "of 42 % (the best cell's number in every cell: 42 %). Closest in order: "
                      "look, one record, with a rank correlation of ", made)

    def test_the_right_level_in_the_wrong_order_is_none(self):
        claims = paper.table3()
        upside = dict(zip(sorted(claims, key=claims.get), sorted(claims.values(), reverse=True)))
        made = text(rows("work", lambda cell, _: 3.7e6 + (upside[cell] - 3.7e6) / 1e3))
        self.assertIn("None does", made)
        self.assertEqual(fields(made, "work", "on", "each", "byte")[-3], "-1.00")

    def test_the_right_order_at_the_wrong_level_is_none(self):
        made = text(right(off=2.0))
        self.assertIn("None does", made)
        self.assertEqual(fields(made, "work", "on", "each", "byte")[2:8],
                         ["10.4", "16", "100", "%", "+100", "%"])

    def test_the_best_cell_is_not_predicted(self):
        made = right()
        for row in made:
            if (row["workers"], row["concurrency"]) == (6, 4):
                row.update(bytes_per_s=1e6)
        found_one = level.candidates(made, [])[0]
        self.assertEqual((len(found_one.errors), found_one.best), (16, 1e6))
        self.assertEqual(found_one.order, 1)

    def test_the_number_stands_with_its_interval(self):
        made = text(flat(), found("look-one"))
        self.assertEqual(fields(made, "look,", "one", "record")[:3],
                         ["every:9.6ms:one", "9.31..9.88", "ms"])

    def test_more_candidates_need_a_clearer_order(self):
        one, two = level.candidates(right(), []), level.candidates(right() + flat(), [])
        self.assertEqual(two[-1].p, 2 * one[0].p)

    def test_a_number_that_was_not_found_judges_nothing(self):
        lost = found("look-one", None, status="failed", reason="3.1e6 to 4.2e6 at every:2ms:one")
        made = text(flat(calibration_reason="not found") + right(), lost)
        self.assertIn("Look, one record: no number gives the paper's best cell: 3.1e6 to "
                      "4.2e6", made)
        self.assertIn("51 of 102 rows do not count: not on machine candidate: not found.", made)
        self.assertEqual(fields(made, "work")[-1], "3")
        self.assertTrue(level.build(results(flat(calibration_reason="x"))).is_left_out)

    def test_it_fits_a_terminal(self):
        made = [row for name in NAMES for row in right(name, 3.17)]
        shown = text(made, *(found(name, "touch:100ns/byte", low=2081.0, high=2115.0)
                             for name in NAMES))
        self.assertIn("2081..2115 ns", shown)
        self.assertLessEqual(max(map(len, shown[shown.index("===="):].splitlines())), tables.WIDTH)

    def test_without_rows_there_is_one_line(self):
        self.assertIn("no row of scenario level", level.build(results([])).blocks[0])


@NEEDS_GNUPLOT
class Pictures(unittest.TestCase):
    def test_every_candidate_has_a_panel(self):
        text, _ = draw(level.build, flat() + right())
        for wanted in ("Look, one record", "Work on each byte", "error 5 %, order +1.00"):
            self.assertIn(wanted, text)

    def test_without_the_best_cell_there_is_no_circle(self):
        draw(level.build, [row for row in right()
                           if (row["workers"], row["concurrency"]) != (6, 4)])
