"""Shares and predicted memory, on made-up rows."""

import unittest

import plot_path
import attribution
import fixtures
import terminal
from rows import Results


def folder(made):
    return Results("made-up", made, fixtures.RUN, [])


def row(**changes):
    return fixtures.row(**dict({"scenario": "table2", "section": "one-record"}, **changes))


class Shares(unittest.TestCase):
    def test_of_each_party(self):
        made = row(elapsed_ms=1000.0, bytes=10000000, cpu_s=0.9, server_cpu_s=0.5, concurrency=4,
                   link="lan100", link_asked="lan100", link_rate_bits_per_s=100e6, link_cpu_s=0.2)
        found = attribution.shares(made, 2)
        self.assertAlmostEqual(found.client, 0.45)
        self.assertAlmostEqual(found.servers, 0.5)
        self.assertAlmostEqual(found.link, 10000000 * 1538 / 1448 * 8 / 100e6)
        self.assertAlmostEqual(found.machine, 0.8)

    def test_what_was_not_measured_has_no_share(self):
        found = attribution.shares(row(cpu_s=None, server_cpu_s=None), None)
        self.assertEqual(found, attribution.Shares(None, None, None, None))
        self.assertEqual(attribution.bottleneck(row(bottleneck="unclear"), found), "unclear")

    def test_a_busy_machine_is_named_where_the_row_names_none(self):
        busy = attribution.Shares(0.8, 0.5, None, 0.95)
        for own, name in (("unclear", "machine"), ("client", "client"), ("link", "link")):
            self.assertEqual(attribution.bottleneck(row(bottleneck=own), busy), name)

    def test_ceilings_are_of_the_same_link(self):
        fast = fixtures.timed(1000, 37.5, scenario="table2", section="one-record", scheme="drain")
        slow = fixtures.timed(10, 37.5, scenario="table2", section="one-record", scheme="drain",
                              link="lan100", link_asked="lan100")
        for link, rate in (("lan100", 10e6), ("loopback", 1000e6)):
            top = attribution.ceiling([fast, slow], row(link=link), "drain")
            self.assertAlmostEqual(top.median / rate, 1, places=3)
        self.assertIsNone(attribution.ceiling([fast], row(link="lan100"), "drain"))


class Memory(unittest.TestCase):
    def test_what_exceeds_its_formula_is_named(self):
        self.assertIn("No run needed more", attribution.exceeding([[row(
            buffer_predicted_bytes=5000000)]]))
        over = row(buffer_predicted_bytes=2000000)
        self.assertIn("1 of 1 runs needed more", attribution.exceeding([[over]]))
        self.assertIn("2.00x", attribution.exceeding([[over]]))


class Sections(unittest.TestCase):
    def test_everything_fits_a_terminal(self):
        made = fixtures.everything() + [dict(one, link="lan100", link_asked="lan100",
                                             link_rate_bits_per_s=1e8)
                                        for one in fixtures.table2_rows()]
        for one in made:
            one["buffer_predicted_bytes"] = 5000000
        text = terminal.section_text(attribution.build(folder(made)))
        for line in text.splitlines():
            self.assertLessEqual(len(line), 100, line)
        for words in ("Shares of table2 one-record on lan100",
                      "Memory of buffers, table3 grid on loopback"):
            self.assertIn(words, text)

    def test_nothing_to_show(self):
        self.assertIn("Left out", attribution.build(folder([])).blocks[0])
        self.assertIn("Left out", attribution.build(folder(fixtures.table1_rows())).blocks[0])
