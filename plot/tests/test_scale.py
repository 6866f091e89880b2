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


def each(scheme="chain", servers=200, speed=1.0, **changes):
    """A row of those in which every connection brings the same bytes."""
    return row(scheme, servers, speed, **{"section": "each-%d" % servers, **changes})


def priced(connection_us, gb_s, make=row, servers=200, gb=1.0, **changes):
    """A row that takes the CPU time of its connections and its bytes."""
    cpu_s = connection_us * 1e-6 * servers + gb_s * gb
    return make(servers=servers, bytes=int(gb * 1e9), cpu_s=cpu_s, speed=gb / cpu_s, **changes)


def cells(connection_us, gb_s, **changes):
    """A block of rows of four cells that cost so much."""
    return [priced(connection_us, gb_s, make, servers, gb, **changes)
            for make, servers, gb in ((row, 200, 1.0), (row, 19500, 1.0), (each, 200, 0.04),
                                      (each, 19500, 3.9))]


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
    def made(self, most, make=row):
        """Twice as fast a machine in the second block."""
        return [make(servers=servers, speed=speed * factor, repeat=repeat, scheme=scheme)
                for repeat, factor in ((1, 1.0), (2, 2.0))
                for scheme, servers, speed in (("chain", 200, 4.0), ("chain", 10000, most),
                                               ("raw", 200, 8.0), ("raw", 10000, 4.0))]

    def test_they_are_taken_inside_a_block(self):
        section = build(self.made(3.2, each))
        found = target(section, "GB per CPU s, 10,000 / 200, same each")
        self.assertEqual(found[2:6], ["0.800", "0.800", ">= 0.80", "reached"])

    def test_more_than_a_fifth_is_missed_with_the_same_bytes_a_connection(self):
        self.assertEqual(target(build(self.made(3.1, each)), "same each")[5], "MISSED")

    def test_the_price_of_connections_has_no_bound_nor_has_the_raw_loop(self):
        section = build(self.made(1.0) + self.made(3.2, each))
        self.assertEqual(target(section, "same in all")[2:6], ["0.250", "0.250", "", ""])
        self.assertEqual(target(section, "same each", "raw")[2:6], ["0.500", "0.500", "", ""])

    def test_the_others_stand_beside_the_raw_loop(self):
        section = build(self.made(3.0))
        self.assertEqual(target(section, "GB per CPU", "raw")[2:6], ["0.500", "0.500", "", ""])
        self.assertEqual(target(section, "relative to raw")[2:6], ["1.50", "1.50", "", ""])


class Connects(unittest.TestCase):
    def found(self, connect_ms, scheme="chain"):
        return target(build([row(scheme), row(scheme, 20000, connect_ms=connect_ms)]),
                      "connects per second, of 20,000", scheme)

    def test_the_most_connections_have_a_bound(self):
        self.assertEqual(self.found(1000)[2:6], ["20000", "20000", ">= 20000", "reached"])
        self.assertEqual(self.found(1001)[5], "MISSED")
        self.assertEqual(self.found(1001, "raw")[4:6], ["", ""])

    def test_a_connect_takes_cpu_time(self):
        lines = table(build([row(connect_cpu_s=0.01), each(connect_cpu_s=0.02)]), "active").rows
        self.assertEqual(lines[1][7], "75.0")


class Prices(unittest.TestCase):
    def line(self, rows, scheme="chain"):
        return next(line for line in table(build(rows), "the price").rows if line[0] == scheme)

    def test_rows_on_a_line_give_it_back(self):
        self.assertEqual(self.line(cells(25, 0.3))[1:],
                         ["25.0", "25.0", "0.300", "0.300", "0.0", "0.0", "1"])

    def test_each_block_has_its_own(self):
        rows = [row for repeat, us in ((1, 20), (2, 25), (3, 40))
                for row in cells(us, 0.3, repeat=repeat)]
        self.assertEqual(self.line(rows)[1:4], ["25.0", "20.0..40.0", "0.300"])
        self.assertEqual(self.line(rows)[7], "3")

    def test_what_does_not_fit_is_seen(self):
        rows = cells(25, 0.3)
        rows[3] = dict(rows[3], cpu_s=rows[3]["cpu_s"] * 1.5)
        self.assertGreater(float(self.line(rows)[6]), 10)

    def test_a_block_without_the_most_connections_says_nothing_of_them(self):
        rows = cells(25, 0.3) + [row for row in cells(99, 0.3, repeat=2) if row["servers"] < 1000]
        self.assertEqual(self.line(rows)[1:3], ["25.0", "25.0"])

    def test_connections_and_bytes_that_grow_together_cannot_be_parted(self):
        rows = [priced(25, 0.3, each, servers, servers * 2e-4) for servers in (200, 1000, 19500)]
        self.assertFalse([block for block in build(rows).blocks if not isinstance(block, str)
                          and "the price" in block.title])

    def test_idle_connections_are_not_asked_and_not_in_it(self):
        self.assertEqual(self.line(cells(25, 0.3) + [idle(cpu_s=9.0)])[1], "25.0")

    def test_the_figure_has_what_they_predict(self):
        data = build(cells(25, 0.3)).figures[0].data
        values = [line.split() for line in data.splitlines() if line.startswith("19500 ")]
        self.assertEqual([one[1] for one in values], [one[4] for one in values])


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

    def test_texts_of_near_numbers_do_not_touch(self):
        self.assertEqual(scale.marks([200, 1000, 10000, 19500]),
                         [("200", 200), ("1k", 1000), ("", 10000), ("19.5k", 19500)])

    def test_clocks_that_differ_leave_no_empty_panel(self):
        found = [row(), row(servers=1000), live(servers=1000)]
        panels = build(found).figures[0].settings["PANELS"]
        section = build(found[:2] + [{**found[2], **fixtures.CLOCKS_DIFFER}])
        self.assertEqual(section.figures[0].settings["PANELS"], panels - 1)
        self.assertIn("No latencies of 1 of 1 runs: the clocks differ.",
                      table(section, "latency").notes)

    @NEEDS_GNUPLOT
    def test_it_is_drawn(self):
        found = cells(25, 0.3) + [row("raw"), row("raw", 19500), idle(),
                                  idle(servers=19500, kb=3000), live(), live(servers=19500)]
        self.assertEqual(len(draw(scale.build, found)[1]), 1)
