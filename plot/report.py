#!/usr/bin/env python3
"""Reports a results folder: Tables 1 to 3 compared with the paper's, a verdict for each of its
claims, and all other experiments.

Prints a summary; writes report.html, report.md and figures/. The summary goes to standard output,
messages to standard error.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # missing under PYTHONSAFEPATH
    import own_python  # first: nothing else may come from the user's settings

import argparse
from typing import Optional, Sequence, Tuple

import attribution
import claims
import connect
import crossing
import draft
import figures
import hosts
import level
import machine
import many_screens
import markdown
import order
import page
import peers
import predicted
import scale
import screen_targets
import screens
import spec
import stages
import summary
import table1
import table2
import table3
import viewers
import wire
from contents import Report, excluded, reasons
from rows import Results, is_result, load_or_explain, run_command
from section import Section
from terminal import section_text, to_screen, to_terminal
from texts import WrongFile

PROGRAM = "plot/report.py"
SECTIONS = (predicted.build, claims.build, table1.build, connect.build, table2.build, wire.build,
            table3.build, level.build, crossing.build, spec.build, screens.build,
            screens.build_remote, many_screens.build, viewers.build, screen_targets.build,
            peers.build, scale.build, stages.build, hosts.build, claims.build_evidence,
            attribution.build, order.build)

# ---- the command ----

ABOUT = """Prints a summary on one screen: the paper's Tables 1, 2 and 3 beside this run's on the
paper's machine, each number marked as calibrated or predicted, full speed beside it, and a verdict
for each of its claims (results/paper/claims.csv). Without that machine, tables are at full speed.

Writes DIR/report.html (self-contained), DIR/report.md and DIR/figures/ (SVG, PNG and PDF, with
their gnuplot scripts and data). The pages begin with the same summary and have all tables of all
experiments."""
EPILOGUE = """examples:
  plot/report.py out/latest                     summary to the terminal, pages and figures to disk
  plot/report.py out/latest --all               every table to the terminal, too
  plot/report.py out/latest --no-figures        without gnuplot
  plot/report.py results/reference --out /tmp/x does not write to the results folder
  plot/report.py out/latest --require A2,A5     exit code 1 unless both are confirmed
  plot/report.py out/latest --section Verdicts  the verdicts only
  plot/report.py out/latest --section "The paper's machine"   calibrated values, all errors

Rows count if their status is ok and their audit passed; all others are listed with their reasons.
An experiment without results is one line.

exit codes: 0 done; 1 no usable row, or a required claim is not confirmed; 2 wrong use; 3 a figure
failed: gnuplot did, or what it drew is not the data"""


def options(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ABOUT, epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="RESULTS", help="results folder that fanin-sweep wrote")
    parser.add_argument("--out", metavar="DIR",
                        help="where report.html, report.md and figures/ go (default: RESULTS)")
    parser.add_argument("--all", action="store_true", help="print all tables of the report")
    parser.add_argument("--no-figures", action="store_true", help="tables and pages only")
    parser.add_argument("--require", metavar="ID,ID,...",
                        help="exit with 1 unless these claims are confirmed, each on the machine "
                        "that counts: the first of its line in claims.csv on which it was judged")
    parser.add_argument("--section", metavar="NAME", action="append",
                        help="print only this section (Verdicts, 'Table 1', ...), write nothing")
    return parser.parse_args(arguments)


def gather(results: Results) -> Report:
    return Report(results, summary.build(results), [build(results) for build in SECTIONS],
                  machine.provenance(results), excluded(results))


def write_pages(report: Report, folder: str, with_figures: bool) -> Tuple[str, int]:
    """Draws the figures, writes report.md and report.html, and returns the latter's path and the
    number of figures that failed."""
    wanted = [figure for section in report.sections for figure in section.figures]
    drawn = figures.Drawn([], [], ["not asked for (--no-figures)"])
    os.makedirs(folder, exist_ok=True)
    if with_figures:
        drawn = figures.draw(wanted, os.path.join(folder, "figures"), report.origin)
        for why in drawn.problems:
            print("%s: %s" % (PROGRAM, why), file=sys.stderr)
    draft.write(os.path.join(folder, "report.md"), markdown.to_page(report, drawn))
    path = draft.write(os.path.join(folder, "report.html"), page.to_html(report, drawn))
    return path, len(drawn.failed)


def print_sections(report: Report, names: Sequence[str]) -> int:
    """Prints these sections and returns the exit code."""
    verdicts = Section("Verdicts", summary.all_verdicts(report.results), [])
    sections = {report.summary.short: to_screen(report)}
    sections.update((section.short, section_text(section))
                    for section in [verdicts] + report.sections)
    unknown = [name for name in names if name not in sections]
    if unknown:
        print("%s: --section: unknown section %r; known: %s" % (
            PROGRAM, unknown[0], ", ".join(sections)), file=sys.stderr)
        return 2
    print("\n".join(sections[name] for name in names))
    return 0


def unmet(results: Results, ids: Sequence[str]) -> int:
    """Names the claims that are not confirmed, and returns the exit code."""
    lines = claims.unmet(results, ids) if ids else []
    for line in lines:
        print("%s: --require: %s" % (PROGRAM, line), file=sys.stderr)
    return 1 if lines else 0


def main(arguments: Optional[Sequence[str]] = None) -> int:
    asked = options(arguments)
    try:
        ids = claims.required(asked.require) if asked.require is not None else []
    except (ValueError, WrongFile, OSError) as error:
        print("%s: %s" % (PROGRAM, error), file=sys.stderr)
        return 2
    results, code = load_or_explain(PROGRAM, asked.folder)
    if results is None:
        return code
    if not any(is_result(row) for row in results.rows):
        print("%s: %s: none of %d rows counts (status ok, audit pass); nothing to report"
              % (PROGRAM, asked.folder, len(results.rows)), file=sys.stderr)
        for line in reasons(results):
            print("  " + line, file=sys.stderr)
        return 1
    report = gather(results)
    if asked.section:
        return print_sections(report, asked.section)
    print(to_terminal(report) if asked.all else to_screen(report))
    try:
        path, failed = write_pages(report, asked.out or asked.folder, not asked.no_figures)
    except OSError as error:
        print("%s: %s: %s; choose another folder with --out" % (PROGRAM, error.filename,
                                                                error.strerror), file=sys.stderr)
        return 2
    print("Report: %s" % path)
    return 3 if failed else unmet(results, ids)


if __name__ == "__main__":
    sys.exit(run_command(main))
