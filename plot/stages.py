#!/usr/bin/env python3
"""Where a client's time goes, by stage of its work, from a folder that `make profile` wrote.

Beside each row such a folder has the stacks that a profiler took: samples of CPU time from perf, or
functions with their instructions from callgrind. plot/stages.conf maps functions to stages.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # missing under PYTHONSAFEPATH
    import own_python  # first: nothing else may come from the user's settings

import argparse
import fnmatch
import functools
import itertools
import json
import re
from collections import Counter
from typing import Counter as Counts
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import draft
from rows import (Results, Row, group, grouped, is_result, load_or_explain, run_command,
                  why_excluded)
from section import LEFT_OUT, Section
from tables import Column, Table, number, percent, to_text, wrap
from texts import split

PROGRAM = "plot/stages.py"
STAGES_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stages.conf")
FOLDER = "profile"          # of a results folder
REST = "not known"
COLUMNS_MAX = 6             # clients in one table
NAMES_SHOWN = 4             # of functions without a stage
SHARE_SHOWN = 0.002         # a stage needs so much in one client for a line
OF_CELL = ("scenario", "section", "client", "cell", "scheme", "servers", "size_min", "size_max",
           "workers", "concurrency", "verify")
FILE = "profile.jsonl"
TABLES = ("frame", "kB", "share")
TITLE = "Profile. Where the client's time goes"
UNITS = {"perf": ("ns", "CPU time, sampled 1999 times a second (no hardware counters needed)"),
         "callgrind": ("instructions", "instructions that callgrind counted; the kernel's are not "
                                       "among them")}


class WrongStages(Exception):
    """stages.conf, with the line and what is right."""


class Frame(NamedTuple):
    """A function on a stack: its name, and its source file where it is one of ours."""

    symbol: str
    source: str


class Profile(NamedTuple):
    """The runs of one cell together: the cost of each stage, and of functions without one."""

    row: Row  # the keys of OF_CELL
    n: int
    frames: int
    bytes: int
    tool: str
    stages: Dict[str, float]  # in the tool's unit, in the order of stages.conf
    unmapped: List[Tuple[str, float]]

    @property
    def total(self) -> float:
        return sum(self.stages.values())

    @property
    def name(self) -> str:
        """The head of a column; a peer's row has its own name as its scheme."""
        return self.row["scheme"]


Stages = List[Tuple[str, List[str]]]

# ---- the map ----


def read_stages(path: str = STAGES_FILE) -> Stages:
    """Lines of `stage = pattern pattern...`; WrongStages names a wrong one."""
    stages: Stages = []
    with open(path, encoding="utf-8") as file:
        for place, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, sign, patterns = (part.strip() for part in line.partition("="))
            if not (name and sign and patterns):
                raise WrongStages("%s:%d: must be `stage = pattern pattern...`"
                                  % (path, place))
            stages.append((name, patterns.split()))
    if not stages:
        raise WrongStages("%s: no stage in it" % path)
    return stages


class Map:
    """Says the stage of a stack."""

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self.of_frame = functools.lru_cache(maxsize=None)(self._of_frame)

    def _of_frame(self, frame: Frame) -> Optional[str]:
        for name, patterns in self.stages:
            for pattern in patterns:
                text = frame.source if "/" in pattern else frame.symbol
                if fnmatch.fnmatchcase(text, pattern):
                    return name
        return None

    def of_stack(self, stack: Iterable[Frame]) -> str:
        """By the innermost function that the map knows."""
        return next((stage for stage in map(self.of_frame, stack) if stage), REST)


# ---- the profilers' files ----

STACK_LINE = re.compile(r"\s+([0-9a-f]+) (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$")
SAMPLE_LINE = re.compile(r"\S.*?\s+(\d+)\s*$")
LINES_LINE = re.compile(r"(0x[0-9a-f]+)\s+(\S+?):")
FUNCTION_LINE = re.compile(r"\s*([\d,]+)\s+(?:\([^)]*\)\s+)?(\S+?):(\S+)")


def source_lines(text: str) -> Dict[str, str]:
    """addr2line's answers: address to source file."""
    found = (LINES_LINE.match(line) for line in text.splitlines())
    return {"%x" % int(match.group(1), 16): match.group(2) for match in found if match}


def perf_stacks(text: str, sources: Dict[str, str]) -> Iterator[Tuple[List[Frame], float]]:
    """Samples of `perf script`: a head with the period in nanoseconds, then the stack from the
    inside out, then an empty line."""
    cost, stack = 0.0, []
    for line in text.splitlines() + [""]:
        head, inner = SAMPLE_LINE.match(line), STACK_LINE.match(line)
        if inner:
            address, symbol, program = inner.groups()
            ours = "/fanin-" in program
            stack.append(Frame(symbol, sources.get(address.lstrip("0"), "") if ours else ""))
        elif head and not line[0].isspace():
            cost = float(head.group(1))
        elif not line.strip() and cost:
            yield stack, cost
            cost, stack = 0.0, []


