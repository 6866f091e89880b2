"""Tables 1 to 3 and Figure 5 where rows ran on several links, on one, or fell back."""

import unittest

import plot_path
import fixtures
import link_fixtures
import paper
import table1
import table2
import table3
import tables
from section_fixtures import fields, results, said

LAN, LOOPBACK, FALLBACK = link_fixtures.LAN, link_fixtures.LOOPBACK, link_fixtures.FALLBACK


def built(module, *parts):
    """The section of these rows."""
    return module.build(results([row for part in parts for row in part]))


def names(section):
    return [figure.name for figure in section.figures]


class Table1(unittest.TestCase):
    def test_each_link_is_a_table_and_a_figure(self):
        made = fixtures.table1_rows()
        section = built(table1, link_fixtures.on(LOOPBACK, made), link_fixtures.on(LAN, made))
        self.assertEqual(names(section), ["figure5-lan100", "figure5-loopback"])
        self.assertEqual([block.title for block in section.blocks], [
            "Table 1. Connection test (lan100: 100 Mbit/s, round trip 0.5 ms)",
            "Table 1. Connection test (loopback)"])
        self.assertEqual(section.figures[0].label,
                         "lan100: 100 Mbit/s, round trip 0.5 ms")

    def test_async_against_sync_on_each_link(self):
        def both(link, fast, slow):
            return [dict(fixtures.row(scenario="table1", section=mode, connect=mode, cell=mode,
                                      connect_ms=time), **link)
                    for mode, time in (("async", fast), ("sync", slow))]
        text = said(built(table1, both(LAN, 4.0, 100.0), both(LOOPBACK, 5.0, 4.0)))
        self.assertIn("Sync / async at 6 workers: 25.0x here, 16.3x in the paper.", text)
        self.assertIn("Sync / async at 6 workers: 0.800x here, 16.3x in the paper.", text)

    def test_a_row_that_fell_back_says_so(self):
        text = said(built(table1, link_fixtures.on(FALLBACK, fixtures.table1_rows(1))))
        self.assertIn("(loopback)", text)
        self.assertIn("5 of 5 rows were meant for lan100 and fell back to loopback: no user "
                      "namespaces here.", text)

    def test_loopback_alone_looks_as_ever(self):
        section = built(table1, link_fixtures.on(LOOPBACK, fixtures.table1_rows(1)))
        self.assertEqual(names(section), ["figure5"])
        self.assertEqual(section.blocks[0].title, "Table 1. Connection test")


class Table2(unittest.TestCase):
    def row(self, link, scheme, time, **changes):
        return dict(fixtures.timed(37.5 / time * 1e3, 37.5, scenario="table2", cell=scheme,
                                   section="one-record", scheme=scheme, servers=30, connected=30,
                                   **changes), **link)

    def test_how_much_is_wire(self):
        made = [self.row(LAN, scheme, time)
                for scheme, time in (("fixed", 3505.1), ("chain", 3218.3))]
        text = said(built(table2, made))
        self.assertIn("compared with the wire", text)
        below = text[text.index("compared with the wire"):]
        # The paper's 3640 ms are 1.09 of its own wire's 3341 ms.
        self.assertEqual(fields(below, "fixed", "(paper", "1)")[:4],
                         ["3640", "1.09x", "3505", "1.100x"])
        self.assertEqual(fields(below, "chain", "(paper", "3)")[:4],
                         ["3365", "1.01x", "3218", "1.010x"])
        self.assertIn("In the paper: 39.3 MB at 100 Mbit/s, 3341 ms.", below.replace("\n", " "))

    def test_loopback_has_no_wire(self):
        self.assertNotIn("compared with the wire", said(built(table2, fixtures.table2_rows(1))))

    def test_links_do_not_share_a_table_or_a_ceiling(self):
        made = [self.row(LAN, "chain", 3218.0), self.row(LOOPBACK, "chain", 30.0),
                self.row(LOOPBACK, "raw", 5.0, client="fanin-raw")]
        section = built(table2, made)
        self.assertEqual(names(section), ["table2-lan100", "table2-loopback"])
        over_lan = said(section).split("(loopback)")[0]
        self.assertIn("No result of drain and raw", over_lan)

    def test_a_wire_that_is_all_raw(self):
        text = said(built(table2, [self.row(LAN, "raw", 3250.0, client="fanin-raw")]))
        self.assertEqual(fields(text[text.index("the wire"):], "raw", "(ceiling)")[:4],
                         ["-", "-", "3250", "1.020x"])

    def test_fallback_and_width(self):
        text = said(built(table2, link_fixtures.on(FALLBACK, fixtures.table2_rows(1))))
        self.assertIn("fell back to loopback", text)
        slow = [dict(row, elapsed_ms=row["elapsed_ms"] * 100, bytes_per_s=row["bytes_per_s"] / 100)
                for row in link_fixtures.on(LAN, fixtures.table2_rows())]
        wide = said(built(table2, slow))
        self.assertLessEqual(max(map(len, wide.splitlines())), tables.WIDTH)


