"""The bench's lines about very many connections, from made-up rows."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench_scale
import fixtures
from rows import Results


def row(section, servers, scheme="slices", **changes):
    """A sound row of the bench."""
    client = "fanin-raw" if scheme == "raw" else "fanin-client"
    return fixtures.row(**{"scenario": "bench", "section": section, "scheme": scheme,
                           "client": client, "servers": servers, "connected": servers, **changes})


def lines(rows):
    return bench_scale.lines(Results("folder", rows, {}, []))


def line(section, scheme, rows):
    """The words of one line of the table."""
    return [one for one in lines(rows)[0]
            if one.startswith(section) and " %s" % scheme in one][0].split()


def grown(many, few=8.0, scheme="slices", repeat=1):
    """Two rows of a block, with so many GB per CPU second."""
    return [row("grow", 200, scheme, gb_per_cpu_s=few, repeat=repeat),
            row("grow", 19500, scheme, gb_per_cpu_s=many, repeat=repeat)]


def waiting(kb_many, scheme="slices", kb_few=3000):
    """Two rows of a block, with so many kB resident when all connections wait."""
    return [row("idle", 1000, scheme, ready_rss_kb=kb_few),
            row("idle", 19500, scheme, ready_rss_kb=kb_many)]


class Lines(unittest.TestCase):
    def test_what_speed_falls_by(self):
        rows = grown(6.0) + grown(4.0, repeat=2) + grown(7.2, repeat=3)
        self.assertEqual(line("grow", "slices", rows)[-9:],
                         ["19500", "/", "200", "0.75", "0.50..0.90", "3", ">=", "0.75", "reached"])
        self.assertEqual(line("grow", "slices", grown(5.9))[-1], "MISSED")

    def test_the_raw_loops_own_fall_is_only_shown(self):
        self.assertEqual(line("grow", "raw", grown(2.0, scheme="raw"))[-3:],
                         ["0.25", "0.25..0.25", "1"])

    def test_what_a_connection_takes(self):
        kb = 3000 + 18500 * 256 // 1024
        self.assertEqual(line("idle", "slices", waiting(kb))[-6:],
                         ["256", "256..256", "1", "<=", "256", "reached"])
        self.assertEqual(line("idle", "chain", waiting(kb + 20, "chain"))[-1], "MISSED")

    def test_one_size_alone_says_nothing(self):
        self.assertEqual(line("grow", "slices", grown(6.0)[:1])[-2:], ["not", "measured"])
        self.assertEqual(line("idle", "slices", waiting(9000)[1:])[-2:], ["not", "measured"])
        self.assertTrue(lines([])[1])

    def test_a_limit_that_is_too_low_is_the_reason(self):
        rows = [grown(6.0)[0], row("grow", 19500, status="skipped", reason="too few descriptors")]
        self.assertTrue(" ".join(line("grow", "slices", rows))
                        .endswith("skipped: too few descriptors"))

    def test_other_sections_are_not_looked_at(self):
        rows = [dict(one, section="slices") for one in grown(6.0)]
        self.assertEqual(line("grow", "slices", rows)[-2:], ["not", "measured"])


if __name__ == "__main__":
    unittest.main()
