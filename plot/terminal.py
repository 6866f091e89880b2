"""A report in a terminal: the summary on one screen, or everything."""

from typing import List

import machine
from contents import Report, lists
from rows import is_of_screens
from section import Section, shorten
from tables import WIDTH, Table, to_compact_text, to_text, wrap

LINES_MAX = 59         # of the summary
LINES_OF_SCREENS = 20  # that paper B's part adds to it, where its programs ran


def section_text(section: Section) -> str:
    """The section's paragraphs, the first with the title, and its tables."""
    parts = [wrap(section.lead) + "\n"] if section.lead else []
    title = section.title.rstrip(".") + ". "
    for block in section.blocks:
        if isinstance(block, Table):
            parts.append(to_text(block))
        else:
            parts.append(wrap(title + block) + "\n")
            title = ""
    return "\n".join(parts)


def head_lines(report: Report) -> List[str]:
    return ["Machine: " + report.origin.machine, "Commit %s, seed %s, %d of %d rows count." % (
        report.origin.commit, report.origin.seed, report.counted, len(report.results.rows)),
            *machine.warnings(report.results)]


def summary_text(report: Report, lines_max: int) -> str:
    """The summary; a sentence between its tables has at most so many lines."""
    summary = report.summary
    parts = [summary.title] + [shorten(line, WIDTH) for line in head_lines(report)]
    parts += [*map(wrap, summary.lead.split("\n")), ""]
    parts += [to_compact_text(block) if isinstance(block, Table) else wrap(block, "", lines_max)
              for block in summary.blocks]
    return "\n".join(parts)


def to_screen(report: Report) -> str:
    """The summary: at most LINES_MAX lines of at most WIDTH columns (and LINES_OF_SCREENS), and one
    for where the report is. The pages have the full text."""
    roomy = summary_text(report, 2)
    lines_max = LINES_MAX + LINES_OF_SCREENS * any(map(is_of_screens, report.results.rows))
    return roomy if len(roomy.splitlines()) <= lines_max else summary_text(report, 1)


def to_terminal(report: Report) -> str:
    """All sections and lists, then the summary."""
    parts = [section_text(section) for section in report.sections]
    for _, title, lines in lists(report, ()):
        parts += [wrap(title + ":")] + [wrap(line, "  - ") for line in lines] + [""]
    return "\n".join(parts + [to_screen(report)])
