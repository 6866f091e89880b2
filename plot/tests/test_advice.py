"""Advice: what is recommended, against what, and what is said where nothing tells candidates
apart."""

import contextlib
import io
import json
import os
import random
import sys
import tempfile
import unittest
from typing import Any, Dict, List, Optional

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import advice
from fixtures import row, write_folder

LATE = {"workers": 6, "concurrency": 2, "block_bytes": 16384, "blocks_per_receive": 4}


def runs(name: str, p99_us: float, blocks: int = 7, noise: float = 0.01, seed: int = 1,
         **changes: Any) -> List[Dict[str, Any]]:
    """One finalist's rows; `name` "" for the client's defaults."""
    draw = random.Random("%s %d" % (name, seed))
    label = "final" if name else "defaults"
    return [row(scenario="advise", section="", label=label, repeat=block, order=block,
                cell=("%s label=%s" % (name, label)).strip(), rate=20000, source="live",
                **dict(dict(LATE, latency_us_p99=p99_us * draw.uniform(1 - noise, 1 + noise)),
                       **changes))
            for block in range(1, blocks + 1)]


SLICES = dict(scheme="slices")
MIRROR = dict(scheme="mirror")


def advise(rows: List[Dict[str, Any]], criterion: str = "latency",
           margin: float = 0.05) -> advice.Advice:
    return advice.advise(rows, advice.CRITERIA[criterion], margin)


class Choosing(unittest.TestCase):
    def test_the_better_one_is_recommended_by_the_figure_that_was_asked_for(self) -> None:
        rows = runs("", 1000) + runs("scheme=slices block=16KiB", 500, **SLICES) \
            + runs("scheme=mirror block=16KiB", 700, **MIRROR)
        found = advise(rows)
        self.assertEqual(found.choice.chosen.options, {"scheme": "slices"})
        self.assertEqual(found.runner_up.options, {"scheme": "mirror"})
        self.assertEqual(found.choice.equals, [])
        ratio = advice.ratio_of(found.choice.chosen, found.defaults, advice.LATENCY)
        self.assertAlmostEqual(ratio.estimate, 0.5, delta=0.02)
        self.assertLess(ratio.interval.high, 0.55)
        self.assertGreaterEqual(ratio.interval.confidence, 0.95)

    def test_of_equals_less_memory_wins_and_it_is_said(self) -> None:
        rows = runs("", 900) \
            + runs("scheme=slices", 500, cpu_s=0.5, peak_rss_kb=30000, **SLICES) \
            + runs("scheme=mirror", 505, cpu_s=0.5, peak_rss_kb=10000, **MIRROR)
        found = advise(rows)
        self.assertEqual(found.choice.chosen.options, {"scheme": "mirror"})
        self.assertEqual([each.options for each in found.choice.equals], [{"scheme": "slices"}])
        text = " ".join(found.choice.reasons)
        self.assertIn("equal within the margin", text)
        self.assertIn("best in peak memory: scheme=mirror", text)

    def test_of_equals_cpu_comes_before_memory(self) -> None:
        rows = runs("", 900) \
            + runs("scheme=slices", 500, cpu_s=0.3, peak_rss_kb=30000, **SLICES) \
            + runs("scheme=mirror", 500, cpu_s=0.5, peak_rss_kb=10000, **MIRROR)
        self.assertEqual(advise(rows).choice.chosen.options, {"scheme": "slices"})

    def test_of_true_equals_the_simplest_wins(self) -> None:
        rows = runs("", 500) + runs("scheme=slices block=64KiB", 500, block_bytes=65536, **SLICES) \
            + runs("scheme=slices block=16KiB", 500, **SLICES)
        found = advise(rows)
        self.assertEqual(found.choice.chosen.options, {})
        self.assertEqual(found.choice.chosen.line(), "fanin-client")
        self.assertIn("the simplest", found.choice.reasons[-1])

    def test_noise_makes_no_winner(self) -> None:
        rows = runs("", 500) + runs("scheme=slices", 500, peak_rss_kb=9000, **SLICES)
        for each in rows:
            high = (each["repeat"] % 2 == 0) == (each["label"] == "final")
            each["latency_us_p99"] = 500 if each["repeat"] == 7 else 700 if high else 350
        found = advise(rows)
        self.assertEqual(len(found.choice.equals), 1)
        self.assertIn("not told apart", found.choice.reasons[0])

    def test_a_difference_that_may_be_chance_is_not_worth_memory(self) -> None:
        rows = runs("", 500) + runs("scheme=slices", 450, peak_rss_kb=90000, **SLICES)
        for each in rows:
            each["latency_us_p99"] *= 2 ** (each["repeat"] % 2 and each["label"] == "final")
        self.assertEqual(advise(rows).choice.chosen.options, {})

    def test_without_an_interval_the_estimate_must_do(self) -> None:
        rows = runs("", 500, 3) + runs("scheme=slices", 300, 3, peak_rss_kb=90000, **SLICES)
        self.assertEqual(advise(rows).choice.chosen.options, {"scheme": "slices"})

    def test_closed_loop_goes_by_gb_per_cpu_second_and_more_is_better(self) -> None:
        rows = runs("", 1, gb_per_cpu_s=1.0) + runs("scheme=slices", 1, gb_per_cpu_s=1.5, **SLICES)
        for each in rows:
            each.update(rate=0, latency_us_p99=None)
        self.assertIs(advice.figures_for("auto", rows)[0], advice.GB_PER_CPU)
        found = advise(rows, "cpu")
        self.assertEqual(found.choice.chosen.options, {"scheme": "slices"})
        self.assertAlmostEqual(advice.ratio_of(found.choice.chosen, found.defaults,
                                               advice.GB_PER_CPU).estimate, 1.5)

    def test_frames_at_a_rate_go_by_latency(self) -> None:
        self.assertIs(advice.figures_for("auto", runs("", 1))[0], advice.LATENCY)

    def test_drift_that_all_share_does_not_hide_a_difference(self) -> None:
        rows = runs("", 500) + runs("scheme=slices", 450, **SLICES)
        for each in rows:
            each["latency_us_p99"] *= 1.3 ** each["repeat"]
        found = advise(rows)
        ratio = advice.ratio_of(found.choice.chosen, found.defaults, advice.LATENCY)
        self.assertLess(ratio.interval.high, 1)

    def test_defaults_found_again_are_a_measure_of_the_noise(self) -> None:
        rows = runs("", 500) + runs("scheme=chain engine=auto workers=0", 500, **LATE) \
            + runs("scheme=slices engine=auto workers=0", 900, **SLICES)
        found = advise(rows)
        self.assertEqual(found.choice.chosen.options, {})
        self.assertIsNotNone(found.repeated)
        self.assertEqual(len(found.candidates), 2)

    def test_too_few_blocks_have_no_interval(self) -> None:
        found = advise(runs("", 500, 4) + runs("scheme=slices", 400, 4, **SLICES))
        ratio = advice.ratio_of(found.choice.chosen, found.defaults, advice.LATENCY)
        self.assertIsNone(ratio.interval)
        self.assertIn("4 blocks are too few", ratio.words())


    def test_a_rate_that_is_not_kept_is_said(self) -> None:
        rows = runs("", 500, frames_per_s=19500) \
            + runs("scheme=slices", 300, frames_per_s=12000, **SLICES)
        self.assertIn("does not keep up: 12,000 of 20,000",
                      " ".join(advice.paragraphs(advise(rows))))
        for each in rows:
            each["frames_per_s"] = 19500
        self.assertNotIn("keep up", " ".join(advice.paragraphs(advise(rows))))

    def test_what_is_not_shown_is_said(self) -> None:
        rows = runs("", 500) + runs("scheme=slices", 300, cpu_s=0.05, **SLICES)
        sure = " ".join(advice.paragraphs(advise(rows)))
        self.assertIn("they differ", sure)
        self.assertNotIn("not shown", sure)
        for each in rows:
            each["latency_us_p99"] *= 4 ** (each["repeat"] % 3 == 0 and each["label"] == "final")
        self.assertIn("is not shown", " ".join(advice.paragraphs(advise(rows))))


