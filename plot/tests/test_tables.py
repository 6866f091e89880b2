"""Numbers in words, and a table's two looks."""

import unittest

import plot_path
import tables
from tables import Column, Table

TABLE = Table("A title", (Column("name", left=True), Column("x", "pair"), Column("yy", "pair"),
                          Column("n")),
              [["one", "1", "22", "5"], None, ["a longer one", "333", "-", "5"]], ["A note."])


class Words(unittest.TestCase):
    def test_three_digits_and_no_false_ones(self):
        for value, text in ((None, "-"), (0, "0"), (0.00949, "0.00949"), (0.085, "0.0850"),
                            (0.9999, "1.00"), (1.234, "1.23"), (9.999, "10.0"), (99.96, "100"),
                            (2043, "2043"), (12345.6, "12346")):
            self.assertEqual(tables.number(value), text)
            if value:
                self.assertEqual(tables.number(-value), "-" + text)

    def test_a_ratio_needs_both(self):
        self.assertEqual(tables.ratio(50, 100), "0.500x")
        self.assertEqual(tables.ratio(None, 100), "-")
        self.assertEqual(tables.ratio(50, None), "-")

    def test_a_span_of_equal_ends_is_one_number(self):
        self.assertEqual(tables.span(1, 2), "1.00..2.00")
        self.assertEqual(tables.span(5, 5), "5.00")
        self.assertEqual(tables.span(None, None), "-")

    def test_shares(self):
        self.assertEqual(tables.percent(1, 2), "50 %")
        self.assertEqual(tables.percent(1, 1000), "0.1 %")
        self.assertEqual(tables.percent(0, 7), "0 %")
        self.assertEqual(tables.percent(1, 0), "-")
        self.assertEqual(tables.percent(None, 7), "-")

    def test_thousands_are_set_apart(self):
        self.assertEqual(tables.exact(78375.0), "78,375")


class Looks(unittest.TestCase):
    def test_columns_line_up(self):
        lines = tables.to_text(TABLE).splitlines()
        self.assertEqual(lines[0], "A title")
        self.assertEqual(lines[2], "                pair")
        self.assertEqual(lines[3], "name            x  yy  n")
        self.assertEqual(lines[5], "one             1  22  5")
        self.assertEqual(lines[6], "")
        self.assertEqual(lines[7], "a longer one  333   -  5")
        self.assertEqual(lines[-1], "  A note.")

    def test_a_group_wider_than_its_columns_widens_them(self):
        table = Table("t", (Column("a", "a very long group"), Column("b")), [["1", "2"]])
        lines = tables.to_text(table).splitlines()
        self.assertEqual(lines[2], "a very long group")
        self.assertEqual(len(lines[3]), len("a very long group") + 3)

    def test_a_group_with_room_has_a_rule(self):
        table = Table("t", (Column("a", "g"), Column("b", "g")), [["123", "456"]])
        self.assertEqual(tables.to_text(table).splitlines()[2], "-- g ---")

    def test_notes_wrap(self):
        table = Table("t", (Column("a"),), [["1"]], ["word " * 60])
        self.assertLessEqual(max(map(len, tables.to_text(table).splitlines())), tables.WIDTH)

    def test_a_number_keeps_its_percent_sign(self):
        for length in range(80, 110):
            for line in tables.wrap("x" * length + " 25.8 % less").splitlines():
                self.assertFalse(line.strip().startswith("%"))

    def test_markdown_keeps_a_cell_in_its_cell(self):
        table = Table("t", (Column("a", "g", left=True), Column("b")), [["x|y", "two\nlines <b>"]])
        self.assertIn("| g<br>a | b |", tables.to_markdown(table))
        self.assertIn("| x\\|y | two lines &lt;b> |", tables.to_markdown(table))

    def test_markdown_has_no_blank_rows(self):
        body = tables.to_markdown(TABLE).split("\n\n")[1]
        self.assertEqual(len(body.splitlines()), 4)
