"""The peers' section: shares block by block, who stands where, what is missing."""

import unittest

import plot_path
import fixtures
import peers
from section_fixtures import NEEDS_GNUPLOT, draw, results


def row(scheme, speed=1.0, size=256, servers=200, **changes):
    """A row of the closed-loop sections."""
    no_frames = {"frames": None, "frames_per_s": None, "receives_per_frame": None} \
        if scheme in ("raw", "drain") else {}
    return fixtures.row(**{**dict(
        scenario="peers", section="%d-%d" % (size, servers), scheme=scheme, size_min=size,
        size_max=size, servers=servers, connected=servers, gb_per_cpu_s=speed, verify="header"),
        **no_frames, **changes})


def live(scheme, **changes):
    return row(scheme, **{"rate": 500, "source": "live", "size_max": 4000, "section": "live-500",
                          "latency_us_p50": 100.0, "latency_us_p99": 400.0,
                          "latency_us_p999": 900.0, "latency_us_max": 1000.0, **changes})


def lines_of(table):
    return {line[0]: line for line in table.rows if line and len(line) > 1}


class Shares(unittest.TestCase):
    def test_they_are_taken_inside_a_block(self):
        """The machine was twice as fast in the second block: the share is the same in both."""
        made = [row("raw", 10.0, repeat=1), row("libuv", 5.0, repeat=1),
                row("raw", 20.0, repeat=2), row("libuv", 10.0, repeat=2)]
        line = lines_of(peers.build(results(made)).blocks[0])["libuv"]
        self.assertEqual(line[3:5], ["0.500", "0.500"])

    def test_a_block_without_its_raw_loop_gives_none(self):
        made = [row("raw", 10.0, repeat=1), row("libuv", 5.0, repeat=1),
                row("libuv", 9.0, repeat=2)]
        line = lines_of(peers.build(results(made)).blocks[0])["libuv"]
        self.assertEqual((line[1], line[3], line[-1]), ("7.00", "0.500", "2"))

    def test_without_a_raw_loop_there_are_no_shares_and_no_figure(self):
        section = peers.build(results([row("libuv"), row("chain")]))
        self.assertEqual(lines_of(section.blocks[0])["libuv"][3], "-")
        self.assertEqual(section.figures, [])


class Tables(unittest.TestCase):
    def test_a_table_for_each_size_and_a_block_for_each_number_of_servers(self):
        made = [row(scheme, size=size, servers=servers) for scheme in ("raw", "slices", "libuv")
                for size in (256, 100000) for servers in (2000, 30)]
        tables = peers.build(results(made)).blocks
        self.assertEqual([table.title for table in tables],
                         ["Peers: frames of 256 B", "Peers: frames of 100 kB"])
        self.assertEqual([line[0] for line in tables[0].rows if line and len(line) == 1],
                         ["30 servers", "2000 servers"])

    def test_rows_with_work_have_a_table_of_their_own(self):
        made = [row(scheme, size=4000, gb_per_cpu_s=speed, work=work)
                for work, speed in (("none", 4.0), ("touch:2ns/byte", 0.5))
                for scheme in ("raw", "slices")]
        section = peers.build(results(made))
        self.assertEqual([table.title for table in section.blocks], [
            "Peers: frames of 4 kB", "Peers: frames of 4 kB, with work: touch:2ns/byte"])
        self.assertEqual([lines_of(table)["fanin slices"][1] for table in section.blocks],
                         ["4.00", "0.500"])
        self.assertNotIn("touch", section.figures[0].data)

    def test_like_stands_beside_like(self):
        made = [row(scheme) for scheme in ("raw", "drain", "libevent", "blocking", "libuv",
                                           "libuv-slices", "chain", "slices", "newcomer")]
        self.assertEqual(list(lines_of(peers.build(results(made)).blocks[0])), [
            "fanin slices", "libuv, in pieces", "fanin chain", "libuv", "threads, blocking",
            "libevent", "fanin drain", "raw loop", "newcomer"])

    def test_who_looks_for_no_frames_has_none_to_show(self):
        line = lines_of(peers.build(results([row("raw")])).blocks[0])["raw loop"]
        self.assertEqual((line[2], line[6]), ("-", "-"))

    def test_latencies_are_told_for_each_rate(self):
        made = [live(scheme, rate=rate) for scheme in ("slices", "libuv") for rate in (500, 50000)]
        tables = peers.build(results(made)).blocks
        self.assertEqual([table.title for table in tables], [
            "Peers: latency in ms at 500 records a second from 200 servers, live",
            "Peers: latency in ms at 50,000 records a second from 200 servers, live"])
        self.assertEqual(lines_of(tables[0])["libuv"][1:6:2], ["0.100", "0.400", "0.900"])

    def test_clocks_that_differ_are_told_with_the_latencies(self):
        made = [live("slices", rate=500), live("libuv", rate=500, **fixtures.CLOCKS_DIFFER)]
        table, = peers.build(results(made)).blocks
        self.assertEqual(lines_of(table)["libuv"][1:3], ["-", "-"])
        self.assertEqual(lines_of(table)["fanin slices"][1], "0.100")
        self.assertIn("No latencies of 1 of 2 runs: the clocks differ.", table.notes)

    def test_rows_that_do_not_count_are_left_out(self):
        failed = row("libuv", status="failed", audit="fail: 1 blocks lost", reason="audit")
        self.assertNotIn("libuv", lines_of(peers.build(results([row("raw"), failed])).blocks[0]))
        self.assertIn("Left out", peers.build(results([failed])).blocks[0])

    def test_no_row_at_all(self):
        self.assertIn("no row of scenario peers", peers.build(results([])).blocks[0])


class Drawing(unittest.TestCase):
    def test_a_client_stands_in_the_same_place_in_every_panel(self):
        made = [row("raw"), row("slices"), row("libuv"), row("raw", servers=30),
                row("libuv", servers=30)]
        figure, = peers.build(results(made)).figures
        stands = {line.split('" ')[1].split()[1] for line in figure.data.splitlines()
                  if line.startswith('"libuv"')}
        self.assertEqual(len(stands), 1)
        self.assertEqual((figure.settings["ROWS"], figure.settings["COLS"]), (2, 1))

    @NEEDS_GNUPLOT
    def test_it_is_drawn(self):
        made = [row(scheme, speed, size=size, servers=servers) for size in (256, 4000)
                for servers in (30, 200) for scheme, speed in (
                    ("raw", 10.0), ("drain", 14.0), ("slices", 6.0), ("libuv", 5.0))]
        self.assertEqual(len(draw(peers.build, made)[1]), 1)