class Failing(unittest.TestCase):
    def test_a_finalist_with_a_failure_is_not_recommended(self) -> None:
        rows = runs("", 900) + runs("scheme=slices", 100, **SLICES)
        rows[-1].update(status="failed", reason="3 frames lost")
        found = advise(rows)
        self.assertEqual(found.choice.chosen.options, {})
        self.assertIn("1 of 7 rows: failed: 3 frames lost", found.failures[0])

    def test_nothing_works(self) -> None:
        rows = runs("", 900) + runs("scheme=slices", 100, **SLICES)
        for each in rows:
            each.update(status="failed", reason="no route")
        with self.assertRaisesRegex(ValueError, "every finalist failed.*no route"):
            advise(rows)

    def test_defaults_that_fail_are_said_to(self) -> None:
        rows = runs("", 900, status="failed", reason="stalled") + runs("scheme=slices", 9, **SLICES)
        found = advise(rows)
        self.assertIsNone(found.defaults)
        self.assertIn("defaults failed", " ".join(advice.paragraphs(found)))

    def test_a_search_without_finals(self) -> None:
        with self.assertRaisesRegex(ValueError, "no finals"):
            advise([row(label="search")])


class Command(unittest.TestCase):
    def run_on(self, rows: List[Dict[str, Any]], *more: str) -> int:
        with tempfile.TemporaryDirectory() as folder:
            write_folder(folder, rows)
            self.out, self.err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(self.out), contextlib.redirect_stderr(self.err):
                code = advice.main([folder, *more])
            self.written: Optional[Dict[str, Any]] = None
            path = os.path.join(folder, advice.ADVICE_FILE)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    self.written = json.load(file)
            return code

    def test_it_ends_with_the_line_to_type(self) -> None:
        rows = runs("", 900) + runs("scheme=slices block=64KiB", 500, block_bytes=65536, **SLICES)
        self.assertEqual(self.run_on(rows, "--untried=bind"), 0)
        text = self.out.getvalue()
        self.assertTrue(text.endswith("fanin-client --scheme=slices --block=64KiB\n"), text)
        self.assertIn("Not tried, for want of time: bind.", text)
        self.assertTrue(all(len(line) <= 100 for line in text.splitlines()), text)
        self.assertEqual(self.written["recommended"]["options"],
                         {"scheme": "slices", "block": "64KiB"})
        self.assertEqual(self.written["untried"], ["bind"])
        self.assertLess(self.written["against_defaults"]["high"], 1)

    def test_quiet_only_writes(self) -> None:
        rows = runs("", 900) + runs("scheme=slices", 500, **SLICES)
        self.assertEqual(self.run_on(rows, "--quiet"), 0)
        self.assertEqual(self.out.getvalue(), "")
        self.assertEqual(self.written["command"], "fanin-client --scheme=slices")

    def test_nothing_to_recommend_is_exit_1_with_the_reason(self) -> None:
        self.assertEqual(self.run_on([row(label="search")]), 1)
        self.assertIn("nothing to recommend: no finals were run", self.err.getvalue())
        self.assertIsNone(self.written)

    def test_wrong_use(self) -> None:
        with self.assertRaises(SystemExit) as end:
            self.run_on([], "--margin=0")
        self.assertEqual(end.exception.code, 2)


if __name__ == "__main__":
    unittest.main()