class Labels(unittest.TestCase):
    def test_a_cell_that_is_compared_with_itself_is_in_no_table(self):
        again = [dict(row, section="a-a", label=label, connect_ms=999.0, elapsed_ms=999.0)
                 for label in "AB" for row in fixtures.everything() if row["scheme"] == "chain"]
        for module in (table1, table2, table3):
            plain = said(built(module, fixtures.everything()))
            self.assertEqual(said(built(module, fixtures.everything(), again)), plain)

    def test_unless_there_is_no_other(self):
        made = [dict(row, label="A") for row in fixtures.table1_rows()]
        self.assertEqual(said(built(table1, made)), said(built(table1, fixtures.table1_rows())))


class Table3(unittest.TestCase):
    def test_throughput_by_link_beside_what_the_wire_carries(self):
        lan = [dict(row, elapsed_ms=row["bytes"] / 11.3e6 * 1e3, bytes_per_s=11.3e6)
               for row in link_fixtures.on(LAN, fixtures.table3_rows(1))]
        section = built(table3, lan, link_fixtures.on(LOOPBACK, fixtures.table3_rows(1)))
        self.assertEqual(names(section), [
            "table3-heatmap-lan100", "table3-lines-lan100", "table3-heatmap-loopback",
            "table3-lines-loopback"])
        text = " ".join(said(section).split())
        self.assertIn("The wire, 100 Mbit/s, carries at most 11.8 MB/s of payload; the cells' "
                      "medians are 96 % to 96 % of it; the paper's are 23 % to 44 %", text)
        self.assertEqual(text.count("Ceiling drain: 11.3 MB/s"), 1)
        self.assertEqual(text.count("The wire,"), 1)

    def test_another_rate_is_not_the_papers(self):
        text = said(built(table3, link_fixtures.on(link_fixtures.GIGABIT,
                                                   fixtures.table3_rows(1))))
        self.assertIn("The wire, 1 Gbit/s", text)
        self.assertNotIn("the paper's are", text)

    def test_figures_name_the_link_they_ran_on(self):
        section = built(table3, link_fixtures.on(LAN, fixtures.table3_rows(1)),
                        link_fixtures.on(LOOPBACK, fixtures.table3_rows(1)))
        self.assertEqual([figure.label for figure in section.figures],
                         ["lan100: 100 Mbit/s, round trip 0.5 ms"] * 2 + ["loopback"] * 2)

    def test_workers_that_did_not_run_have_the_papers_line_alone(self):
        text = said(built(table3, [fixtures.row()]))
        self.assertEqual(text.count("paper  "), len({cell[0] for cell in paper.table3()}))
        self.assertEqual(text.count("here  "), 1)

    def test_a_single_run_has_no_range_to_reach_into(self):
        text = said(built(table3, fixtures.table3_rows(1)))
        self.assertIn("A single run has no range", text)
        self.assertNotIn("range reaches", text)

    def test_fallback(self):
        text = said(built(table3, link_fixtures.on(FALLBACK, [fixtures.row()])))
        self.assertIn("1 of 1 rows were meant for lan100 and fell back to loopback", text)
