#!/usr/bin/env python3
"""Tables 1 to 3 and the specification beside the paper's numbers, from a results folder's rows.

Prints the tables; writes report.md and figures/. Data to standard output, everything else to
standard error.
"""

import argparse
import os
import sys
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import figures
import machine
import spec
import table1
import table2
import table3
from rows import Results, is_result, load_or_explain, run_command, why_excluded
from section import Figure, Section
from tables import Table, escape, to_markdown, to_text, wrap

PROGRAM = "plot/report.py"
SECTIONS = (table1.build, table2.build, table3.build, spec.build)
NOT_COMPARABLE = (
    "Absolute milliseconds and MB/s cannot be compared with the paper's: its servers sat behind a "
    "100 Mbit/s LAN, which sets most of its times, ours share this machine and its loopback; its "
    "CPU was a Core2 6300 at 1.86 GHz under Windows XP. What can be compared are relations between "
    "cells (scheme against scheme, mode against mode, one number of workers against another), "
    "thread counts, and roughly peak memory.")
CAVEATS = (
    NOT_COMPARABLE,
    "The servers run on the same machine as the client and take CPU from it; each row names its "
    "bottleneck.",
    "Tables 2 and 3 are closed-loop: a server sends as fast as the client takes, so they say "
    "nothing about latency. The specification is open-loop: records are sent on schedule, and "
    "latency counts from the scheduled moment.",
    "Each row is a client process of its own. Cells are medians over rows, spreads are min..max, "
    "no outlier is dropped. Overlapping ranges settle nothing; a difference of medians is not yet "
    "a verdict.",
    "Only rows with status ok and a passed byte audit count, and of the connection test those that "
    "failed in nothing but connecting. All others are listed.",
    "The paper does not say why connections failed, nor its round-trip time; loopback loses "
    "nothing.",
)


class Report(NamedTuple):
    """Everything that both looks need."""

    results: Results
    sections: List[Section]
    origin: machine.Provenance
    excluded: List[str]


# ---- what did not count ----


def excluded(results: Results) -> List[str]:
    """Skipped and failed rows with their reasons, equal ones together."""
    counts: Dict[Tuple[str, str], int] = {}
    for row in results.rows:
        if not is_result(row):
            where = "/".join(part for part in (row["scenario"], row["section"]) if part)
            what = " ".join(part for part in (where, row["client"], row["cell"]) if part)
            key = (what, why_excluded(row))
            counts[key] = counts.get(key, 0) + 1
    return ["%s (%d row%s): %s" % (what, count, "" if count == 1 else "s", why)
            for (what, why), count in counts.items()]


# ---- in a terminal ----


def section_text(section: Section) -> str:
    """Its paragraphs and tables."""
    parts = []
    for block in section.blocks:
        parts.append(to_text(block) if isinstance(block, Table)
                     else wrap("%s. %s" % (section.title.rstrip("."), block)) + "\n")
    return "\n".join(parts)


def list_text(title: str, lines: Sequence[str]) -> List[str]:
    return [wrap(title)] + [wrap(line, "  - ") for line in lines] + [""] if lines else []


def to_terminal(report: Report) -> str:
    """The tables, what they rest on, and what was left out."""
    parts = [wrap("Machine: " + report.origin.machine),
             wrap("Commit %s, seed %s, %d of %d rows count." % (
                 report.origin.commit, report.origin.seed,
                 len([row for row in report.results.rows if is_result(row)]),
                 len(report.results.rows)))]
    parts += [wrap(warning) for warning in machine.warnings(report.results)]
    parts += ["", wrap(NOT_COMPARABLE), ""]
    parts += [section_text(section) for section in report.sections]
    parts += list_text("Rows that do not count:", report.excluded)
    parts += list_text("Left out of the folder's files:", report.results.problems)
    return "\n".join(parts)


# ---- as a page ----


def section_markdown(section: Section, drawn: Sequence[Figure]) -> List[str]:
    """Its tables, then its figures; a figure links to what drew it."""
    parts = ["## %s" % section.title, ""]
    for block in section.blocks:
        parts.append(to_markdown(block) if isinstance(block, Table) else escape(block) + "\n")
    for figure in drawn:
        parts += ["![%s](figures/%s.svg)" % (escape(figure.caption), figure.name), "",
                  "*%s; %s.* [PNG](figures/%s.png), [data](figures/%s.dat), [script]"
                  "(figures/%s.gp)" % ((escape(figure.caption), figure.settings.get("RUNS", ""))
                                       + (figure.name,) * 3), ""]
    return parts


