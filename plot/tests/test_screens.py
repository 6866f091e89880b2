"""Paper B's tables, figures and verdicts from made-up rows."""

import os
import re
import unittest

import plot_path
import claims
import fixtures
import many_screens
import rows
import screen_targets
import screens
import screens_fixtures
import terminal
import viewers
from claims_fixtures import folder
from screens_fixtures import FAST, many_rows, paperb_rows, viewer_rows
from section_fixtures import NEEDS_GNUPLOT, Folder, draw, fields, results, run, said


def verdicts(made):
    """id -> the verdict that counts."""
    return claims.primary(claims.verdicts_of(folder(made)))


class Rows(unittest.TestCase):
    def wrong(self, **changes):
        return rows.wrong_row(screens_fixtures.row(**changes))

    def test_a_row_of_screens_is_checked_by_its_own_keys(self):
        self.assertIsNone(self.wrong())
        lacking = screens_fixtures.row()
        del lacking["keys_seen"]
        self.assertEqual(rows.wrong_row(lacking), "has no `keys_seen`")
        self.assertIn("`view` is 3", self.wrong(view=3))

    def test_numbers_that_contradict_each_other(self):
        for changes, why in (({"screen_ms_p50": 7.0}, "`screen_ms_p50` is above `screen_ms_p95`"),
                             ({"screens_connected": 8}, "`screens_connected` is above `screens`"),
                             ({"mbit_per_s": 9.0}, "`mbit_per_s` is not bytes / elapsed_ms"),
                             ({"worst_screen_p95_ms": 21.0},
                              "`worst_screen_p95_ms` is above `screen_ms_max`")):
            self.assertEqual(self.wrong(**changes), why)

    def test_what_is_not_ours_counts_without_an_audit(self):
        none = {"audit": "none: screens that are not ours"}
        for foreign in ({"fleet": "scene=type device=x11vnc"}, {"viewer": "xtightvnc"}):
            self.assertTrue(rows.is_result(screens_fixtures.row(**none, **foreign)))
        self.assertFalse(rows.is_result(screens_fixtures.row(**none)))
        self.assertFalse(rows.is_result(screens_fixtures.row(audit="fail: screen 3 differs")))
        self.assertFalse(rows.is_result(fixtures.row(audit="none: foreign servers")))


class Verdicts(unittest.TestCase):
    def test_all_of_paper_b_is_judged(self):
        found = verdicts(screens_fixtures.everything())
        self.assertEqual({name: one.word for name, one in found.items()},
                         {"B1": "confirmed", "B2": "confirmed", "B3": "confirmed",
                          "B4": "confirmed", "B5": "confirmed", "B6": "not tested"})
        self.assertEqual(found["B1"].place.link, "lan100")
        self.assertEqual(claims.effect_text(found["B1"].shown), "47.0")
        self.assertEqual(claims.interval_text(found["B1"].shown), "45.0..49.0")
        self.assertIn("not judged here", found["B6"].why)

    def test_the_interval_decides_b1(self):
        over = verdicts(paperb_rows(video_ms=(70.0, 80.0, 90.0, 95.0, 101.0)))["B1"]
        self.assertEqual(over.word, "inconclusive")
        self.assertIn("the interval of the median reaches over 100", over.why)
        slow = verdicts(paperb_rows(video_ms=(101.0, 120.0, 130.0, 140.0, 150.0)))["B1"]
        self.assertEqual((slow.word, slow.shown.claim.what),
                         ("contradicted", "worst p95, video, ms"))
        few = verdicts(paperb_rows(video_ms=FAST[:4]))["B1"]
        self.assertEqual((few.word, few.why), ("inconclusive", "n = 4 < 5: worst p95, video, ms"))

    def test_flips_are_no_part_of_b1(self):
        self.assertEqual(verdicts(paperb_rows(flip_ms=(200.0,) * 5))["B1"].word, "confirmed")

    def test_a_lost_key_contradicts_b2(self):
        made = paperb_rows()
        made[0]["keys_seen"] = 29
        self.assertEqual(verdicts(made)["B2"].word, "contradicted")

    def test_more_threads_contradict_b3(self):
        made = many_rows()
        for one in made:
            one["total_threads"] = 7 + one["screens"]
        self.assertEqual(verdicts(made)["B3"].word, "contradicted")

    def test_b4_needs_less_cpu(self):
        self.assertEqual(verdicts(viewer_rows(own_cpu=1.2))["B4"].word, "contradicted")

    def test_missing_screens_contradict_b5(self):
        made = many_rows()
        for one in made:
            if one["screens"] == 1000:
                one["screens_connected"] = 999
        self.assertEqual(verdicts(made)["B5"].word, "contradicted")

    def test_a_paper_of_which_nothing_ran_has_no_verdicts(self):
        self.assertEqual({name[0] for name in verdicts(fixtures.everything())}, {"A"})
        self.assertEqual({name[0] for name in verdicts(paperb_rows())}, {"B"})
        both = verdicts(fixtures.everything() + paperb_rows())
        self.assertEqual({name[0] for name in both}, {"A", "B"})
        self.assertEqual(both["B4"].word, "not tested")

    def test_a_viewer_that_could_not_run_says_why(self):
        made = [dict(one, status="skipped", reason="Xvfb is missing") for one in paperb_rows()]
        found = verdicts(made + fixtures.everything())["B1"]
        self.assertEqual(found.word, "not tested")
        self.assertIn("Xvfb is missing", found.why)