def callgrind_stacks(text: str) -> Iterator[Tuple[List[Frame], float]]:
    """Functions of `callgrind_annotate`: `cost file:function'caller'caller... [object]`."""
    for line in text.splitlines():
        match = FUNCTION_LINE.match(line)
        if match:
            cost, source, chain = match.groups()
            names = chain.split("'")
            yield [Frame(names[0], source)] + [Frame(name, "") for name in names[1:]
                                               if not name.isdigit()], float(cost.replace(",", ""))


def read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def read_lines(path: str) -> List[bytes]:
    with open(path, "rb") as file:
        return split(file.read())


def stacks_of(folder: str, tool: str, place: int) -> Iterator[Tuple[List[Frame], float]]:
    """The stacks of the folder's row at this place, from 1."""
    base = os.path.join(folder, FOLDER, str(place))
    if tool == "callgrind":
        return callgrind_stacks(read_text(base + ".functions"))
    return perf_stacks(read_text(base + ".stacks"), source_lines(read_text(base + ".lines")))


def total(rows: Sequence[Row], key: str) -> int:
    """The sum of a count; the servers' count where the client has none."""
    return sum(row[key] or row["server_" + key] or 0 for row in rows)


def profile_of(rows: List[Row], tool: str, stacks: Iterable[Tuple[List[Frame], float]],
               where: Map) -> Profile:
    """The costs of a cell by stage."""
    costs: Dict[str, float] = {name: 0.0 for name, _ in where.stages}
    costs[REST] = 0.0
    unmapped: Counts[str] = Counter()
    for stack, cost in stacks:
        stage = where.of_stack(stack)
        costs[stage] += cost
        if stage == REST:
            unmapped[stack[0].symbol if stack else "no stack"] += cost
    return Profile({key: rows[0][key] for key in OF_CELL}, len(rows), total(rows, "frames"),
                   total(rows, "bytes"), tool, costs, unmapped.most_common(NAMES_SHOWN))


def tool_of(folder: str) -> Optional[str]:
    """The profiler; None if the folder has no profiles, ValueError for an unknown name."""
    try:
        tool = read_text(os.path.join(folder, FOLDER, "tool")).strip()
    except OSError:
        return None
    if tool not in UNITS:
        raise ValueError("%s/tool names %r; must be perf or callgrind" % (FOLDER, tool))
    return tool


def take_profiles(results: Results) -> Tuple[List[Profile], List[str]]:
    """The profiles of all cells with results, and the reasons why others have none."""
    profiles, problems = [], ["%s: %s" % (row["cell"], why_excluded(row)) for row in results.rows
                              if not is_result(row)]
    tool = tool_of(results.folder)
    if tool is None:
        return [], problems + ["no folder %s with a profiler's stacks" % FOLDER]
    where = Map(read_stages())
    counted = [row for row in results.rows if is_result(row)]
    for rows in group(counted, ("scenario", "section", "client", "cell")).values():
        try:
            found = profile_of(rows, tool, itertools.chain.from_iterable(
                stacks_of(results.folder, tool, row["order"]) for row in rows), where)
        except OSError as error:
            problems.append("%s: %s: %s" % (rows[0]["cell"], error.filename, error.strerror))
            continue
        profiles += [found] if found.total else []
        problems += [] if found.total else ["%s: the profiler took no sample" % rows[0]["cell"]]
    return profiles, problems


# ---- profile.jsonl ----


def to_json(profiles: Sequence[Profile]) -> str:
    """A line for each profile; after it the stacks may be removed."""
    return "".join(json.dumps({**p.row, "tool": p.tool, "unit": UNITS[p.tool][0], "n": p.n,
                               "frames": p.frames, "bytes": p.bytes, "stages": p.stages,
                               "not_known": dict(p.unmapped)}) + "\n" for p in profiles)


def from_json(line: bytes) -> Profile:
    """ValueError, KeyError, TypeError or AttributeError for any other line."""
    value = json.loads(line)
    if value["tool"] not in UNITS:
        raise ValueError("tool is %r" % value["tool"])
    return Profile({key: value[key] for key in OF_CELL}, value["n"], value["frames"],
                   value["bytes"], value["tool"], value["stages"],
                   list(value["not_known"].items()))


