"""Where rows ran: on the paper's machine or at full speed, or not where they were meant to."""

import unittest

import plot_path
import contents
import fixtures
import link_fixtures
import links
import paper_fixtures
import places
import rows
import section
import table2
import table3
from section_fixtures import results, said

LAN = link_fixtures.LAN
SHARE_GONE = "cgroup: read-only"


def paper_row(section_name, **changes):
    made = dict(paper_fixtures.PAPER, scenario="paper", section=section_name, **LAN)
    return fixtures.row(**dict(made, **changes))


class Machine(unittest.TestCase):
    def test_a_row_without_the_key_ran_at_full_speed(self):
        made = fixtures.row()
        made.pop("machine", None)
        self.assertEqual(places.machine_of(made), places.FULL)
        self.assertEqual(places.machine_of(dict(made, machine="")), places.FULL)
        self.assertEqual(places.machine_of(paper_row("table3-grid")), places.PAPER)

    def test_a_section_is_seen_as_what_its_name_repeats(self):
        seen = places.as_repeated(paper_row("table2-one-record"))
        self.assertEqual((seen["scenario"], seen["section"]), ("table2", "one-record"))
        self.assertEqual(places.machine_of(seen), places.PAPER)
        self.assertEqual(places.as_repeated(seen), seen)

    def test_other_sections_and_other_scenarios_stay(self):
        for row in (paper_row("shares-table2"), paper_row("level"), fixtures.row(),
                    paper_row("table2-one-record", machine=""),
                    fixtures.row(scenario="mine", section="table2-one-record", machine="paper")):
            self.assertIs(places.as_repeated(row), row)

    def test_tables_find_the_rows_and_the_inverse_stays_out(self):
        found = results([paper_row("table2-one-record"), paper_row("shares-table2", order=2)])
        self.assertEqual([row["section"] for row in section.usable(found, "table2")],
                         ["one-record"])
        self.assertEqual([row["section"] for row in section.usable(found, "paper")],
                         ["shares-table2"])
        self.assertEqual([row["section"] for row in found.rows],
                         ["table2-one-record", "shares-table2"])

    def test_a_refused_connect_is_a_result_on_every_machine(self):
        refused = link_fixtures.failed("refused", 4)
        for name in ("table1-sync", "shares-table1"):
            self.assertTrue(rows.is_result(paper_row(name, **refused)), name)
        self.assertFalse(rows.is_result(paper_row("table2-one-record", **refused)))


class NotThere(unittest.TestCase):
    REASONS = (({"calibration_reason": "share: not found"}, "share: not found"),
               ({"cpu_share": None, "cpu_share_reason": SHARE_GONE}, SHARE_GONE),
               (dict(link_fixtures.FALLBACK), "no user namespaces here"))

    def test_a_row_that_fell_back_counts_for_nothing_but_the_list(self):
        for changes, why in self.REASONS:
            made = paper_row("table2-one-record", **changes)
            self.assertFalse(rows.is_result(made), changes)
            found = results([made])
            self.assertEqual(section.usable(found, "table2"), [])
            [line] = contents.excluded(found)
            self.assertTrue(line.startswith("paper/table2-one-record "), line)
            self.assertIn("not on machine paper: ", line)
            self.assertIn(why, line)

    def test_a_row_of_no_machine_that_fell_back_still_counts(self):
        self.assertTrue(rows.is_result(fixtures.row(**link_fixtures.FALLBACK)))


class Tables(unittest.TestCase):
    def both(self):
        made = link_fixtures.on(LAN, fixtures.table2_rows() + fixtures.table3_rows())
        return results(made + paper_fixtures.paper_rows())

    def test_no_table_mixes_the_two_machines(self):
        for module, count in ((table2, 2), (table3, 2)):
            built = module.build(self.both())
            text = " ".join(said(built).split())
            self.assertIn("(the paper's machine, on lan100: 100 Mbit/s, round trip 0.5 ms, 5.87 % "
                          "of a processor)", text)
            self.assertIn("(at full speed, on lan100: 100 Mbit/s, round trip 0.5 ms)", text)
            self.assertNotIn("n = 10", text)
            self.assertEqual(len({figure.label for figure in built.figures}), count)

    def test_the_ceiling_at_full_speed_is_none_of_the_papers_machine(self):
        text = said(table3.build(self.both()))
        papers = text[:text.index("at full speed")]
        self.assertNotIn("Ceiling drain", papers)
        self.assertIn("Ceiling drain", text)

    def test_a_files_name_has_no_calibrated_value(self):
        names = [figure.name for figure in table3.build(self.both()).figures]
        self.assertEqual(names, ["table3-heatmap-paper", "table3-lines-paper",
                                 "table3-heatmap-lan100", "table3-lines-lan100"])

    def test_the_papers_machine_comes_first(self):
        made = [fixtures.row(**LAN), places.as_repeated(paper_row("table3-grid"))]
        self.assertEqual([name for name, _ in links.by_link(made)], ["paper lan100", "lan100"])

    def test_factors_that_are_not_the_default_are_named(self):
        made = paper_row("table3-grid", work="touch:5ns/byte", look="every:15.6ms:one")
        self.assertEqual(places.factors_text(made), "5.87 % of a processor, "
                         "work touch:5ns/byte, look every:15.6ms:one")


if __name__ == "__main__":
    unittest.main()
