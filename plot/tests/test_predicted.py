"""The paper's machine: which numbers are calibrated, which predicted, and how far off those are."""

import unittest

import plot_path
import contents
import fixtures
import link_fixtures
import paper_fixtures
import predicted
import report
import tables
from section_fixtures import fields, results, said
from terminal import section_text, to_screen

RUN = paper_fixtures.run


def at_full_speed():
    made = fixtures.table1_rows() + fixtures.table2_rows() + fixtures.table3_rows()
    return link_fixtures.on(link_fixtures.LAN, made)


def rows(**changes):
    return at_full_speed() + paper_fixtures.paper_rows(**changes)


def numbers(made, run=None):
    """Every number of the paper's machine by table, what it is, and cell."""
    found = predicted.papers_machine(results(made, RUN() if run is None else run))
    return {(entry.of.table, entry.of.what, entry.cell): entry
            for part in found.entries() for entry in part}


def calibrated(made, run=None):
    return [key for key, entry in numbers(made, run).items() if entry.calibrated]


class Marks(unittest.TestCase):
    def test_calibrated_are_exactly_the_numbers_that_were_aimed_at(self):
        self.assertEqual(calibrated(rows()), [
            ("Table 1", "time, ms", "connect(), 6 workers"), ("Table 2", "time, ms", "fixed")])

    def test_a_level_that_was_calibrated_marks_its_peak_cell(self):
        run = RUN(paper_fixtures.calibration("look", value="every:20ms:one"))
        made = rows(calibrated="rtt=9.91ms cpu-share=5.87% look=every:20ms:one")
        self.assertEqual(calibrated(made, run), [
            ("Table 3", "throughput, MB/s", "W = 6, C = 4")])
        self.assertEqual(calibrated(rows(), run), [])  # rows that ran without its value

    def test_a_calibration_that_found_nothing_marks_nothing(self):
        run = RUN(paper_fixtures.calibration("rtt", status="failed", value=None, number=None,
                                             reason="no sign change"))
        self.assertEqual(calibrated(rows(), run), [])

    def test_the_other_reading_of_table_2_was_not_aimed_at(self):
        many = [dict(row, section="table2-many-records", frames_per_server=26)
                for row in paper_fixtures.paper_rows() if row["section"] == "table2-one-record"]
        found = numbers(rows() + many)
        self.assertIn(("Table 2", "time, ms", "fixed, many records"), found)
        self.assertFalse(found["Table 2", "time, ms", "fixed, many records"].calibrated)

    def test_a_run_without_a_record_has_no_calibrated_number(self):
        self.assertEqual(calibrated(rows(), dict(fixtures.RUN)), [])


class Errors(unittest.TestCase):
    def one(self, value):
        made = paper_fixtures.on_paper("table1-async", [
            row for row in fixtures.table1_rows(1) if row["workers"] == 4], paper_fixtures.FAR)
        return numbers([dict(made[0], connect_ms=value)])[
            "Table 1", "time, ms", "ConnectEx(), 4 workers"]

    def test_an_error_is_of_the_papers_number_and_signed(self):
        for value, text in ((131.0, "+0.0p"), (131 * 1.032, "+3.2p"), (131 * 0.8, "-20p"),
                            (131 * 0.985, "-1.5p")):
            self.assertEqual(predicted.error_text(self.one(value)), text)

    def test_what_was_not_measured_has_none(self):
        found = numbers([row for row in rows() if row.get("scheme") != "ring"])
        entry = found["Table 2", "time, ms", "ring"]
        self.assertEqual((entry.error, predicted.error_text(entry)), (None, "-"))

    def test_the_median_is_over_the_predicted_numbers_only(self):
        made = [dict(row, elapsed_ms={"fixed": 3640, "ring": 3528 * 1.1, "chain": 3365 * 1.3}[
            row["scheme"]]) for row in paper_fixtures.paper_rows()
                if row["section"] == "table2-one-record"]
        found = predicted.papers_machine(results(made, RUN()))
        self.assertIn("Table 2's time 20 %, at most 30 %, of 2", predicted.errors_sentence(found))
        self.assertIn("Table 2's time 20 %", predicted.errors_line(found))