def read_profiles(folder: str) -> List[Profile]:
    """The profiles that the folder keeps; ValueError names a wrong line."""
    path = os.path.join(folder, FILE)
    found = []
    for place, line in enumerate(read_lines(path) if os.path.exists(path) else [], 1):
        try:
            found.append(from_json(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("%s:%d: not a profile (%s); make profile writes them"
                             % (FILE, place, error)) from error
    return found


# ---- output ----


def cost_text(profile: Profile, cost: float, what: str) -> str:
    if what == "share":
        return percent(cost, profile.total)
    count = profile.frames if what == "frame" else profile.bytes / 1000
    return number(cost / count if count else None)


def table(profiles: Sequence[Profile], what: str) -> Table:
    """Stages down, clients across; `what` is one of TABLES. A stage that is next to nothing in
    every client has no line."""
    unit, meaning = UNITS[profiles[0].tool]
    columns = [Column("stage", left=True)] + [Column(p.name) for p in profiles]
    lines: List[Optional[List[str]]] = [
        [name] + [cost_text(p, p.stages[name], what) for p in profiles]
        for name in profiles[0].stages
        if any(p.stages[name] >= SHARE_SHOWN * p.total for p in profiles)]
    lines += [None, ["all"] + [cost_text(p, p.total, what) for p in profiles]]
    title = "Share of each stage" if what == "share" else "%s a %s, by stage" % (unit, what)
    return Table(title, columns, lines, [meaning + "."] if what == "frame" else [])


def setting(row: Row) -> str:
    """What clients beside each other have in common."""
    return "%d servers, frames of %d to %d B" % (row["servers"], row["size_min"], row["size_max"])


def client_text(profile: Profile) -> str:
    row = profile.row
    return "%s: %d workers, of which %d may run, verify %s, n = %d" % (
        profile.name, row["workers"], row["concurrency"], row["verify"], profile.n)


def unmapped_text(profiles: Sequence[Profile]) -> List[str]:
    """The largest functions without a stage, so that the map can be completed."""
    lines = []
    for profile in profiles:
        named = ["%s %s" % (name, percent(cost, profile.total))
                 for name, cost in profile.unmapped if cost >= SHARE_SHOWN * profile.total]
        if named:
            lines.append("%s: not known: %s." % (profile.name, ", ".join(named)))
    return lines


def blocks(profiles: Sequence[Profile], kinds: Sequence[str]) -> List[Union[str, Table]]:
    """The tables of these kinds, with profiles of one setting beside each other, as many as a
    terminal has room for."""
    found: List[Union[str, Table]] = []
    for said, every in grouped(profiles, lambda profile: setting(profile.row)).items():
        for i in range(0, len(every), COLUMNS_MAX):
            members = every[i:i + COLUMNS_MAX]
            found.append("%s. %s." % (said, "; ".join(map(client_text, members))))
            found += [table(members, kind) for kind in kinds]
    return found + unmapped_text(profiles)


def build(results: Results) -> Section:
    try:
        profiles = read_profiles(results.folder)
    except (ValueError, OSError) as error:
        return Section(TITLE, ["%s: %s." % (LEFT_OUT, error)], [])
    if not profiles:
        return Section(TITLE, ["%s: this folder has no profile; make profile writes one."
                               % LEFT_OUT], [])
    return Section(TITLE, blocks(profiles, TABLES), [])


# ---- the command ----

ABOUT = """Prints what each stage of a client's work costs per frame, per kB and as a share, from a
folder that `make profile` wrote. Writes DIR/profile.jsonl."""
EPILOGUE = """examples:
  make profile                                          every client of the bench, under perf
  make profile KEYS='--size=4kB --scheme=chain,slices'  two schemes, small frames
  plot/stages.py out/profile                           the tables again

Which function belongs to which stage: plot/stages.conf.

exit codes: 0 done; 1 nothing to show; 2 wrong use"""


def options(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ABOUT, epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", help="folder that make profile wrote")
    parser.add_argument("--table", choices=TABLES, help="only this one (default: all)")
    return parser.parse_args(arguments)


def reduce_folder(folder: str) -> List[Profile]:
    """Writes profile.jsonl from the stacks; reports on standard error what is left out."""
    results, _ = load_or_explain(PROGRAM, folder)
    if results is None:
        return []
    profiles, problems = take_profiles(results)
    for problem in problems:
        print("%s: %s" % (PROGRAM, problem), file=sys.stderr)
    if profiles:
        draft.write(os.path.join(folder, FILE), to_json(profiles))
    return profiles


def main(arguments: Optional[Sequence[str]] = None) -> int:
    asked = options(arguments)
    try:
        stacked = os.path.isdir(os.path.join(asked.folder, FOLDER))
        profiles = (reduce_folder if stacked else read_profiles)(asked.folder)
    except (WrongStages, ValueError, OSError) as error:
        print("%s: %s" % (PROGRAM, error), file=sys.stderr)
        return 2
    if not profiles:
        print("%s: %s: no profile of a row that is a result" % (PROGRAM, asked.folder),
              file=sys.stderr)
        return 1
    for block in blocks(profiles, [asked.table] if asked.table else TABLES):
        print(to_text(block) if isinstance(block, Table) else wrap(block) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
