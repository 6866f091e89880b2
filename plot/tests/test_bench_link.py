"""The bench's lines about the link, from made-up checks."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench
import bench_link
import fixtures


def check(share, up, down, asked=100e6):
    """What fanin-lan --check writes, as far as the bench reads it."""
    return {"check": "link", "status": "ok", "link": "tun", "link_cpu_share": share,
            "up": {"rate_asked_bits_per_s": asked, "both_ways_bits_per_s": up},
            "down": {"rate_asked_bits_per_s": asked, "both_ways_bits_per_s": down}}


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def write(self, name, *found, said=""):
        with open(os.path.join(self.folder, "link-%s.jsonl" % name), "w", encoding="utf-8") as file:
            file.write("".join(one if isinstance(one, str) else json.dumps(one) + "\n"
                               for one in found))
        with open(os.path.join(self.folder, "link-%s.txt" % name), "w", encoding="utf-8") as file:
            file.write(said)

    def line(self, figure):
        lines, self.missed = bench_link.lines(self.folder)
        return [line for line in lines if figure in line][0].split()


class Lines(Folder):
    def test_median_range_and_count(self):
        self.write("rated", *(check(share, 100e6, 100e6) for share in (0.11, 0.14, 0.10)))
        self.assertEqual(self.line("share")[-6:], ["0.11", "0.10..0.14", "3", "<", "0.15",
                                                   "reached"])

    def test_a_link_that_carries_half_is_not_called_cheap(self):
        self.write("rated", check(0.1, 50e6, 50e6))
        self.assertEqual(self.line("share")[-6:], ["0.20", "0.20..0.20", "1", "<", "0.15",
                                                   "MISSED"])
        self.assertTrue(self.missed)

    def test_the_rate_is_that_of_both_ways(self):
        self.write("rated", check(0.1, 100e6, 100e6))
        self.write("unlimited", check(0.6, 3e9, 4e9, asked=0))
        self.assertEqual(self.line("Gbit/s")[-6:], ["7.00", "7.00..7.00", "1", ">=", "1.00",
                                                    "reached"])
        self.assertFalse(self.missed)
        self.write("unlimited", check(0.6, 0.3e9, 0.4e9, asked=0))
        self.assertEqual(self.line("Gbit/s")[-1], "MISSED")

    def test_a_machine_that_cannot_says_why_and_misses_nothing(self):
        for goal in bench_link.GOALS:
            self.write(goal.name, said="fanin-lan: a word before\nnoise\n"
                                       "fanin-lan: no user namespaces here\n")
        self.assertIn("skipped: no user namespaces here", " ".join(self.line("share")))
        self.assertFalse(self.missed)

    def test_a_folder_without_checks_is_not_measured(self):
        self.assertEqual(self.line("share")[-2:], ["not", "measured"])
        self.assertTrue(self.missed)

    def test_lines_that_hold_no_check_are_left_out(self):
        whole = check(0.1, 100e6, 100e6)
        self.write("rated", "torn{\n", "[]\n", "null\n", {"check": "link"},
                   dict(whole, link_cpu_share=0), dict(whole, up=3), dict(whole, check="x"), whole)
        self.assertEqual(self.line("share")[-4:-3], ["1"])


class Command(Folder):
    def run_bench(self, *arguments):
        fixtures.write_folder(self.folder, [fixtures.row(scenario="bench", section="loopback")])
        out = io.StringIO()
        with mock.patch.object(sys, "argv", ["bench.py", self.folder, *arguments]), \
                contextlib.redirect_stdout(out):
            return bench.main(), out.getvalue()

    def test_the_lines_close_the_table(self):
        self.write("rated", check(0.1, 100e6, 100e6))
        code, out = self.run_bench()
        self.assertEqual(code, 0)
        self.assertIn("100 Mbit/s both ways", out.splitlines()[-2])
        self.assertIn("both ways in all", out.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
