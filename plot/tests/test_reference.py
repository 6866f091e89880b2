"""results/reference: a checked-in run, which the report and the README take their figures from."""

import json
import os
import tempfile
import unittest

import plot_path
import claims
import compare
import fixtures
import readme
import report
import rows

REFERENCE = os.path.join(readme.ROOT, "results", "reference")
RUN, BENCH = (os.path.join(REFERENCE, name) for name in ("reproduce", "bench"))


def folders():
    """All that the reference holds rows of."""
    return sorted(os.path.join(REFERENCE, name) for name in os.listdir(REFERENCE)
                  if os.path.exists(os.path.join(REFERENCE, name, rows.ROWS_FILE)))


class Folders(unittest.TestCase):
    def test_every_row_can_be_trusted(self):
        self.assertIn(RUN, folders())
        for folder in folders():
            results = rows.load(folder)
            self.assertEqual(results.problems, [], folder)
            self.assertTrue(results.rows, folder)
            for row in results.rows:
                self.assertTrue(rows.is_result(row) or row["status"] == "skipped",
                                "%s: %s: %s" % (folder, row["cell"], rows.why_excluded(row)))

    def test_one_commit_made_each(self):
        for folder in folders():
            results = rows.load(folder)
            self.assertEqual(len({row["version"] for row in results.rows if "version" in row}), 1)

    def test_nothing_names_the_place_where_it_was_made(self):
        for folder in folders():
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    self.assertNotRegex(file.read(), r"/(work|home|root)/")


class Reports(unittest.TestCase):
    def test_every_claim_has_a_verdict_with_enough_runs(self):
        verdicts = claims.verdicts_of(rows.load(RUN))
        self.assertEqual({one.id for one in verdicts}, {"A%d" % n for n in range(1, 11)} |
                         {"B%d" % n for n in range(1, 7)})
        for one in verdicts:
            self.assertIn(one.word, claims.WORDS)
            self.assertNotIn("n = ", one.why or "")

    def test_the_report_is_made_of_it(self):
        with tempfile.TemporaryDirectory() as folder:
            code, out, err = fixtures.run_main(report.main, RUN, "--out", folder, "--no-figures")
            self.assertEqual((code, err), (0, ""))
            self.assertRegex(out, r"(?m)^Verdicts(;| on lan100)")
            self.assertGreater(os.path.getsize(os.path.join(folder, "report.html")), 10000)

    def test_a_run_compared_with_itself_differs_in_nothing(self):
        for arguments in ([RUN, RUN], ["--bench", BENCH, BENCH]):
            code, out, _ = fixtures.run_main(compare.main, *arguments, "--json")
            self.assertEqual(code, 0)
            self.assertLessEqual({line["verdict"] for line in json.loads(out)["lines"]},
                                 {"inconclusive", "within 5 %", "too few runs"})

    def test_the_readme_says_what_the_reference_says(self):
        code, out, err = fixtures.run_main(readme.main, "--check")
        self.assertEqual((code, err), (0, ""), out)
