#!/usr/bin/env python3
"""Where a client's time goes, by stage of its work, from the folder that `make profile` wrote.

Beside each row of such a folder lie the stacks that a profiler took: samples of time from perf, or
functions with their instructions from callgrind. plot/stages.conf says which function is which
stage.
"""

import argparse
import fnmatch
import functools
import itertools
import json
import os
import re
import sys
from collections import Counter
from typing import Counter as Counts
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from rows import Results, Row, group, is_result, load_or_explain, run_command, why_excluded
from section import LEFT_OUT, Section
from tables import Column, Table, number, percent, to_text, wrap

PROGRAM = "plot/stages.py"
STAGES_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stages.conf")
FOLDER = "profile"          # of a results folder
REST = "not known"
COLUMNS_MAX = 6             # clients in one table
NAMES_SHOWN = 4             # of functions that no stage claims
SHARE_SHOWN = 0.002         # a stage below it in every client has no line
OF_CELL = ("scenario", "section", "client", "cell", "scheme", "servers", "size_min", "size_max",
           "workers", "concurrency", "verify")
FILE = "profile.jsonl"
TABLES = ("frame", "kB", "share")
TITLE = "Profile. Where the client's time goes"
UNITS = {"perf": ("ns", "CPU time, sampled 1999 times a second (no hardware counters needed)"),
         "callgrind": ("instructions", "instructions that callgrind counted; the kernel's are not "
                                       "among them")}


class WrongStages(Exception):
    """stages.conf, with the line and what would be right."""


class Frame(NamedTuple):
    """A function on a stack: its name, and its source file where it is one of ours."""

    symbol: str
    source: str


class Profile(NamedTuple):
    """The runs of one cell together: what each stage cost, and what none claims."""

    row: Row  # OF_CELL's keys: what all of them ran
    n: int
    frames: int
    bytes: int
    tool: str
    stages: Dict[str, float]  # in the tool's unit, in the order of stages.conf
    strangers: List[Tuple[str, float]]

    @property
    def total(self) -> float:
        return sum(self.stages.values())

    @property
    def name(self) -> str:
        """The client as a head of a column: a peer's row has its own name there."""
        return self.row["scheme"]


Stages = List[Tuple[str, List[str]]]

# ---- the map ----


