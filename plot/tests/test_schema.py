"""The schema of a row: results/README.md shows it as base/row_keys.h has it."""

import unittest

import plot_path
import schema


class Schema(unittest.TestCase):
    def test_the_tables_are_current(self):
        with open(schema.README_FILE, encoding="utf-8") as file:
            page = file.read()
        self.assertEqual(schema.with_tables(page), page, "stale: run `make schema`")

    def test_a_page_without_marks_is_refused(self):
        self.assertRaises(ValueError, schema.with_tables, "# Results\n")

    def test_kinds_and_columns(self):
        for key in schema.KEYS:
            self.assertIn(key.kind, schema.KIND_WORDS, key.name)
            for text in (key.unit, key.null, key.meaning):
                self.assertNotIn("|", text, key.name)

    def test_keys_that_share_a_line_agree(self):
        shared = schema.KEYS[0]
        for key in schema.KEYS:
            if key.meaning:
                shared = key
            self.assertEqual((key.kind, key.unit, key.null),
                             (shared.kind, shared.unit, shared.null), key.name)
