"""Text files from outside: no line vanishes, and what is wrong has its place."""

import os
import shutil
import tempfile
import unittest
from unittest import mock

import plot_path
import claim
import paper
import texts


class Tables(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.path = os.path.join(made.name, "t.csv")

    def read(self, data):
        with open(self.path, "wb") as file:
            file.write(data)
        return [(line.number, line.text) for line in texts.read_table(self.path)]

    def test_lines_end_as_editors_end_them(self):
        for data in (b"a,1\nb,2\n", b"a,1\rb,2\r", b"a,1\r\nb,2", b"\xef\xbb\xbfa,1\nb,2\n"):
            self.assertEqual(self.read(data), [(1, "a,1"), (2, "b,2")], data)
        self.assertEqual(self.read(b"# c\r\r\na,1\n\nb,2"), [(3, "a,1"), (5, "b,2")])
        self.assertEqual(self.read(b""), [])

    def test_what_editors_show_in_different_ways_is_named(self):
        for data, said in ((b"a\n# page\fb,2\n", "t.csv:2: holds the character U\\+000C"),
                           (b"a\n\0b\n", "t.csv:2: holds the character U\\+0000"),
                           (b"a\r\rb\x1a", "t.csv:3: holds the character U\\+001A"),
                           ("# a\u2028b\n".encode(), "t.csv:1: holds the character U\\+2028"),
                           ("a\n\ufeffb\n".encode(), "t.csv:2: holds the character U\\+FEFF"),
                           ("a,1\n".encode("utf-16"), "t.csv:1: is in UTF-16; save it"),
                           (b"a\n\xe9\n", "t.csv:2: not UTF-8; save it")):
            with self.assertRaisesRegex(texts.WrongFile, said):
                self.read(data)


class ThePapers(unittest.TestCase):
    """The files of results/paper, changed."""

    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = os.path.join(made.name, "paper")
        shutil.copytree(paper.FOLDER, self.folder)
        patch = mock.patch("paper.FOLDER", self.folder)
        patch.start()
        self.addCleanup(patch.stop)

    def change(self, name, change):
        path = os.path.join(self.folder, name)
        with open(path, "rb") as file:
            data = change(file.read())
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_they_are_the_same_whatever_ends_their_lines(self):
        tables = paper.table1(), paper.table2(), paper.table3()
        claims = claim.load()
        for end in (b"\r", b"\r\n"):
            for name in os.listdir(self.folder):
                self.change(name, lambda data: b"\xef\xbb\xbf" + b"\n".join(
                    texts.split(data)).replace(b"\n\n", b"\n").replace(b"\n", end))
            self.assertEqual((paper.table1(), paper.table2(), paper.table3()), tables)
            self.assertEqual(claim.load(os.path.join(self.folder, "claims.csv")), claims)

    def test_a_wrong_line_of_a_table_is_named(self):
        for change, said in (
                (lambda data: data + b"chain,x,1,1\n", "table2.csv:5: time_ms: `x` must be a num"),
                (lambda data: data + b"chain,1,5,1,1\n", "table2.csv:5: 5 fields, must be 4"),
                (lambda data: data + b"ring,1,1,1\n", "table2.csv:5: ring,1,1,1 is there already"),
                (lambda data: b"a" + data, "table2.csv:1: the first line names the columns"),
                (lambda data: b"", "table2.csv:1: the first line names the columns")):
            path = os.path.join(self.folder, "table2.csv")
            with open(path, "rb") as file:
                kept = file.read()
            self.change("table2.csv", change)
            with self.assertRaisesRegex(texts.WrongFile, said):
                paper.table2()
            self.change("table2.csv", lambda data, kept=kept: kept)
