#!/usr/bin/env python3
"""Prints what a folder of scenarios/bench.conf comes to: ratios of rows of the same block, and
whether they reach the targets.

A block holds one row of every cell, run within seconds of each other; a ratio taken inside a block
is spared the slow drifts of a machine. Shown is the median of the blocks' ratios, and their range.
"""

import argparse
import statistics
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import bench_link
import bench_slices
from rows import Results, Row, group, load_or_explain, select

SCENARIO = "bench"


Cell = Dict[str, Any]  # keys of a row and their values


class Target(NamedTuple):
    """A ratio of one figure between two cells of a section, and the bound that it should keep."""

    section: str
    figure: str
    upper: Cell
    lower: Cell
    at_least: Optional[float] = None
    below: Optional[float] = None
    above: Optional[float] = None

    def reached(self, ratio: float) -> bool:
        """Whether the bound holds."""
        return ((self.at_least is None or ratio >= self.at_least)
                and (self.above is None or ratio > self.above)
                and (self.below is None or ratio < self.below))

    def bound(self) -> str:
        """The bound in words; "" for a ratio that is only shown."""
        words = ((">= ", self.at_least), ("> ", self.above), ("< ", self.below))
        return " and ".join("%s%.2f" % (sign, value) for sign, value in words if value is not None)


CPU, MEMORY = "gb_per_cpu_s", "peak_rss_kb"
NAMES = {CPU: "GB per client CPU second", MEMORY: "peak memory"}
RAW, DRAIN, CHAIN = {"scheme": "raw"}, {"scheme": "drain"}, {"scheme": "chain"}
RING, FIXED, SLICES = {"scheme": "ring"}, {"scheme": "fixed"}, {"scheme": "slices"}


def engines(section: str, bound: float) -> List[Target]:
    """io_uring against epoll, with nothing buffered and with the paper's scheme."""
    return [Target(section, CPU, {"scheme": scheme, "engine": "uring"},
                   {"scheme": scheme, "engine": "epoll"}, at_least=bound)
            for scheme in ("drain", "chain")]


def many_workers(engine: str) -> Target:
    """What waiting workers cost: 16 against 2, of which 2 may run."""
    return Target("workers", CPU, {"engine": engine, "workers": 16},
                  {"engine": engine, "workers": 2}, at_least=0.9)


TARGETS = (
    Target("loopback", CPU, DRAIN, RAW, at_least=0.9),
    Target("loopback", CPU, CHAIN, RAW, at_least=0.75),
    Target("loopback", CPU, RING, RAW),
    Target("loopback", CPU, FIXED, RAW),
    Target("loopback", MEMORY, DRAIN, RAW),
    Target("loopback", MEMORY, CHAIN, RAW),
    Target("loopback", MEMORY, RING, RAW),
    Target("loopback", MEMORY, FIXED, RAW),
    Target("slices", CPU, SLICES, RAW, at_least=0.9),
    Target("slices", CPU, SLICES, CHAIN),
    Target("slices", CPU, DRAIN, RAW),
    Target("slices", MEMORY, SLICES, RAW),
    Target("slices-10k", CPU, SLICES, RAW, at_least=0.8),
    Target("slices-cap", CPU, {"pool_cap_bytes": 10 ** 6}, {"pool_cap_bytes": 10 ** 9},
           at_least=0.95),
    Target("one-record", CPU, CHAIN, FIXED, above=1),
    Target("one-record", CPU, CHAIN, RING, above=1),
    Target("one-record", MEMORY, CHAIN, FIXED, below=1),
    Target("one-record", MEMORY, CHAIN, RING, below=1),
    *engines("large", 1.0),
    *engines("small", 1.25),
    many_workers("epoll"),
    many_workers("uring"),
)


def usable(results: Results) -> List[Row]:
    """Rows of the bench that count as results."""
    return [row for row in results.rows
            if row["scenario"] == SCENARIO and row["status"] == "ok" and row["audit"] == "pass"]


