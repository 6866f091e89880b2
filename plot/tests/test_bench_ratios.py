"""The bench's lines that are ratios, from made-up rows."""

import contextlib
import io
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench
import bench_ratios
import fixtures
from rows import Results

CLIENTS = {"raw": "fanin-raw", "blocking": "fanin-peer-blocking", "libuv": "fanin-peer-libuv",
           "libevent": "fanin-peer-libevent"}


def row(section, scheme, **changes):
    """A sound row of the bench."""
    client = CLIENTS.get(scheme.partition("-slices")[0], "fanin-client")
    return fixtures.row(**{"scenario": "bench", "section": section, "scheme": scheme,
                           "client": client, **changes})


def frames(scheme, per_cpu_s, repeat=1, section="peers-256"):
    """A row that processed so many frames in each CPU second."""
    return row(section, scheme, frames=2 * per_cpu_s, cpu_s=2.0, repeat=repeat)


def absent(client, section="peers-256"):
    """What the sweep writes for a program that cannot run here: no key of a client's."""
    whole = row(section, "chain", client=client, status="skipped", audit="none: it was not run",
                reason=client + ": built without its library")
    return {key: whole[key] for key in
            "schema scenario section cell label client repeat order time_utc fleet link link_asked "
            "link_options link_reason link_rate_bits_per_s link_rtt_ms link_cpu_s status audit "
            "reason exit_code".split()}


def lines(rows):
    """All lines of a folder with these rows."""
    return bench_ratios.lines(Results("folder", rows, {}, []))[0]


def line(section, of, rows):
    """The words of the one line about this ratio."""
    found = [one for one in lines(rows) if one.startswith(section + " ") and of in one]
    assert len(found) == 1, found
    return found[0].split()


class Libraries(unittest.TestCase):
    def test_the_best_is_taken_block_by_block(self):
        rows = [frames("slices", 3000, 1), frames("libuv", 1000, 1), frames("libevent", 1500, 1),
                frames("slices", 3000, 2), frames("libuv", 2000, 2), frames("libevent", 500, 2)]
        words = line("peers-256", "slices / best library", rows)
        self.assertEqual(words[-6:], ["1.75", "1.50..2.00", "2", ">=", "1.50", "reached"])

    def test_below_the_bound_is_missed(self):
        rows = [frames("slices", 1400), frames("libuv", 1000), frames("libevent", 10)]
        self.assertEqual(line("peers-256", "slices / best library", rows)[-1], "MISSED")

    def test_each_size_has_its_own_bound(self):
        rows = [frames(scheme, count, section="peers-100k")
                for scheme, count in (("slices", 1300), ("libuv", 1000), ("libevent", 900))]
        self.assertEqual(line("peers-100k", "best library", rows)[-3:], [">=", "1.20", "reached"])

    def test_frames_in_pieces_are_another_form(self):
        rows = [frames("slices", 3000), frames("libuv", 1000), frames("libevent-slices", 2500)]
        self.assertEqual(line("peers-256", "slices / best library", rows)[-6], "3.00")
        self.assertEqual(line("peers-256", "slices / best, in pieces", rows)[-6], "1.20")
        self.assertEqual(line("peers-256", "slices / libevent-slices", rows)[-3:],
                         ["1.20", "1.20..1.20", "1"])

    def test_one_library_is_enough_and_the_other_is_named(self):
        rows = [frames("slices", 3000), frames("libuv", 1000), absent("fanin-peer-libevent")]
        words = line("peers-256", "slices / best library", rows)
        self.assertEqual(words[-3:], ["reached,", "without", "fanin-peer-libevent"])
        words = " ".join(line("peers-256", "slices / libevent ", rows))
        self.assertIn("- 0 skipped: fanin-peer-libevent: built without its library", words)

    def test_without_both_it_is_skipped_and_not_missed(self):
        rows = [frames("slices", 3000), absent("fanin-peer-libevent"), absent("fanin-peer-libuv")]
        words = " ".join(line("peers-256", "slices / best library", rows))
        self.assertIn(">= 1.50 skipped: fanin-peer-lib", words)

    def test_another_sections_skips_are_not_ours(self):
        rows = [frames("slices", 3000), absent("fanin-peer-libuv", "peers-100k")]
        self.assertEqual(line("peers-256", "slices / libuv ", rows)[-2:], ["not", "measured"])


class Bounds(unittest.TestCase):
    def test_caps_may_differ_neither_way(self):
        for small, verdict in ((1.0, "reached"), (1.04, "reached"), (1.06, "MISSED"),
                               (0.94, "MISSED")):
            rows = [row("slices-cap", "slices", pool_cap_bytes=10 ** 6, gb_per_cpu_s=small),
                    row("slices-cap", "slices", pool_cap_bytes=10 ** 9, gb_per_cpu_s=1.0)]
            self.assertEqual(line("slices-cap", "cap 1 MB / cap 1000 MB", rows)[-1], verdict)

    def test_latencies_are_bounded_from_above(self):
        rows = [row("live-500", "slices", latency_us_p99=2000.0),
                row("live-500", "chain", latency_us_p99=2100.0),
                row("live-500", "blocking", latency_us_p99=1000.0)]
        self.assertEqual(line("live-500", "slices / blocking", rows)[-3:],
                         ["<=", "2.00", "reached"])
        self.assertEqual(line("live-500", "chain / blocking", rows)[-1], "MISSED")

    def test_a_section_that_could_not_run_says_why(self):
        rows = [absent("fanin-client", "slices-10k"), absent("fanin-raw", "slices-10k")]
        self.assertIn("skipped: fanin-client: built", " ".join(line("slices-10k", "slices", rows)))

    def test_rows_without_sound_audit_count_for_nothing(self):
        rows = [dict(frames("slices", 3000), audit="fail: lost"), frames("libuv", 1000)]
        self.assertEqual(line("peers-256", "slices / libuv ", rows)[-2:], ["not", "measured"])


class Command(unittest.TestCase):
    def run_bench(self, rows, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            fixtures.write_folder(folder, rows)
            out = io.StringIO()
            with mock.patch.object(sys, "argv", ["bench.py", folder, *arguments]), \
                    contextlib.redirect_stdout(out):
                return bench.main(), out.getvalue().splitlines()

    def test_medians_name_libraries_without_their_versions(self):
        code, out = self.run_bench([dict(frames("libuv", 1000), engine="libuv 1.2.3")])
        self.assertEqual(code, 0)
        self.assertEqual(out[1].split()[:4], ["peers-256", "libuv", "libuv", "6"])

    def test_columns_stand_under_their_heads(self):
        _, out = self.run_bench([frames("slices", 3000), frames("libuv", 1000)])
        head = [text for text in out if text.startswith("section") and "ratio of" in text][0]
        for text in out[out.index(head) + 1:]:
            of, number = head.index("ratio of"), head.index("n  target")
            self.assertEqual(text[of - 1], " ", text)
            self.assertTrue(text[number].isdecimal(), text)

    def test_require_fails_on_what_was_missed(self):
        rows = [frames("slices", 1000), frames("libuv", 1000)]
        self.assertEqual(self.run_bench(rows)[0], 0)
        self.assertEqual(self.run_bench(rows, "--require")[0], 1)


if __name__ == "__main__":
    unittest.main()
