"""The search for the highest rate, and its line, from made-up rows."""

import os
import unittest

import plot_path
import bench_lines
import bench_rate
import fixtures
from rows import Results


def row(rate, **changes):
    """A row of which every record came in time, with these keys changed."""
    made = {"scenario": "rate", "section": "", "cell": "", "label": str(rate), "rate": rate,
            "scheme": "slices", "source": "live", "servers": 200, "frames_per_server": 48,
            "frames": 9600, "frames_per_s": float(rate), "latency_us_p99": 2000.0,
            "bottleneck": "offered-load"}
    return fixtures.row(**{**made, **changes})


def late(rate, **changes):
    """A row that was not kept up with."""
    return row(rate, **{"frames_per_s": rate * 0.8, "latency_us_p99": 300e3,
                        "bottleneck": "servers", **changes})


def tried(rows):
    return bench_rate.tried_rates(fixtures.as_lines(rows).splitlines(keepends=True))


def search(capacity):
    """(rates in the order tried, what became of each) of a client that holds so much."""
    found = {}
    rate = bench_rate.next_rate(found)
    while rate is not None:
        assert rate not in found, "tried twice: it would be tried for ever"
        found[rate] = rate <= capacity
        rate = bench_rate.next_rate(found)
    return list(found), found


class Held(unittest.TestCase):
    def test_what_is_whole_and_in_time_is_held(self):
        self.assertTrue(bench_rate.is_held(row(8000)))

    def test_each_condition_can_fail(self):
        for changes in ({"status": "failed"}, {"audit": "fail: lost"}, {"frames": 9599},
                        {"frames_per_s": 7500.0}, {"frames_per_s": None},
                        {"latency_us_p99": 50001.0}, {"latency_us_p99": None}):
            self.assertFalse(bench_rate.is_held(row(8000, **changes)), changes)

    def test_most_rows_decide(self):
        self.assertEqual(bench_rate.held(tried([row(8000), late(8000), row(8000)])), {8000: True})
        self.assertEqual(bench_rate.held(tried([row(8000), late(8000), late(8000)])),
                         {8000: False})
        self.assertEqual(bench_rate.held(tried([row(8000), late(8000)])), {8000: False})

    def test_a_client_that_was_stopped_counts_against_its_rate(self):
        whole = row(8000, status="failed")
        stopped = {key: value for key, value in whole.items() if key not in ("rate", "frames")}
        self.assertEqual(bench_rate.held(tried([stopped])), {8000: False})

    def test_other_scenarios_and_torn_lines_are_left_out(self):
        lines = fixtures.as_lines([row(8000, scenario="bench"), row(4000)]) + b'{"torn": '
        self.assertEqual(list(bench_rate.tried_rates(lines.splitlines(keepends=True))), [4000])


class Search(unittest.TestCase):
    def test_it_closes_in_on_the_capacity(self):
        for capacity in (900, 7000, 12345, 45000, 170000):
            order, found = search(capacity)
            low, high = bench_rate.bracket(found)
            self.assertLessEqual(low, capacity)
            self.assertGreater(high, capacity)
            self.assertLessEqual(high, 1.2 * low)
            self.assertLessEqual(len(order), bench_rate.RATES_MAX)

    def test_it_begins_with_doubling(self):
        self.assertEqual(search(45000)[0][:4], [8000, 16000, 32000, 64000])

    def test_it_ends_where_not_even_the_papers_rate_is_held(self):
        self.assertEqual(search(100)[0], [8000, 4000, 2000, 1000, 500])

    def test_it_ends_where_everything_is_held(self):
        self.assertEqual(len(search(1e12)[0]), bench_rate.RATES_MAX)


class Line(fixtures.FolderTest):
    def write(self, rows=(), said=None):
        if rows:
            with open(os.path.join(self.folder, bench_rate.FILE), "wb") as file:
                file.write(fixtures.as_lines(rows))
        if said is not None:
            with open(os.path.join(self.folder, bench_rate.LOG), "w", encoding="utf-8") as file:
                file.write(said)

    def line(self):
        line = next(one for one in bench_lines.LINES if one.section == "rate")
        text, mark = bench_lines.text_of(line, bench_lines.bench_of(
            Results(self.folder, [], {}, [])))
        self.missed = bench_lines.is_missed(mark)
        return text

    def test_a_multiple_of_the_papers_rate(self):
        self.write([row(8000), row(16000, latency_us_p99=3000.0), late(20000)])
        self.assertIn("  32.0  32.0..32.0    1  ", self.line())
        self.assertTrue(self.line().endswith("16000/s, p99 3.0 ms; 20000/s not held; beyond, the "
                                             "servers are at their limit"), self.line())
        self.assertFalse(self.missed)

    def test_no_limit_is_named_that_the_rows_do_not(self):
        self.write([row(8000), late(9000, bottleneck="unclear")])
        self.assertTrue(self.line().endswith("9000/s not held"), self.line())

    def test_nothing_held(self):
        self.write([late(500), late(1000)])
        self.assertTrue(self.line().endswith("none held: not even 500/s"), self.line())

    def test_clocks_that_differ_are_not_a_rate_that_is_not_held(self):
        apart = row(8000, latency_us_p99=None, latency_reason="the clocks differ")
        self.write([apart, apart])
        self.assertTrue(self.line().endswith("skipped: the clocks differ"), self.line())
        self.assertFalse(self.missed)
        self.assertEqual(self.ran(bench_rate.main, self.folder), ("", ""))
        self.write([apart, row(8000)])
        self.assertFalse(self.line().endswith("the clocks differ"), self.line())

    def test_nothing_tried_higher(self):
        self.write([row(8000)])
        self.assertTrue(self.line().endswith("nothing higher tried"), self.line())

    def test_a_machine_that_cannot_says_why(self):
        self.write(said="noise\nfanin-sweep: the servers did not start: no ports\n")
        self.assertTrue(self.line().endswith("skipped: the servers did not start: no ports"))
        self.assertFalse(self.missed)

    def test_a_folder_without_a_search_is_not_measured(self):
        self.assertTrue(self.line().endswith("not measured"))
        self.assertTrue(self.missed)

    def test_the_command_names_the_next_step(self):
        self.assertEqual(fixtures.run_main(bench_rate.main, self.folder), (0, "8000 48\n", ""))
        self.write([row(8000), late(8700)])
        self.assertEqual(fixtures.run_main(bench_rate.main, self.folder), (0, "", ""))
