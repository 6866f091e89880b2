#!/usr/bin/env python3
"""Puts the output of report commands into README.md and docs/, so that their figures are a run's.

What lies between a line `<!-- output of: plot/X.py ARGUMENTS -->` and the next
`<!-- end of output -->` is replaced by what that command prints.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # missing under PYTHONSAFEPATH
    import own_python  # first: nothing else may come from the user's settings

import argparse
import difflib
import glob
import re
import shlex
import subprocess
from typing import List, NamedTuple, Optional, Sequence, Tuple

import draft

PROGRAM = "plot/readme.py"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BEGIN = re.compile(r"<!-- output of: (.*) -->$")
END = "<!-- end of output -->"
COMMAND = re.compile(r"plot/[a-z]+\.py$")  # nothing else is run because a text says so
SECONDS_MAX = 120


class Wrong(Exception):
    """FILE:LINE, and what would be right."""


class Part(NamedTuple):
    """A marked part: the lines between its markers are first..last."""

    line: int  # of its begin marker, from 1
    command: List[str]
    first: int
    last: int  # past the last


def parts_of(path: str, lines: Sequence[str]) -> List[Part]:
    """All of them, in order; Wrong for a marker without its other half or a command not ours."""
    found: List[Part] = []
    open_at: Optional[Tuple[int, List[str]]] = None
    for place, text in enumerate(lines):
        begin = BEGIN.match(text)
        if begin and open_at is not None or text == END and open_at is None:
            raise Wrong("%s:%d: an `output of` line and `%s` would take turns" % (path, place + 1,
                                                                               END))
        if begin:
            command = shlex.split(begin.group(1))
            if not command or not COMMAND.match(command[0]):
                raise Wrong("%s:%d: the command must be a script, plot/NAME.py, not %r"
                            % (path, place + 1, (command or [""])[0]))
            open_at = place, command
        elif text == END and open_at is not None:
            found.append(Part(open_at[0] + 1, open_at[1], open_at[0] + 1, place))
            open_at = None
    if open_at is not None:
        raise Wrong("%s:%d: no `%s` follows" % (path, open_at[0] + 1, END))
    return found


def output(path: str, part: Part, root: str) -> List[str]:
    """What the command prints, as a block of code; Wrong if it fails."""
    try:
        ran = subprocess.run([sys.executable, *part.command], cwd=root, capture_output=True,
                             text=True, timeout=SECONDS_MAX, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise Wrong("%s:%d: %s" % (path, part.line, error)) from error
    if ran.returncode:
        said = (ran.stderr.strip().splitlines() or ["no message"])[-1]
        raise Wrong("%s:%d: exit code %d: %s" % (path, part.line, ran.returncode, said))
    return ["```", *(line.rstrip() for line in ran.stdout.strip("\n").splitlines()), "```"]


def renewed(path: str, text: str, root: str) -> str:
    """The text with every part's output as it is now."""
    lines = text.splitlines()
    for part in reversed(parts_of(path, lines)):
        lines[part.first:part.last] = output(path, part, root)
    return "\n".join(lines) + "\n"


# ---- the command ----

ABOUT = """Renews the parts of a page that are a command's output:

  <!-- output of: plot/bench.py results/reference/bench -->
  ...
  <!-- end of output -->"""
EPILOGUE = """examples:
  plot/readme.py                 README.md, README.zh.md and docs/*.md, in place
  plot/readme.py --check         changes nothing: exit code 1 and the difference if it is stale

exit codes: 0 done; 1 stale (--check), or a command failed; 2 wrong use"""


def options(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ABOUT, epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", metavar="FILE", nargs="*", help="pages (default: all of them)")
    parser.add_argument("--root", metavar="DIR", default=ROOT,
                        help="where commands run (default: the project)")
    parser.add_argument("--check", action="store_true", help="only compare")
    return parser.parse_args(arguments)


def pages_of(root: str) -> List[str]:
    return sorted(glob.glob(os.path.join(root, "README*.md"))
                  + glob.glob(os.path.join(root, "docs", "*.md")))


def renew(page: str, root: str, check: bool) -> int:
    """One page: 0 if it was or is now as its commands print it, 1 if it is stale."""
    name = os.path.relpath(page, root)
    with open(page, encoding="utf-8") as file:
        old = file.read()
    new = renewed(name, old, root)
    if old == new:
        print("%s: up to date" % name)
    elif check:
        sys.stdout.writelines(difflib.unified_diff(
            old.splitlines(True), new.splitlines(True), name, "as its commands print it"))
        print("%s: %s is stale; plot/readme.py renews it" % (PROGRAM, name), file=sys.stderr)
        return 1
    else:
        draft.write(page, new)
        print("%s: renewed" % name)
    return 0


def main(arguments: Optional[Sequence[str]] = None) -> int:
    asked = options(arguments)
    try:
        return max([renew(page, asked.root, asked.check)
                    for page in asked.pages or pages_of(asked.root)], default=0)
    except OSError as error:
        print("%s: %s: %s" % (PROGRAM, error.filename, error.strerror), file=sys.stderr)
        return 2
    except Wrong as error:
        print("%s: %s" % (PROGRAM, error), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