def list_markdown(title: str, lines: Sequence[str]) -> List[str]:
    return ["## %s" % title, ""] + ["- %s" % escape(line) for line in lines] + [""] if lines else []


def to_page(report: Report, drawn: Sequence[Figure], undrawn: Sequence[str]) -> str:
    """report.md: the same tables, the figures, and the run's record."""
    origin = report.origin
    parts = ["# Report of a run", "", "| | |", "| :--- | :--- |"]
    parts += ["| %s | %s |" % (name, escape(text)) for name, text in (
        ("machine", origin.machine), ("command", "`%s`" % origin.command),
        ("commit", origin.commit), ("seed", origin.seed),
        ("rows", "%d, of which %d count" % (len(report.results.rows), len(
            [row for row in report.results.rows if is_result(row)]))))]
    parts += ["| warning | %s |" % escape(text) for text in machine.warnings(report.results)]
    parts += [""] + list_markdown("How to read this", CAVEATS)
    for section in report.sections:
        parts += section_markdown(section, [f for f in drawn if f in section.figures])
    parts += list_markdown("Figures left out", undrawn)
    parts += list_markdown("Rows that do not count", report.excluded)
    parts += list_markdown("Left out of the folder's files", report.results.problems)
    parts += list_markdown("The machine in full", machine.details(report.results))
    return "\n".join(parts)


# ---- the command ----

ABOUT = """Prints Tables 1, 2 and 3 in the paper's layout: for every cell the paper's value, the
measured median and spread (min..max, n), and the ratio measured / paper.

Writes DIR/report.md and DIR/figures/ (SVG, PNG, and the gnuplot script and data of each)."""
EPILOGUE = """examples:
  plot/report.py out/latest                     tables to the terminal, page and figures to disk
  plot/report.py out/latest --no-figures        without gnuplot
  plot/report.py results/reference --out /tmp/x leaves the results folder untouched

A cell counts rows with status ok and a passed audit; all others are listed with their reasons.
An experiment that was not run is left out with one line.

exit codes: 0 done; 1 no usable row; 2 wrong use"""


def options(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ABOUT, epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="RESULTS", help="results folder that fanin-sweep wrote")
    parser.add_argument("--out", metavar="DIR",
                        help="where report.md and figures/ go (default: RESULTS)")
    parser.add_argument("--no-figures", action="store_true", help="tables and report.md only")
    return parser.parse_args(arguments)


def gather(results: Results) -> Report:
    return Report(results, [build(results) for build in SECTIONS], machine.provenance(results),
                  excluded(results))


def write_page(report: Report, folder: str, with_figures: bool) -> str:
    """Draws, writes report.md, says on standard error what could not be drawn. Its path."""
    wanted = [figure for section in report.sections for figure in section.figures]
    drawn, undrawn = [], ["not asked for (--no-figures)"]
    os.makedirs(folder, exist_ok=True)
    if with_figures:
        drawn, undrawn = figures.draw(wanted, os.path.join(folder, "figures"), report.origin)
        for why in undrawn:
            print("%s: %s" % (PROGRAM, why), file=sys.stderr)
    path = os.path.join(folder, "report.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write(to_page(report, drawn, undrawn))
    return path


def main(arguments: Optional[Sequence[str]] = None) -> int:
    asked = options(arguments)
    results, code = load_or_explain(PROGRAM, asked.folder)
    if results is None:
        return code
    report = gather(results)
    if not any(is_result(row) for row in results.rows):
        for line in report.excluded:
            print(line, file=sys.stderr)
        print("%s: %s: none of %d rows counts (status ok, audit pass); nothing to report"
              % (PROGRAM, asked.folder, len(results.rows)), file=sys.stderr)
        return 1
    print(to_terminal(report))
    try:
        path = write_page(report, asked.out or asked.folder, not asked.no_figures)
    except OSError as error:
        print("%s: %s: %s; choose another folder with --out" % (PROGRAM, error.filename,
                                                                error.strerror), file=sys.stderr)
        return 2
    print("Report: %s" % path)
    return 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a machine's name may hold what the terminal cannot
    sys.exit(run_command(main))
