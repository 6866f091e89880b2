"""The report as Markdown: report.md."""

from typing import List, Sequence

import machine
from contents import Report, caveats, lists
from figures import Drawn
from section import Figure, Section
from tables import Table, escape, to_markdown


def section_lines(section: Section, drawn: Drawn) -> List[str]:
    parts = ["## %s" % escape(section.title), ""]
    parts += [escape(section.lead), ""] if section.lead else []
    for block in section.blocks:
        parts.append(to_markdown(block) if isinstance(block, Table) else escape(block) + "\n")
    for picture in drawn.pictures:
        if picture.figure in section.figures:
            parts += figure_lines(picture.figure, drawn.kinds)
    return parts


def figure_lines(figure: Figure, kinds: Sequence[str]) -> List[str]:
    """The picture, with links to its other formats, data and script."""
    others = ["[%s](figures/%s.%s)" % (kind.upper(), figure.name, kind)
              for kind in kinds if kind != "svg"]
    others += ["[data](figures/%s.dat)" % figure.name, "[script](figures/%s.gp)" % figure.name]
    caption = escape(figure.caption)
    return ["![%s](figures/%s.svg)" % (caption, figure.name), "",
            "*%s; %s.* %s" % (caption, figure.settings.get("RUNS", ""), ", ".join(others)), ""]


def list_lines(title: str, lines: Sequence[str]) -> List[str]:
    return ["## %s" % title, ""] + ["- %s" % escape(line) for line in lines] + [""] if lines else []


def to_page(report: Report, drawn: Drawn) -> str:
    origin = report.origin
    parts = ["# Report of a run", "", "| | |", "| :--- | :--- |"]
    parts += ["| %s | %s |" % (name, escape(text)) for name, text in (
        ("machine", origin.machine), ("command", "`%s`" % origin.command),
        ("commit", origin.commit), ("seed", origin.seed),
        ("rows", "%d, of which %d count" % (len(report.results.rows), report.counted)))]
    parts += ["| warning | %s |" % escape(text) for text in machine.warnings(report.results)]
    parts += [""] + section_lines(report.summary, drawn)
    parts += list_lines("How to read this", caveats(report.results))
    for section in report.sections:
        parts += section_lines(section, drawn)
    for _, title, lines in lists(report, drawn.problems):
        parts += list_lines(title, lines)
    parts += list_lines("The machine in full", machine.details(report.results))
    return "\n".join(parts)
