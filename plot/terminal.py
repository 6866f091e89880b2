"""A report in a terminal: the summary on one screen, or everything."""

from typing import List

import machine
from contents import Report, lists
from section import Section, shorten
from tables import WIDTH, Table, to_compact_text, to_text, wrap


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


def to_screen(report: Report) -> str:
    """The summary: at most 60 lines of at most WIDTH columns. The pages have the full text."""
    summary = report.summary
    parts = [summary.title] + [shorten(line, WIDTH) for line in head_lines(report)]
    parts += [*map(wrap, summary.lead.split("\n")), ""]
    parts += [to_compact_text(block) if isinstance(block, Table) else shorten(block, WIDTH)
              for block in summary.blocks]
    return "\n".join(parts)


def to_terminal(report: Report) -> str:
    """All sections and lists, then the summary."""
    parts = [section_text(section) for section in report.sections]
    for _, title, lines in lists(report, ()):
        parts += [wrap(title + ":")] + [wrap(line, "  - ") for line in lines] + [""]
    return "\n".join(parts + [to_screen(report)])
