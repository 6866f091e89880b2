#!/usr/bin/env python3
"""Feeds rows.py and claim.py with changed rows and claims: fuzz_rows.py RUNS SEED KEPT

No line may vanish: each is a row or claim, or is named as wrong in one line. An input that breaks
this is written to the file KEPT. A SEED of 0 takes another one each time.
"""

import json
import os
import random
import sys
import tempfile
import traceback

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), *up)
                for up in ((), (os.pardir,))]

import claim
import fixtures
import rows
import texts

BYTES = [b"\r", b"\n", b"\0", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\x1c", b"\xff", b'"',
         b",", b"\\", b"{", b"}", b"[" * 2000, b"#", b"=", b" ", b"\t", b"-", b"e", b"9" * 5000]
VALUES = [None, True, -1, 0, 0.5, 1e308, 10**400, "", "x", "\r\n", "\udc80", "\u2028", [], {},
          {"": 1}]
CLAIMS_EACH = 10  # one input in so many is a file of claims


def members(row):
    """The texts of a row's members: made once, they cost nothing for each input."""
    return ["%s: %s" % (json.dumps(key), json.dumps(value)) for key, value in row.items()]


ROWS = [members(row) for row in (
    fixtures.row(), fixtures.row(status="skipped", reason="no links"),
    fixtures.row(status="failed", reason="audit", audit="fail"),
    fixtures.row(scenario="table1", repeat=2, order=2))]
OTHERS = [json.dumps(value) for value in VALUES]


def with_other_values(dice):
    """One or two rows, some of their values others."""
    for _ in range(dice.choice((1, 1, 2))):
        row = list(dice.choice(ROWS))
        for _ in range(dice.choice((0, 1, 2, 3))):
            at = int(dice.random() * len(row))
            row[at] = "%s: %s" % (row[at].partition(": ")[0], dice.choice(OTHERS))
        if dice.random() < 0.2:
            del row[int(dice.random() * len(row))]
        yield ("{%s}\n" % ", ".join(row)).encode("utf-8")


def with_other_bytes(dice, data):
    for _ in range(dice.choice((0, 0, 1, 2, 5))):
        at = dice.randrange(len(data) + 1)
        end = min(len(data), at + dice.choice((0, 0, 1, 40)))
        data = data[:at] + dice.choice(BYTES + [data[at:end] * 2]) + data[end:]
    return data[:dice.randrange(len(data) + 1)] if dice.random() < 0.1 else data


def is_one_line(text):
    return len(text.splitlines()) == 1


def rows_hold(data):
    """Each line that is not blank is a row or a problem."""
    lines = data.split(b"\n")
    found, problems = rows.parse_rows(line + b"\n" for line in lines)
    assert len(found) + len(problems) == sum(1 for line in lines if line.strip()), "a line vanished"
    for problem in problems + rows.in_short(problems):
        assert problem.startswith("rows.jsonl:") and is_one_line(problem), problem
    for row in found:
        rows.is_result(row) or rows.why_excluded(row)


def claims_hold(data, path):
    """Each line that is no comment is a claim, or one is named as wrong."""
    with open(path, "wb") as file:
        file.write(data)
    try:
        found = claim.load(path)
    except texts.WrongFile as error:
        assert is_one_line(str(error)) and ":" in str(error), error
        return
    lines = [line for line in data.decode("utf-8-sig").splitlines()
             if line.strip() and not line.startswith("#")]
    assert len(found) == len(lines) - 1, "a claim vanished"


def main(runs, seed, kept):
    dice = random.Random(seed or None)
    with open(claim.FILE, "rb") as file:
        claims = file.read()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(runs):
            of_claims = number % CLAIMS_EACH == 0
            whole = claims if of_claims else b"".join(with_other_values(dice))
            data = with_other_bytes(dice, whole)
            try:
                if of_claims:
                    claims_hold(data, os.path.join(folder, "claims.csv"))
                else:
                    rows_hold(data)
            except Exception:
                traceback.print_exc()
                with open(kept + (".claims" if of_claims else ".rows"), "wb") as file:
                    file.write(data)
                return "%s: input %d breaks this; it is in %s.*" % (sys.argv[0], number, kept)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
