"""The section on scale: what a connection takes, what falls, what was not run."""

import unittest

import plot_path
import fixtures
import scale
from section_fixtures import NEEDS_GNUPLOT, draw, results


def row(scheme="chain", servers=200, speed=1.0, **changes):
    """A row of the closed-loop sections with every connection active."""
    return fixtures.row(**{**dict(
        scenario="scale", section="active-%d" % servers, scheme=scheme, servers=servers,
        connected=servers, gb_per_cpu_s=speed, verify="header", idle_servers=0,
        ready_rss_kb=2000), **changes})


def idle(scheme="chain", servers=200, kb=2000, **changes):
    return row(scheme, servers, **{"section": "idle-%d" % servers, "ready_rss_kb": kb,
                                   "idle_servers": servers * 99 // 100, **changes})


def live(scheme="chain", servers=200, rate=500, p99=400.0, **changes):
    return row(scheme, servers, **{
        "section": "late-%d-%d" % (rate, servers), "rate": rate, "source": "live",
        "latency_us_p50": 100.0, "latency_us_p99": p99, "latency_us_p999": 2 * p99,
        "latency_us_max": 3 * p99, **changes})


def build(rows):
    return scale.build(results(rows))


def table(section, title):
    return next(block for block in section.blocks
                if not isinstance(block, str) and title in block.title)


def target(section, name, scheme="chain"):
    return next(line for line in table(section, "targets").rows
                if name in line[0] and line[1] == scheme)


class Memory(unittest.TestCase):
    def test_what_every_process_takes_is_none_of_a_connection(self):
        section = build([row(), row(servers=1000), idle(), idle(servers=1224, kb=2400)])
        self.assertEqual(target(section, "bytes per idle")[2:6],
                         ["400", "400", "<= 400", "reached"])

    def test_a_byte_more_than_the_bound_is_missed(self):
        section = build([row(), idle(), idle(servers=1224, kb=2401)])
        self.assertEqual(target(section, "bytes per idle")[5], "MISSED")

    def test_a_set_that_shrank_is_shown_as_it_was_measured(self):
        section = build([row(), idle(), idle(servers=1224, kb=1600)])
        self.assertEqual(target(section, "bytes per idle")[2:6],
                         ["-400", "-400", "<= 400", "reached"])

    def test_one_size_says_nothing(self):
        section = build([row(), idle()])
        self.assertFalse([b for b in section.blocks if not isinstance(b, str)
                          and "targets" in b.title])

    def test_peers_that_do_not_say_are_no_zero(self):
        loads = scale.loads_of([idle("raw", ready_rss_kb=None),
                                idle("raw", 1000, ready_rss_kb=None)])
        self.assertIsNone(scale.connection_bytes(loads.idle, "raw", 1000))


class Falls(unittest.TestCase):
    def made(self, most):
        """Twice as fast a machine in the second block."""
        return [row(servers=servers, speed=speed * factor, repeat=repeat, scheme=scheme)
                for repeat, factor in ((1, 1.0), (2, 2.0))
                for scheme, servers, speed in (("chain", 200, 4.0), ("chain", 10000, most),
                                               ("raw", 200, 8.0), ("raw", 10000, 4.0))]

    def test_they_are_taken_inside_a_block(self):
        found = target(build(self.made(3.0)), "GB per CPU second, 10,000 / 200")
        self.assertEqual(found[2:6], ["0.750", "0.750", ">= 0.75", "reached"])

    def test_more_than_a_quarter_is_missed(self):
        self.assertEqual(target(build(self.made(2.9)), "GB per CPU second")[5], "MISSED")

    def test_the_raw_loop_has_no_bound_and_the_others_stand_beside_it(self):
        section = build(self.made(3.0))
        self.assertEqual(target(section, "GB per CPU", "raw")[2:6], ["0.500", "0.500", "", ""])
        self.assertEqual(target(section, "relative to raw")[2:6], ["1.50", "1.50", "", ""])


class Shown(unittest.TestCase):
    def test_a_line_for_each_number_of_connections(self):
        lines = table(build([row(), row(servers=10000, speed=0.5)]), "active").rows
        self.assertEqual([line[0] for line in lines], ["chain", "200", "10,000"])
        self.assertEqual(lines[2][1], "0.500")

    def test_latencies_by_rate(self):
        section = build([row(), live(), live(rate=50000, p99=9000.0)])
        self.assertEqual(table(section, "at 500 ").rows[1][3], "0.400")
        self.assertEqual(table(section, "at 50,000 ").rows[1][3], "9.00")

    def test_what_was_not_run_is_said_with_its_reason(self):
        skipped = row(servers=100000, status="skipped", reason="no descriptors", audit="none: x")
        self.assertIn("Not run, 1 rows: no descriptors.", build([row(), skipped]).blocks)

    def test_nothing_is_left_out_in_one_line(self):
        self.assertTrue(build([]).is_left_out)

    def test_a_figure_wants_two_sizes(self):
        self.assertEqual(build([row()]).figures, [])
        self.assertEqual(len(build([row(), row(servers=1000)]).figures), 1)

    def test_clocks_that_differ_leave_no_empty_panel(self):
        found = [row(), row(servers=1000), live(servers=1000)]
        panels = build(found).figures[0].settings["PANELS"]
        section = build(found[:2] + [{**found[2], **fixtures.CLOCKS_DIFFER}])
        self.assertEqual(section.figures[0].settings["PANELS"], panels - 1)
        self.assertIn("No latencies of 1 of 1 runs: the clocks differ.",
                      table(section, "latency").notes)

    @NEEDS_GNUPLOT
    def test_it_is_drawn(self):
        found = [row(), row(servers=1000), row("raw"), row("raw", 1000), idle(),
                 idle(servers=1000, kb=3000), live(), live(servers=1000)]
        self.assertEqual(len(draw(scale.build, found)[1]), 1)
