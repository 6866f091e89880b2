"""Links beside schemes: floors, words and figure, from made-up rows."""

import unittest

import plot_path
import fixtures
import link_fixtures
import tables
import wire
from section_fixtures import NEEDS_GNUPLOT, draw, results, said


def row(link, scheme, time, **changes):
    """37.5 MB in so many milliseconds."""
    made = dict(fixtures.timed(37.5 / time * 1e3, 37.5, scenario="wire", section="links",
                               scheme=scheme, cell=scheme, servers=30, connected=30), **link)
    return dict(made, **changes)


class Floors(unittest.TestCase):
    def test_a_wire_and_without_one_the_bare_loop(self):
        lan = wire.floor_of({"chain": [row(link_fixtures.LAN, "chain", 3300)]})
        self.assertEqual((round(lan.ms), lan.name), (3186, "wire"))
        cells = {"chain": [row(link_fixtures.LOOPBACK, "chain", 30)],
                 "raw": [row(link_fixtures.LOOPBACK, "raw", time) for time in (5, 6, 9)]}
        found = wire.floor_of(cells)
        self.assertAlmostEqual(found.ms, 6)
        self.assertEqual(found.name, "raw")
        self.assertAlmostEqual(wire.multiples(cells["chain"], found).median, 5)

    def test_neither(self):
        self.assertIsNone(wire.floor_of({"chain": [row(link_fixtures.LOOPBACK, "chain", 30)]}))


class Words(unittest.TestCase):
    def text(self, repeats, times):
        """Of a fast and a slow scheme on each link: {link: (chain, ring)}."""
        made = [row(link, scheme, time * (1 + 0.01 * i), repeat=i + 1)
                for link, both in times for scheme, time in zip(("chain", "ring"), both)
                for i in range(repeats)]
        return said(wire.build(results(made)))

    def test_where_the_scheme_changes_the_time(self):
        text = self.text(3, [(link_fixtures.LAN, (3200, 3210)),
                             (link_fixtures.LOOPBACK, (25, 32))])
        self.assertIn("lan100: ring takes 0.3 % longer than chain (not relevant)", text)
        self.assertIn("loopback: ring takes 28.0 % longer than chain. The scheme changes the time "
                      "on loopback.", text)

    def test_one_run_each_settles_nothing(self):
        text = self.text(1, [(link_fixtures.LOOPBACK, (25, 32))])
        self.assertIn("ring takes 28.0 % longer than chain (too few runs)", text)
        self.assertIn("The scheme changes the time on none of these links.", text)

    def test_ranges_that_overlap_settle_nothing(self):
        text = self.text(5, [(link_fixtures.GIGABIT, (320, 326))])
        self.assertIn("ring takes 1.9 % longer than chain (ranges overlap). The scheme changes "
                      "the time on none", text)

    def test_a_difference_too_small_to_be_relevant(self):
        text = self.text(3, [(dict(link_fixtures.LAN), (3200, 3300))])
        self.assertIn("changes the time on lan100", text)
        made = [row(link_fixtures.LAN, scheme, time, repeat=i)
                for scheme, time in (("chain", 3200), ("ring", 3203)) for i in (1, 2, 3)]
        self.assertIn("(not relevant)", said(wire.build(results(made))))

    def test_nothing_to_compare(self):
        text = said(wire.build(results([row(link_fixtures.LAN, "chain", 3300)])))
        self.assertNotIn("slowest", text)
        self.assertIn("1.036x", text)


class Sections(unittest.TestCase):
    def test_all_links_and_schemes(self):
        text = said(wire.build(results(link_fixtures.wire_rows())))
        for wanted in ("lan100    fixed", "lan1000   fixed", "loopback  fixed", "3186  wire",
                       "1448"):
            self.assertIn(wanted, text)
        table = text[text.index("===="):]
        self.assertLessEqual(max(map(len, table.splitlines())), tables.WIDTH)

    def test_rows_that_fell_back_are_named(self):
        text = said(wire.build(results([row(link_fixtures.FALLBACK, "chain", 30)])))
        self.assertIn("1 of 1 rows were meant for lan100 and fell back to loopback", text)

    def test_no_row_is_one_line(self):
        section = wire.build(results([]))
        self.assertEqual((len(section.blocks), section.figures), (1, []))

    def test_only_the_bare_loop(self):
        text = said(wire.build(results([row(link_fixtures.LAN, "raw", 3250)])))
        self.assertIn("lan100  raw", text)


@NEEDS_GNUPLOT
class Pictures(unittest.TestCase):
    def test_links_floors_and_schemes_are_named(self):
        text, _ = draw(wire.build, link_fixtures.wire_rows())
        for wanted in ("lan100", "lan1000", "loopback", "floor: wire 3186 ms", "floor: raw",
                       "chain", "ring", "fixed", "drain"):
            self.assertIn(wanted, text)

    def test_a_single_link_a_single_scheme_a_single_run(self):
        self.assertIn("chain", draw(wire.build, [row(link_fixtures.LAN, "chain", 3300)])[0])
        self.assertIn("no floor", draw(wire.build, [row(link_fixtures.LOOPBACK, "chain", 30)])[0])

    def test_a_cell_that_is_missing(self):
        draw(wire.build, [
            row(link_fixtures.LAN, "chain", 3300), row(link_fixtures.LOOPBACK, "ring", 30),
            row(link_fixtures.LOOPBACK, "raw", 5, gb_per_cpu_s=None)])