def by_block(rows: Sequence[Row], section: str, cell: Cell, figure: str) -> Dict[int, float]:
    """The figure by block; blocks in which it was not measured, or is 0, are left out."""
    return {row["repeat"]: row[figure] for row in select(rows, section=section, **cell)
            if row[figure]}


def ratios(rows: Sequence[Row], target: Target) -> List[float]:
    """One ratio for each block that has both rows."""
    upper = by_block(rows, target.section, target.upper, target.figure)
    lower = by_block(rows, target.section, target.lower, target.figure)
    return [upper[block] / lower[block] for block in sorted(set(upper) & set(lower))]


def name(cell: Cell) -> str:
    """A cell in a few letters: `chain`, `uring drain`, `epoll W=16`."""
    words = [cell.get("engine"), cell.get("scheme"),
             "W=%d" % cell["workers"] if "workers" in cell else None,
             "cap %d MB" % (cell["pool_cap_bytes"] / 1e6) if "pool_cap_bytes" in cell else None]
    return " ".join(word for word in words if word)


def mark(target: Target, found: Sequence[float]) -> str:
    """What became of a target; "" for a ratio that is only shown."""
    if not target.bound():
        return ""
    if not found:
        return "not measured"
    return "reached" if target.reached(statistics.median(found)) else "MISSED"


def line(target: Target, found: Sequence[float]) -> str:
    """A line of the table."""
    middle = "%.2f" % statistics.median(found) if found else "-"
    spread = "%.2f..%.2f" % (min(found), max(found)) if found else ""
    return ("%-10s  %-24s  %11s / %-11s  %6s  %-12s  %d  %-8s %s" % (
        target.section, NAMES[target.figure], name(target.upper), name(target.lower), middle,
        spread, len(found), target.bound(), mark(target, found))).rstrip()


def medians(rows: Sequence[Row]) -> List[str]:
    """What the ratios are made of."""
    lines = []
    for cell, members in group(rows, ("section", "scheme", "engine", "workers")).items():
        figures = [[row[key] for row in members if row[key] is not None]
                   for key in (CPU, "bytes_per_s", MEMORY)]
        shown = ["%8.2f" % (statistics.median(values) * scale) if values else "%8s" % "-"
                 for values, scale in zip(figures, (1, 1e-9, 1.024e-3))]
        lines.append("%-10s  %-6s  %-6s  %7d  %s  %d" % (*cell, "  ".join(shown), len(members)))
    return sorted(lines)


def main() -> int:
    """The command. Exit codes: 0 printed; 1 no rows, or --require and a target was not reached;
    2 wrong use."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", help="what fanin-sweep scenarios/bench.conf wrote")
    parser.add_argument("--require", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    results, code = load_or_explain("bench.py", arguments.folder)
    if results is None:
        return code
    rows = usable(results)
    if not rows:
        print("bench.py: %s: no sound rows of scenario %s" % (arguments.folder, SCENARIO),
              file=sys.stderr)
        return 1
    print("%-10s  %-6s  %-6s  %7s  %8s  %8s  %8s  n   (medians)" % (
        "section", "scheme", "engine", "workers", "GB/CPU s", "GB/s", "peak MB"))
    print("\n".join(medians(rows)))
    print("\n%-10s  %-24s  %-25s  %6s  %-12s  n  %-8s" % ("section", "figure", "ratio of",
                                                         "median", "range", "target"))
    found = [ratios(rows, target) for target in TARGETS]
    print("\n".join(map(line, TARGETS, found)))
    slices_lines, slices_missed = bench_slices.lines(rows)
    link_lines, link_missed = bench_link.lines(arguments.folder)
    print("\n".join(slices_lines + link_lines))
    missed = slices_missed or link_missed or any(mark(*pair) not in ("", "reached")
                                for pair in zip(TARGETS, found))
    return 1 if arguments.require and missed else 0


if __name__ == "__main__":
    sys.exit(main())
