#!/usr/bin/env python3
"""The schema of a row, read from base/row_keys.h and client/monitor/row_keys.h, and its tables in
results/README.md."""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # missing under PYTHONSAFEPATH
    import own_python  # first: nothing else may come from the user's settings

import argparse
import ast
import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

import draft

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
KEYS_FILE = os.path.join(ROOT, "base", "row_keys.h")
SCREEN_KEYS_FILE = os.path.join(ROOT, "client", "monitor", "row_keys.h")
README_FILE = os.path.join(ROOT, "results", "README.md")

KIND_WORDS = {
    "text": "text", "line": "text", "choice": "text", "status": "text", "bytes": "text",
    "flag": "bool", "integer": "int", "count": "int", "from1": "int", "number": "number",
    "positive": "number", "time": "number", "tally": "object",
}


class Key(NamedTuple):
    """One line of a file of keys; the head of base/row_keys.h explains the columns."""

    writer: str  # "SWEEP", "OPTION", "RESULT", "EYE"
    kind: str
    name: str
    unit: str
    null: str
    meaning: str


def read_keys(path: str = KEYS_FILE) -> Tuple[Key, ...]:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    pattern = r'^ROW_(\w+)\(\s*(\w+), (\w+),\s*("(?:[^"\\]|\\.|"\s*,?\s*")*")\)$'
    keys = tuple(Key(writer, kind, name, *ast.literal_eval("(%s)" % strings))
                 for writer, kind, name, strings in re.findall(pattern, text, re.MULTILINE))
    assert len(keys) == len(re.findall("^ROW_", text, re.MULTILINE)), "a line that is no key"
    return keys


KEYS = read_keys()
SWEEP_KEYS = tuple(key for key in KEYS if key.writer == "SWEEP")
CLIENT_KEYS = tuple(key for key in KEYS if key.writer != "SWEEP")
SCREEN_KEYS = read_keys(SCREEN_KEYS_FILE)  # of a viewer of screens, in place of CLIENT_KEYS


def table(keys: Sequence[Key]) -> str:
    """The keys as Markdown; those without a meaning of their own share the line before them."""
    lines: List[List[str]] = []
    for key in keys:
        if key.meaning:
            lines.append([key.name, KIND_WORDS[key.kind], key.unit, key.meaning, key.null])
        else:
            lines[-1][0] += ", " + key.name
    head = "| key | type | unit | meaning | null when |\n|---|---|---|---|---|\n"
    return head + "".join("| %s |\n" % " | ".join(line) for line in lines)


def with_tables(page: str) -> str:
    """The page with what lies between its marks made anew. ValueError: a mark is missing."""
    for name, keys in (("sweep", SWEEP_KEYS), ("client", CLIENT_KEYS), ("screen", SCREEN_KEYS)):
        begin, end = "<!-- %s keys: make schema -->\n" % name, "<!-- end of %s keys -->\n" % name
        if begin not in page or end not in page.partition(begin)[2]:
            raise ValueError("%s: lacks the marks of the %s keys" % (README_FILE, name))
        head, _, rest = page.partition(begin)
        page = head + begin + table(keys) + end + rest.partition(end)[2]
    return page


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        prog="plot/schema.py", description="Rewrites the tables of keys in results/README.md.")
    parser.parse_args(arguments)
    with open(README_FILE, encoding="utf-8") as file:
        page = with_tables(file.read())
    draft.write(README_FILE, page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
