"""The lines of claims.csv: what is read, and what is said of a wrong one."""

import os
import tempfile
import unittest

import plot_path
import claim
import texts

HEAD = ",".join(claim.COLUMNS)
GOOD = "B1,one is less,paper full,a / b,elapsed_ms,table2,scheme=chain,less,,scheme=ring,0.02," \
    "1/2,Table 2"


class Lines(unittest.TestCase):
    def load(self, *lines):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "claims.csv")
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            return claim.load(path)

    def refused(self, line, *words):
        with self.assertRaises(texts.WrongFile) as caught:
            self.load("# a comment", HEAD, "", GOOD, line)
        self.assertIn("claims.csv:5: ", str(caught.exception))
        for word in words:
            self.assertIn(word, str(caught.exception))

    def changed(self, **fields):
        values = dict(zip(claim.COLUMNS, GOOD.split(",")), **fields)
        return ",".join(values[column] for column in claim.COLUMNS)

    def test_the_papers_own_are_right_and_all_there(self):
        claims = claim.load()
        self.assertEqual({one.id for one in claims}, {
            *("A%d" % i for i in range(1, 11)), *("B%d" % i for i in range(1, 7))})
        self.assertEqual(len([one for one in claims if one.id == "A7"]), 6)
        self.assertEqual({one.metric for one in claims if one.id == "A5"}, {"committed_kb"})
        self.assertEqual({one.machines for one in claims if one.id[0] == "A" and one.id != "A9"},
                         {("paper", "full")})
        self.assertEqual({one.machines for one in claims if one.id[0] == "B"}, {("full",)})

    def test_a_line_is_read(self):
        one = self.load(HEAD, GOOD)[0]
        self.assertEqual((one.id, one.direction, one.margin, one.matters),
                         ("B1", "less", 1.0, 0.02))
        self.assertEqual(one.against, {"scheme": "ring"})
        self.assertFalse(one.exact)

    def test_machines(self):
        lines = [self.changed(machine="full"), self.changed(id="B2", machine="paper full"),
                 self.changed(id="B2", claim="", machine=""), self.changed(id="B2", claim="")]
        self.assertEqual([one.machines for one in self.load(HEAD, *lines)],
                         [("full",)] + [("paper", "full")] * 3)

    def test_a_number_and_a_key_are_exact(self):
        for against, read in (("30", 30.0), ("key:servers", "servers")):
            one = self.load(HEAD, self.changed(against=against, matters="", direction="equal"))[0]
            self.assertEqual(one.against, read)
            self.assertTrue(one.exact)

    def test_wrong_lines_are_named_with_what_would_be_right(self):
        for fields, words in (
                ({"metric": "elapsed"}, ("metric", "`elapsed`", "results/README.md")),
                ({"metric": "scheme"}, ("metric", "`scheme`")),
                ({"subject": "colour=red"}, ("subject", "`colour`", "results/README.md")),
                ({"subject": "scheme"}, ("subject", "KEY=VALUE")),
                ({"subject": ""}, ("subject is empty",)),
                ({"subject": "workers=*"}, ("against` only",)),
                ({"subject": "workers=many"}, ("workers", "`many`")),
                ({"direction": "lower"}, ("direction", "at-most")),
                ({"direction": "at-least", "matters": ""}, ("margin is empty", "0.99")),
                ({"direction": "equal", "matters": ""}, ("margin", "1.02")),
                ({"margin": "0"}, ("margin is 0",)), ({"margin": "nan"}, ("margin", "`nan`")),
                ({"matters": "2"}, ("matters", "0.02")),
                ({"matters": "0.1", "direction": "at-most", "margin": "1.1"}, ("matters",)),
                ({"what": "w" * 26}, ("26 characters", "25")), ({"id": ""}, ("id is empty",)),
                ({"against": "many"}, ("against", "key:NAME")),
                ({"machine": "papr full"}, ("machine: `papr` must be one of paper, full",)),
                ({"machine": "full full"}, ("machine: `full` stands there twice",)),
                ({"id": "B2", "machine": ""}, ("machine is empty", "B2", "`paper full`")),
                ({"machine": "full"}, ("`full` is not that of the first line of B1, `paper full`",
                                       "leave it empty")),
                ({"id": "B2", "claim": ""}, ("claim is empty", "B2"))):
            self.refused(self.changed(**fields), *words)
        self.refused(GOOD + ",", "14 fields, must be 13")
        self.refused('B1,"torn', "not CSV", "two quotes")

    def test_a_line_of_another_encoding_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "claims.csv")
            with open(path, "wb") as file:
                file.write(b"id,claim\nB1,caf\xe9\n")
            with self.assertRaisesRegex(texts.WrongFile, "claims.csv:2: not UTF-8"):
                claim.load(path)

    def test_the_columns_are_checked(self):
        with self.assertRaisesRegex(texts.WrongFile, "claims.csv:1: the first line names"):
            self.load("id,claim")
        with self.assertRaisesRegex(texts.WrongFile, "claims.csv:1: "):
            self.load("")


class Values(unittest.TestCase):
    def test_rules_of_thumb(self):
        for word, value in (("2n+2", 6), ("2n", 4), ("n", 2), ("6", 6), ("0.5", 0.5)):
            self.assertEqual(claim.value_of("workers", word, 2), value)
        self.assertIsNone(claim.value_of("workers", "2n+2", None))
        self.assertEqual(claim.value_of("scheme", "n", 2), "n")
        self.assertIs(claim.value_of("reconnect", "true", 2), True)
