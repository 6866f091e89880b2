#!/usr/bin/env python3
"""Prints what a folder of scenarios/bench comes to: medians, ratios and figures, and whether they
reach the targets."""

import argparse
import statistics
import sys
from typing import List, Sequence

import bench_line
import bench_link
import bench_rate
import bench_ratios
import bench_scale
import bench_slices
from rows import Row, group, load_or_explain

SCALES = (("gb_per_cpu_s", 1), ("bytes_per_s", 1e-9), ("peak_rss_kb", 1.024e-3))


def engine(row: Row) -> str:
    """In a word: a library comes with its version."""
    return (row["engine"] or "-").split()[0]


def medians(rows: Sequence[Row]) -> List[str]:
    """What the ratios are made of."""
    lines = []
    named = [dict(row, engine=engine(row)) for row in rows]
    for cell, members in group(named, ("section", "scheme", "engine", "workers")).items():
        figures = [[row[key] * scale for row in members if row[key] is not None]
                   for key, scale in SCALES]
        shown = ["%8.2f" % statistics.median(values) if values else "%8s" % "-"
                 for values in figures]
        lines.append("%-10s  %-15s  %-8s  %7d  %s  %d" % (*cell, "  ".join(shown), len(members)))
    return sorted(lines)


def main() -> int:
    """The command. Exit codes: 0 printed; 1 no rows, or --require and a target was not reached;
    2 wrong use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="what scenarios/bench wrote")
    parser.add_argument("--require", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--no-medians", action="store_true",
                        help="only ratios and marks, not what they are made of")
    arguments = parser.parse_args()
    results, code = load_or_explain("bench.py", arguments.folder)
    if results is None:
        return code
    rows = bench_line.usable(results)
    if not rows:
        print("bench.py: %s: no sound rows of scenario %s" % (arguments.folder,
                                                              bench_line.SCENARIO),
              file=sys.stderr)
        return 1
    if not arguments.no_medians:
        print("%-10s  %-15s  %-8s  %7s  %8s  %8s  %8s  n   (medians)" % (
            "section", "scheme", "engine", "workers", "GB/CPU s", "GB/s", "peak MB"))
        print("\n".join(medians(rows)) + "\n")
    print(bench_line.HEAD)
    missed = False
    for lines, missed_some in (bench_ratios.lines(results), bench_slices.lines(results),
                               bench_scale.lines(results),
                               bench_rate.lines(arguments.folder),
                               bench_link.lines(arguments.folder)):
        print("\n".join(lines))
        missed = missed or missed_some
    return 1 if arguments.require and missed else 0


if __name__ == "__main__":
    sys.exit(main())
