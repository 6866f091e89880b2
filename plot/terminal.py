"""A report in a terminal: what it rests on, the tables, what was left out, and at the end, where
the eye is, what a reader came for."""

from typing import List, Sequence

import machine
from contents import Report, not_comparable
from section import Section
from tables import Table, to_text, wrap


def section_text(section: Section) -> str:
    """Its paragraphs, the first of which begins with the title, and its tables."""
    parts = [wrap(section.lead) + "\n"] if section.lead else []
    title = section.title.rstrip(".") + ". "
    for block in section.blocks:
        if isinstance(block, Table):
            parts.append(to_text(block))
        else:
            parts.append(wrap(title + block) + "\n")
            title = ""
    return "\n".join(parts)


def list_text(title: str, lines: Sequence[str]) -> List[str]:
    return [wrap(title)] + [wrap(line, "  - ") for line in lines] + [""] if lines else []


def to_terminal(report: Report) -> str:
    """The whole of it."""
    parts = [wrap("Machine: " + report.origin.machine),
             wrap("Commit %s, seed %s, %d of %d rows count." % (
                 report.origin.commit, report.origin.seed, report.counted,
                 len(report.results.rows)))]
    parts += [wrap(warning) for warning in machine.warnings(report.results)]
    parts += ["", wrap(not_comparable(report.results)), ""]
    parts += [section_text(section) for section in report.sections]
    parts += list_text("Rows that do not count:", report.excluded)
    parts += list_text("Left out of the folder's files:", report.results.problems)
    parts += [section_text(section) for section in report.first]
    return "\n".join(parts)