class Pages(unittest.TestCase):
    def text(self, made=None, run=None):
        return section_text(predicted.build(results(rows() if made is None else made,
                                                    RUN() if run is None else run)))

    def test_every_table_fits_a_page(self):
        for block in predicted.build(results(rows(), RUN())).blocks:
            if isinstance(block, tables.Table):
                text = tables.to_text(block)
                self.assertLessEqual(max(map(len, text.splitlines())), tables.WIDTH, text)

    def test_what_was_calibrated_is_told_apart(self):
        text = self.text()
        self.assertEqual(" ".join(fields(text, "rtt")[:8]), "9.91 ms 9.8..10 ms 94 % Table 1's")
        self.assertEqual(fields(text, "fixed")[4], "calibrated")
        self.assertEqual(fields(text, "chain")[4], "predicted")
        self.assertIn("Table 2's time 0.45 %, at most 0.49 %, of 2;", " ".join(text.split()))

    def test_resident_memory_stands_beside_and_is_compared_with_nothing(self):
        below = self.text().split("resident memory, MB")[1]
        self.assertEqual(fields(below, "fixed")[0], "-")
        self.assertNotIn("predicted", below.splitlines()[1])

    def test_the_share_is_checked_and_throttling_shown(self):
        run = dict(RUN(), cpu_shares=[{
            "asked": 0.0587, "period_ms": 40, "by": "cgroup v2", "got": 0.0581,
            "throttled_periods": 24, "throttled_ms": 900.5, "status": "ok", "reason": None}])
        text = self.text(run=run)
        self.assertIn("as a bare loop got them", text)
        self.assertEqual(fields(text, "5.87", "5.81"), ["40.0", "24.0", "900", "cgroup", "v2",
                                                        "ok"])
        self.assertEqual(fields(text, "table2", "one-record", "chain")[:6],
                         ["5.87", "5.87", "5.00", "40.0", "40.0", "1200"])

    def test_a_caveat_says_what_a_share_cannot_show(self):
        self.assertIn(contents.ON_PAPERS_MACHINE, contents.caveats(results(rows())))
        self.assertNotIn(contents.ON_PAPERS_MACHINE, contents.caveats(results(at_full_speed())))

    def test_a_machine_without_a_share_has_none_in_the_table(self):
        text = self.text(rows(cpu_share=None, cpu_share_asked=None, cpu_period_ms=None,
                              cpu_share_by=None))
        self.assertEqual(fields(text, "table2", "one-record", "chain")[:2], ["-", "-"])

    def test_a_record_of_any_kind_is_read(self):
        for wrong in (None, 5, "x", [5, None, {}], {}):
            self.assertIn("Table 1", self.text(run=dict(RUN(), cpu_shares=wrong,
                                                        calibrations=wrong)))

    def test_without_the_machine_it_is_one_line_with_the_reasons(self):
        made = rows(cpu_share=None, cpu_share_reason="cgroup is read-only")
        section = predicted.build(results(made, RUN()))
        self.assertTrue(section.is_left_out)
        self.assertIn("cgroup is read-only", said(section))
        self.assertIn("no row of scenario paper", said(predicted.build(results(at_full_speed()))))


class OnTheScreen(unittest.TestCase):
    def screen(self, made, run=None):
        return to_screen(report.gather(results(made, RUN() if run is None else run)))

    def test_the_papers_machine_first_and_full_speed_beside_it(self):
        text = self.screen(rows())
        self.assertIn("Calibrated: round trip 9.91 ms (9.8..10 ms) on Table 1's connect(), 6 "
                      "workers; share 5.87 % of a\nprocessor (5.6..6.2 %) on Table 2's fixed.",
                      text)
        line = fields(text, "connect()", "6")
        self.assertEqual((line[0], line[3][-1]), ("2043", "c"))
        self.assertRegex(line[4], r"^[34]\d\.\d$")  # at full speed
        self.assertRegex(fields(text, "chain", "3365")[2], r"^[+-]\d\.\dp$")
        self.assertIn("At full speed, on lan100: ", text)

    def test_without_it_the_tables_are_those_at_full_speed_and_one_line_says_why(self):
        gone = self.screen(rows(cpu_share=None, cpu_share_reason="cgroup is read-only"))
        plain = self.screen(at_full_speed())
        said_why = [line for line in gone.splitlines() if "cgroup is read-only" in line]
        self.assertEqual(len(said_why), 1)
        self.assertTrue(said_why[0].startswith("Not on the paper's machine: "), said_why)
        self.assertEqual(gone[gone.index("Table 1."):gone.index("Verdicts")],
                         plain[plain.index("Table 1."):plain.index("Verdicts")])

    def test_a_table_that_is_not_there_takes_full_speeds_place_alone(self):
        made = [row for row in rows() if not row["section"].startswith("table3-")]
        text = self.screen(made)
        self.assertIn("Table 2. 30 servers send a record of 1.25 MiB each: lan100, 5.87 %", text)
        self.assertIn("run at once, at full speed on lan100", text.replace("\n", " "))

    def test_what_a_calibration_stands_for_is_named_without_rows_of_that_table(self):
        made = [row for row in rows() if not row["section"].startswith("table1-")]
        self.assertIn("on Table 1's connect(), 6 workers; ", self.screen(made))

    def test_a_failed_calibration_is_told(self):
        run = RUN(paper_fixtures.calibration("cpu-share", status="failed", value=None, number=None,
                                             reason="2 % to 25 % all give 3345 ms"))
        made = [row for row in rows() if not row["section"].startswith("table2-")]
        self.assertIn("not cpu-share: 2 % to 25 % all give 3345 ms", self.screen(made, run))


if __name__ == "__main__":
    unittest.main()
