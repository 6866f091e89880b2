"""The summary: one screen for any run, with the paper's numbers beside ours."""

import os
import tempfile
import unittest

import plot_path
import fixtures
import link_fixtures
import paper_fixtures
import report
import tables
from rows import load
from terminal import to_screen

LINES_MAX = 60
PAPER_B_LINES_MAX = 20  # behind it, where its case was run, too
REFERENCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir,
                         "results", "reference", "reproduce")
LONG = "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz with a very long name that never ends " * 3


def screen(made, run=None):
    """The summary of these rows."""
    with tempfile.TemporaryDirectory() as folder:
        return to_screen(report.gather(load(fixtures.write_folder(folder, made, run=run))))


def largest():
    """Every experiment on three links, on a fourth only by falling back, nine runs a cell."""
    made = fixtures.table1_rows(9) + fixtures.table2_rows(9) + fixtures.spec_rows(9)
    made += fixtures.table3_rows(9, grid=fixtures.FULL_GRID)
    far = dict(link_fixtures.LAN, link="lan100-rtt10", link_asked="lan100-rtt10", link_rtt_ms=10.0)
    parts = [link_fixtures.on(link, made)
             for link in (link_fixtures.LAN, far, dict(link_fixtures.FALLBACK, link_asked="lossy"))]
    return sum(parts, []) + link_fixtures.connect_rows() + link_fixtures.wire_rows()


def papers_machine():
    """The paper's machine with every factor at its longest, and rows that fell back from it."""
    made = paper_fixtures.paper_rows(9, work="touch:12.25ns/byte+20.5us/record",
                                     look="every:15.6ms:one")
    lost = paper_fixtures.paper_rows(1, seed=9, cpu_share_reason="no controller here " * 9, order=2)
    return made + lost


class OneScreen(unittest.TestCase):
    def check(self, text, lines_max=LINES_MAX):
        lines = (text + "\nReport: x").splitlines()
        self.assertLessEqual(len(lines), lines_max, text)
        self.assertLessEqual(max(map(len, lines)), tables.WIDTH, text)

    def test_the_largest_run_in_its_worst_state(self):
        run = dict(fixtures.RUN, state="interrupted", rows_written=5, rows_planned=50,
                   machine=dict(fixtures.RUN["machine"], cpu=LONG, load1="9"))
        text = screen(largest(), run)
        self.check(text)
        for wanted in ("not complete", "busy when the sweep began", "fell back to loopback",
                       "C = W", "A9"):
            self.assertIn(wanted, text)

    def test_the_papers_machine_in_its_worst_state(self):
        run = dict(paper_fixtures.run(*map(paper_fixtures.calibration, (
            "rtt", "cpu-share", "look", "work"))), state="interrupted", rows_written=5,
                   rows_planned=50, machine=dict(fixtures.RUN["machine"], cpu=LONG, load1="9"))
        text = screen(largest() + papers_machine(), run)
        self.check(text)
        for wanted in ("not complete", "busy when the sweep began", "Not on the paper's machine: ",
                       "Calibrated: ", "Median error of predictions", "every:15.6ms:one", "A9"):
            self.assertIn(wanted, text)

    def test_why_the_papers_machine_was_not_had_is_readable(self):
        why = "[share]: elapsed_ms = 3640 comes out between cpu-share = 5.97% and 10.1%, too wide"
        text = screen(largest() + paper_fixtures.paper_rows(5, calibration_reason=why))
        self.check(text)
        self.assertIn("judged nowhere: " + why, " ".join(text.split()))

    def test_rows_of_a_second_calibration_are_not_dropped_in_silence(self):
        made = paper_fixtures.paper_rows(5)
        self.assertNotIn("further rows", screen(made))
        again = [dict(row, cpu_share=0.072, cpu_share_asked=0.072, repeat=row["repeat"] + 5)
                 for row in made]
        self.assertIn("%d further rows of the paper's machine" % len(made), screen(made + again))

    def test_rows_of_no_machine_that_a_claim_names(self):
        made = [dict(row, machine="candidate") for row in fixtures.table1_rows(1)]
        self.assertIn("Verdicts: none, no row is of a machine", screen(made))

    def test_the_reference_run(self):
        found = load(REFERENCE)
        text = to_screen(report.gather(found))
        paper_a, paper_b = text.split("\n\nPaper B.")
        self.check(paper_a)
        self.check(paper_b, PAPER_B_LINES_MAX)
        self.assertIn("Calibrated: ", text)
        self.assertNotIn("...", text[text.index("Verdicts"):])  # no claim is cut

    def test_a_run_of_nothing_but_one_row(self):
        text = screen([fixtures.table1_rows(1)[0]])
        self.check(text)
        self.assertIn("Table 3: no result in this folder.", text)


class Numbers(unittest.TestCase):
    def line(self, text, start):
        return next(line.split() for line in text.splitlines() if line.startswith(start))

    def test_paper_here_and_ratio(self):
        made = [fixtures.row(scenario="table1", section="sync", connect="sync", workers=6,
                             cell="sync", connect_ms=204.3)]
        made += [fixtures.timed(750, 37.5, scenario="table2", section="one-record", scheme="ring",
                                cell="ring", servers=30, connected=30, frames_per_server=1,
                                committed_kb=39071, buffer_threads=30)]
        made += [fixtures.timed(52.11057, 100)]
        text = screen(made)
        self.assertEqual(self.line(text, "one after")[6:],
                         ["2043", "204", "204", "0.100x", "196/200", "200/200", "1"])
        self.assertEqual(self.line(text, "ring, 1")[3:], [
            "3528", "50.0", "50.0", "0.0142x", "80.0", "40.0", "0.500x", "30", "30", "1"])
        self.assertEqual(self.line(text, " 6 ")[5:9], ["5.21", "52.1", "52.1", "10.0x"])

    def test_the_papers_network_comes_first(self):
        made = [fixtures.row(scenario="table1", connect="async", cell="x", connect_ms=time,
                             order=time, **link)
                for time, link in ((7, link_fixtures.LOOPBACK), (9, link_fixtures.LAN))]
        text = screen(made)
        self.assertIn("on lan100: 100 Mbit/s", text)
        self.assertIn("9.00", text)
