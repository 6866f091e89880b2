#!/usr/bin/env python3
"""Prints the table of `make bench` from a folder that it wrote: medians of the cells, then ratios
and figures with their targets (plot/bench_lines.py)."""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # missing under PYTHONSAFEPATH
    import own_python  # first: nothing else may come from the user's settings

import argparse
from typing import List, Optional, Sequence

import bench_lines
from rows import Row, group, load_or_explain, numbers, run_command
from stats import median

PROGRAM = "plot/bench.py"
SCALES = (("gb_per_cpu_s", 1), ("bytes_per_s", 1e-9), ("peak_rss_kb", 1.024e-3))
EPILOGUE = """examples:
  make bench                                     measures, and prints this
  plot/bench.py results/reference/bench          the table again
  plot/bench.py out/bench-... --no-medians --require

A ratio is the median over blocks; a block has one row of each cell, run within seconds of each
other. A line without a target is only shown. plot/compare.py --bench compares two such folders.

exit codes: 0 printed; 1 no rows, or --require and a target was missed; 2 wrong use"""


def engine(row: Row) -> str:
    """The engine in one word: a library's comes with its version."""
    return (row["engine"] or "-").split()[0]


def medians(rows: Sequence[Row]) -> List[str]:
    lines = []
    named = [dict(row, engine=engine(row)) for row in rows]
    for cell, members in group(named, ("section", "scheme", "engine", "workers")).items():
        figures = [numbers(members, key) for key, _ in SCALES]
        shown = ["%8.2f" % (median(values) * scale) if values else "%8s" % "-"
                 for values, (_, scale) in zip(figures, SCALES)]
        lines.append("%-10s  %-15s  %-8s  %7d  %s  %d" % (*cell, "  ".join(shown), len(members)))
    return sorted(lines)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__, epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", help="folder that make bench wrote")
    parser.add_argument("--require", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--no-medians", action="store_true",
                        help="only the ratios and figures, not the cells' medians")
    asked = parser.parse_args(arguments)
    results, code = load_or_explain(PROGRAM, asked.folder)
    if results is None:
        return code
    bench = bench_lines.bench_of(results)
    if not bench.rows:
        print("%s: %s: no row of scenario %s passed its audit"
              % (PROGRAM, asked.folder, bench_lines.SCENARIO), file=sys.stderr)
        return 1
    if not asked.no_medians:
        print("%-10s  %-15s  %-8s  %7s  %8s  %8s  %8s  n   (medians)" % (
            "section", "scheme", "engine", "workers", "GB/CPU s", "GB/s", "peak MB"))
        print("\n".join(medians(bench.rows)) + "\n")
    found = [bench_lines.text_of(line, bench) for line in bench_lines.LINES]
    print("\n".join([bench_lines.HEAD] + [text for text, _ in found]))
    return 1 if asked.require and any(bench_lines.is_missed(mark) for _, mark in found) else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