def read_stages(path: str = STAGES_FILE) -> Stages:
    """`stage = pattern pattern...`, a line each; WrongStages names the line that is none."""
    stages: Stages = []
    with open(path, encoding="utf-8") as file:
        for place, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, sign, patterns = (part.strip() for part in line.partition("="))
            if not (name and sign and patterns):
                raise WrongStages("%s:%d: `stage = pattern pattern...` would be right"
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


# ---- what the profilers wrote ----

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


def stacks_of(folder: str, tool: str, place: int) -> Iterator[Tuple[List[Frame], float]]:
    """What the profiler took of the folder's row at this place, from 1."""
    base = os.path.join(folder, FOLDER, str(place))
    if tool == "callgrind":
        return callgrind_stacks(read_text(base + ".functions"))
    return perf_stacks(read_text(base + ".stacks"), source_lines(read_text(base + ".lines")))


def total(rows: Sequence[Row], key: str) -> int:
    """Of a count; what a client did not count itself its servers did."""
    return sum(row[key] or row["server_" + key] or 0 for row in rows)


def profile_of(rows: List[Row], tool: str, stacks: Iterable[Tuple[List[Frame], float]],
               where: Map) -> Optional[Profile]:
    """Costs by stage; None if the profiler saw nothing."""
    costs: Dict[str, float] = {name: 0.0 for name, _ in where.stages}
    costs[REST] = 0.0
    strangers: Counts[str] = Counter()
    for stack, cost in stacks:
        stage = where.of_stack(stack)
        costs[stage] += cost
        if stage == REST:
            strangers[stack[0].symbol if stack else "no stack"] += cost
    found = Profile({key: rows[0][key] for key in OF_CELL}, len(rows), total(rows, "frames"),
                    total(rows, "bytes"), tool, costs, strangers.most_common(NAMES_SHOWN))
    return found if found.total else None


def tool_of(results: Results) -> Optional[str]:
    """What took the profiles; None if the folder has none, ValueError if it says nonsense."""
    try:
        tool = read_text(os.path.join(results.folder, FOLDER, "tool")).strip()
    except OSError:
        return None
    if tool not in UNITS:
        raise ValueError("%s/tool names %r; perf or callgrind would be right" % (FOLDER, tool))
    return tool


def take_profiles(results: Results) -> Tuple[List[Profile], List[str]]:
    """Of all cells that have rows that count, from their stacks; and why the others have none."""
    profiles, problems = [], ["%s: %s" % (row["cell"], why_excluded(row)) for row in results.rows
                              if not is_result(row)]
    tool = tool_of(results)
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
        if found:
            profiles.append(found)
        else:
            problems.append("%s: the profiler took no sample" % rows[0]["cell"])
    return profiles, problems


# ---- what stays of them ----


def to_json(profiles: Sequence[Profile]) -> str:
    """A line a profile: the stacks may go, this stays."""
    return "".join(json.dumps({**p.row, "tool": p.tool, "unit": UNITS[p.tool][0], "n": p.n,
                               "frames": p.frames, "bytes": p.bytes, "stages": p.stages,
                               "not_known": dict(p.strangers)}) + "\n" for p in profiles)


def from_json(line: str) -> Profile:
    """ValueError or KeyError for what is no such line."""
    value = json.loads(line)
    if value["tool"] not in UNITS:
        raise ValueError("tool is %r" % value["tool"])
    return Profile({key: value[key] for key in OF_CELL}, value["n"], value["frames"],
                   value["bytes"], value["tool"], value["stages"],
                   list(value["not_known"].items()))


def read_profiles(folder: str) -> List[Profile]:
    """What the folder keeps; [] if it keeps none, ValueError for a line that is none."""
    path = os.path.join(folder, FILE)
    if not os.path.exists(path):
        return []
    found = []
    for place, line in enumerate(read_text(path).splitlines(), 1):
        try:
            found.append(from_json(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("%s:%d: no profile (%s); make profile writes them"
                             % (FILE, place, error)) from error
    return found


# ---- what is shown ----


def per_frame(profile: Profile, cost: float) -> Optional[float]:
    return cost / profile.frames if profile.frames else None


def per_kilobyte(profile: Profile, cost: float) -> Optional[float]:
    return cost / profile.bytes * 1000 if profile.bytes else None


def shown_stages(profiles: Sequence[Profile]) -> List[str]:
    """Those that are something to at least one client."""
    return [name for name in profiles[0].stages
            if any(p.stages[name] >= SHARE_SHOWN * p.total for p in profiles)]


def table(profiles: Sequence[Profile], what: str) -> Table:
    """Stages down, clients across; `what` is per frame, per kB, or the share."""
    unit, meaning = UNITS[profiles[0].tool]
    per = {"frame": per_frame, "kB": per_kilobyte}.get(what)
    columns = [Column("stage", left=True)] + [Column(p.name) for p in profiles]

    def text(profile: Profile, cost: float) -> str:
        return number(per(profile, cost)) if per else percent(cost, profile.total)
    lines: List[Optional[List[str]]] = [
        [name] + [text(p, p.stages[name]) for p in profiles] for name in shown_stages(profiles)]
    lines += [None, ["all"] + [text(p, p.total) for p in profiles]]
    title = "%s a %s, by stage" % (unit, what) if per else "Share of each stage"
    return Table(title, columns, lines, [meaning + "."] if what == "frame" else [])


def setting(row: Row) -> str:
    """What was collected, in a sentence: clients beside each other share it."""
    return "%d servers, frames of %d to %d B" % (row["servers"], row["size_min"], row["size_max"])


def how(profile: Profile) -> str:
    """And how a client did it."""
    row = profile.row
    return "%s: %d workers, of which %d may run, verify %s, n = %d" % (
        profile.name, row["workers"], row["concurrency"], row["verify"], profile.n)


def strangers_text(profiles: Sequence[Profile]) -> List[str]:
    """The largest functions that no stage claims, so that the map can be completed."""
    lines = []
    for profile in profiles:
        named = ["%s %s" % (name, percent(cost, profile.total))
                 for name, cost in profile.strangers if cost >= SHARE_SHOWN * profile.total]
        if named:
            lines.append("%s: not known: %s." % (profile.name, ", ".join(named)))
    return lines


def families(profiles: Sequence[Profile]) -> List[Tuple[str, List[Profile]]]:
    """Profiles that ran the same setting belong beside each other, as far as a terminal is wide."""
    found: Dict[str, List[Profile]] = {}
    for profile in profiles:
        found.setdefault(setting(profile.row), []).append(profile)
    return [(said, members[i:i + COLUMNS_MAX]) for said, members in found.items()
            for i in range(0, len(members), COLUMNS_MAX)]


def blocks(profiles: Sequence[Profile], kinds: Sequence[str]) -> List[Union[str, Table]]:
    """What there is to show; `kinds` are of TABLES."""
    found: List[Union[str, Table]] = []
    for said, members in families(profiles):
        found.append("%s. %s." % (said, "; ".join(map(how, members))))
        found += [table(members, kind) for kind in kinds]
    return found + strangers_text(profiles)


def build(results: Results) -> Section:
    """The report's section: of a folder that `make profile` wrote; one line for any other."""
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
    """From the stacks, which then may go; says on standard error what is left out."""
    results, _ = load_or_explain(PROGRAM, folder)
    if results is None:
        return []
    profiles, problems = take_profiles(results)
    for problem in problems:
        print("%s: %s" % (PROGRAM, problem), file=sys.stderr)
    if profiles:
        with open(os.path.join(folder, FILE), "w", encoding="utf-8") as file:
            file.write(to_json(profiles))
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
        print("%s: %s: no profile of any row that counts" % (PROGRAM, asked.folder),
              file=sys.stderr)
        return 1
    for block in blocks(profiles, [asked.table] if asked.table else TABLES):
        print(to_text(block) if isinstance(block, Table) else wrap(block) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