class Sections(Folder):
    def test_paper_b(self):
        text = said(screens.build(results(paperb_rows())))
        self.assertEqual(fields(text, "scroll")[:2], ["47.0", "45.0..49.0"])
        self.assertIn("7 updates of 114 kB take 67.8 ms of a wire of 100 Mbit/s", text)
        self.assertEqual(fields(text, "type", "7"), ["150", "150", "2.00", "4.00", "4.00", "0.400",
                                                     "5"])

    def test_many_screens(self):
        text = said(many_screens.build(results(many_rows())))
        self.assertEqual(fields(text, "1000", "type")[0], "1,000")
        self.assertIn("1.47 (1.47) times what the wire takes", text)
        self.assertIn("reached", text)

    def test_all_targets_are_in_one_table(self):
        text = said(screen_targets.build(results(viewer_rows() + many_rows())))
        self.assertEqual(len(re.findall(r" <= \d", text)), len(screen_targets.LINES) + 1)
        self.assertRegex(text, r"typing p95 +monitor / best peer +lan100 +1\.[01]\d .* 5 +<= 1.25 "
                         r"+reached")
        self.assertRegex(text, r"typing p95 +ours / x11vnc tuned .* 5 +<= 0.6 +reached")
        self.assertRegex(text, r"CPU/update, 200 .* 0\.[67]\d .* 5 +<= 0.75 +reached")
        self.assertRegex(text, r"key p95 .* <= 0.25 +MISSED")
        self.assertRegex(text, r"full link, p95 .* 1\.47 .* 5 +<= 2 +reached")
        self.assertNotIn("not measured", text)

    def test_a_target_without_rows_is_not_measured(self):
        text = said(screen_targets.build(results(many_rows())))
        self.assertEqual(text.count("not measured"), len(screen_targets.LINES))
        without = [row for row in viewer_rows() if "x11vnc-tuned" not in row["fleet"]]
        text = said(screen_targets.build(results(without)))
        self.assertRegex(text, r"typing p95 +ours / x11vnc tuned +lan100 .* 0 .* not measured")
        self.assertRegex(text, r"full link, p95 .* - .* 0 .* not measured")
        self.assertEqual(text.count("not measured"), 3)

    def test_viewers(self):
        text = said(viewers.build(results(viewer_rows())))
        self.assertEqual(text.count("Xtigervnc  "), 3)

    def test_what_was_not_run_says_why(self):
        fixtures.write_folder(self.folder, fixtures.everything())
        for module in (screens, many_screens, viewers, screen_targets):
            section = module.build(rows.load(self.folder))
            self.assertTrue(section.is_left_out)
            self.assertIn("no row of scenario", said(section))
        with open(os.path.join(self.folder, "not-run.txt"), "w", encoding="utf-8") as file:
            file.write("paperb: Xvfb is missing\n")
        self.assertIn("not run: Xvfb is missing", said(screens.build(rows.load(self.folder))))
        _, out, _ = run(self.folder, "--no-figures")
        self.assertIn("Paper B: not run: Xvfb is missing.", out)

    def test_rows_that_all_failed_say_why(self):
        made = [dict(one, status="failed", reason="6 of 7 screens came") for one in paperb_rows()]
        fixtures.write_folder(self.folder, fixtures.everything() + made)
        _, out, _ = run(self.folder, "--no-figures")
        self.assertIn("Paper B: 20 rows, failed: 6 of 7 screens came.", out)

    def test_the_report_of_screens_alone(self):
        fixtures.write_folder(self.folder, screens_fixtures.everything())
        code, out, err = run(self.folder, "--no-figures", "--all")
        self.assertEqual((code, err), (0, ""))
        for line in out.splitlines():
            self.assertLessEqual(len(line), 100, line)
        self.assertNotIn("Table 1: no result", out)
        self.assertRegex(out, r"B1 +confirmed")

    def test_both_papers_each_on_one_screen(self):
        fixtures.write_folder(self.folder, fixtures.everything() + screens_fixtures.everything())
        code, out, err = run(self.folder, "--no-figures")
        self.assertEqual((code, err), (0, ""))
        self.assertLessEqual(len(out.splitlines()),
                             terminal.LINES_MAX + terminal.LINES_OF_SCREENS + 1)
        self.assertRegex(out, r"(?m)^scroll +no delay +47.0 +45.0..49.0 +100")
        self.assertRegex(out, r"(?m)^A9 ")
        self.assertRegex(out, r"(?m)^B6 +not tested")


@NEEDS_GNUPLOT
class Figures(unittest.TestCase):
    def test_delays_of_the_papers_case(self):
        text, _ = draw(screens.build, paperb_rows())
        for word in ("type", "scroll", "video", "flip-all", "a key there and back", "95 %"):
            self.assertIn(word, text)

    def test_over_the_number_of_screens(self):
        for slower in (1, 100):  # also where delays are far above the lines
            text, _ = draw(many_screens.build, many_rows(slower=slower))
            for word in ("1k", "Mbit/s", "p99"):
                self.assertIn(word, text)

    def test_devices_and_viewers(self):
        _, pictures = draw(viewers.build, viewer_rows())
        self.assertEqual(len(pictures), 2)
