"""The bench's lines about bytes, frames and receives, from made-up rows."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench_slices
import fixtures
from rows import Results


def row(section="slices", **changes):
    """A row that keeps every bound, with these keys changed."""
    figures = {"copies_per_byte": 0.0, "scanned_per_byte": 1.0, "receive_calls": 1000,
               "receive_empty": 10, "bytes": 100000000, "frames": 10000, "hand_overs": 1000}
    figures.update(changes)
    return fixtures.row(scenario="bench", section=section, scheme="slices", **figures)


def lines(rows):
    """The lines of a folder with these rows, and whether one was missed."""
    return bench_slices.lines(Results("folder", rows, {}, []))


def line(figure, rows, section="slices"):
    """The words of one line of the table."""
    found, _ = lines(rows)
    return [one for one in found if figure in one and one.startswith(section + " ")][0].split()


class Lines(unittest.TestCase):
    def test_median_range_and_count(self):
        rows = [row(copies_per_byte=share) for share in (0.0, 0.004, 0.0001)]
        self.assertEqual(line("copies", rows)[-6:],
                         ["0.000", "0.000..0.004", "3", "<=", "0.001", "reached"])

    def test_each_bound_can_be_missed(self):
        missed = row(copies_per_byte=1.0, scanned_per_byte=1.02, receive_calls=4000,
                     receive_empty=400)
        for figure in ("copies", "scanned", "failed reads", "receives per 100 kB"):
            self.assertEqual(line(figure, [missed])[-1], "MISSED", figure)
            self.assertEqual(line(figure, [row()])[-1], "reached", figure)
        rows = [row(section="slices-256", hand_overs=5000)]
        self.assertEqual(line("publications", rows, "slices-256")[-6], "0.500")
        self.assertEqual(line("publications", rows, "slices-256")[-1], "MISSED")

    def test_receives_are_those_of_100_kb(self):
        self.assertEqual(line("receives per", [row(receive_calls=2500)])[-6], "2.500")

    def test_other_schemes_and_sections_are_not_looked_at(self):
        rows = [dict(row(), scheme="chain"), row(section="loopback")]
        self.assertEqual(line("copies", rows)[-2:], ["not", "measured"])
        self.assertTrue(lines(rows)[1])

    def test_what_could_not_run_here_is_not_missed(self):
        rows = [row(section=name) for name in ("slices", "slices-256")]
        rows[1].update(receive_calls=100, receive_empty=0)
        rows.append(row(section="slices-10k", status="skipped", reason="too few descriptors"))
        found, missed = lines(rows)
        self.assertEqual(len([one for one in found
                              if one.endswith("skipped: too few descriptors")]), 2)
        self.assertFalse(missed)

    def test_all_kept_is_nothing_missed(self):
        rows = [row(section=name) for name in ("slices", "slices-10k")]
        rows.append(row(section="slices-256", receive_calls=100, receive_empty=0))
        self.assertFalse(lines(rows)[1])


if __name__ == "__main__":
    unittest.main()
