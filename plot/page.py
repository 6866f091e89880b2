"""The report as one self-contained page of HTML: figures and style are inline, it has no script,
and its content security policy forbids loading anything."""

import html
import os
import re
from typing import Dict, List, Sequence, Tuple

import machine
from contents import Report, caveats, lists
from figures import Drawn, Picture
from section import Section
from tables import NONE, Column, Table, runs

CSS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.css")
VERDICTS = {"confirmed": "confirmed", "contradicted": "contradicted",
            "inconclusive": "inconclusive", "not tested": "untested"}
HERE = "here"    # the name of a matrix's lines with measurements
NOT_RUN = "not-run"  # the anchor of the list of experiments without results
WHOLE_ROWS = 20  # print no page break within a table up to this size
NOTES_MAX = 6    # notes in one column
LONG_CELL = 34   # wrap cells with more characters

Links = Dict[str, str]  # the anchor of each name that may fill a cell


# ---- text ----


def words(text: str) -> str:
    """Text as HTML, with dashes in ranges, minus, times and plus-minus signs, and no break before a
    unit."""
    text = html.escape(" ".join(str(text).split()))
    text = text.replace("+-", "±")
    text = re.sub(r"(?<=\d)\.\.(?=\d)|(?<=[Mm]in)\.\.(?=max\b)", "–", text)
    text = re.sub(r"(?<=[\d%])\.\.(?=[-+])", " to ", text)
    text = re.sub(r"(^|(?<=[\s(]))-(?=\d)", "−", text)
    text = re.sub(r"(?<=\d)x(?=$|[\s,.;)–])", "×", text)
    return re.sub(r"(?<=\d) (?=%|kB|MB|GB|ms\b|s\b)", "\u00a0", text)


def paragraph(text: str, kind: str = "") -> str:
    return "<p%s>%s</p>" % (' class="%s"' % kind if kind else "", words(text))


def listing(title: str, lines: Sequence[str], anchor: str) -> List[str]:
    """A section with a list; nothing without lines."""
    if not lines:
        return []
    return ['<section id="%s">' % anchor, "<h2>%s</h2>" % words(title), "<ul>"] + [
        "<li>%s</li>" % words(line) for line in lines] + ["</ul>", "</section>"]


def pairs(facts: Sequence[Tuple[str, str]], wide: Sequence[str] = ()) -> str:
    return '<dl class="facts">%s</dl>' % "".join(
        "<div%s><dt>%s</dt><dd>%s</dd></div>" % (
            ' class="wide"' if name in wide else "", html.escape(name),
            "<code>%s</code>" % html.escape(value) if name in wide else words(value))
        for name, value in facts)


def folded(summary: str, text: str) -> str:
    """A long text, closed at first."""
    return "<details><summary>%s</summary><pre>%s</pre></details>" % (
        html.escape(summary), html.escape(text))


# ---- tables ----


def cell(text: str, links: Links) -> str:
    """A verdict becomes a badge, the name of a section or figure a link."""
    bare = text.strip()
    if bare in VERDICTS:
        return '<span class="verdict %s">%s</span>' % (VERDICTS[bare], words(bare))
    if bare in links:
        return '<a href="#%s">%s</a>' % (links[bare], words(bare))
    if bare == NONE:
        return '<span class="none">–</span>'
    return words(bare)


def classes(column: Column, text: str) -> str:
    names = (["left"] if column.left else []) + (["long"] if len(text) > LONG_CELL else [])
    return ' class="%s"' % " ".join(names) if names else ""


def table_row(row: Sequence[str], columns: Sequence[Column], links: Links, matrix: bool) -> str:
    """The first cell is the row's head; an indented one continues the row above. A row of one cell
    is the head of the rows below."""
    if len(row) == 1 < len(columns):
        return '<tr><th scope="rowgroup" colspan="%d" class="left">%s</th></tr>' % (
            len(columns), words(row[0]))
    parts = ["<th scope=\"row\"%s>%s</th>" % (classes(columns[0], row[0]), cell(row[0], links))]
    parts += ["<td%s>%s</td>" % (classes(column, text), cell(text, links))
              for column, text in zip(columns[1:], row[1:])]
    kind = "sub" if row[0].startswith("  ") else "" if not matrix or row[0] else \
        "here" if row[1] == HERE else "more"
    return "<tr%s>%s</tr>" % (' class="%s"' % kind if kind else "", "".join(parts))


def table_heads(columns: Sequence[Column]) -> str:
    """One line, or two if columns have groups."""
    def head(column: Column, more: str = "") -> str:
        return "<th scope=\"col\"%s%s>%s</th>" % (
            more, ' class="left"' if column.left else "", words(column.head))
    if not any(column.group for column in columns):
        return "<tr>%s</tr>" % "".join(map(head, columns))
    upper, lower = [], []
    for first, last in runs(columns):
        if columns[first].group:
            upper.append('<th scope="colgroup" colspan="%d" class="group">%s</th>' % (
                last - first, words(columns[first].group)))
            lower += [head(column) for column in columns[first:last]]
        else:
            upper.append(head(columns[first], ' rowspan="2"'))
    return "<tr>%s</tr><tr>%s</tr>" % ("".join(upper), "".join(lower))


def caption(table: Table, section: Section) -> str:
    """The table's title without the section's."""
    rest = table.title
    if rest.startswith(section.title):
        label, rest = re.fullmatch(r"(?:\s*\(([^()]*)\))?[\s,.:]*(.*)", rest[len(section.title):],
                                   re.DOTALL).groups()
        rest = ". ".join(part for part in (label, rest[:1].upper() + rest[1:]) if part)
    return "<figcaption>%s</figcaption>" % words(rest) if rest else ""


def table_html(table: Table, section: Section, links: Links) -> str:
    """A table in a box that scrolls on a narrow screen."""
    matrix = any(row and row[1:2] == [HERE] for row in table.rows)
    bodies: List[List[str]] = [[]]
    for row in table.rows:
        if row is None:
            bodies.append([])
        else:
            bodies[-1].append(table_row(row, table.columns, links, matrix))
    notes = "".join("<li>%s</li>" % words(note) for note in table.notes)
    size = "table whole" if len(table.rows) <= WHOLE_ROWS else "table matrix" \
        if len(bodies) > 1 else "table"
    return ('<figure class="%s">%s<div class="scroll" tabindex="0" role="region" '
            'aria-label="%s"><table>\n<thead>%s</thead>\n%s\n</table></div>%s</figure>' % (
                size, caption(table, section), html.escape(table.title), table_heads(table.columns),
                "\n".join("<tbody>%s</tbody>" % "\n".join(body) for body in bodies if body),
                '<ul class="notes%s">%s</ul>' % (
                    " many" if len(table.notes) > NOTES_MAX else "", notes) if notes else ""))


# ---- figures and sections ----


def picture_html(picture: Picture, kinds: Sequence[str]) -> str:
    figure = picture.figure
    files = ['<a href="figures/%s.%s">%s</a>' % (figure.name, kind, kind.upper()) for kind in kinds]
    files += ['<a href="figures/%s.dat">data</a>' % figure.name,
              '<a href="figures/%s.gp">script</a>' % figure.name]
    return ('<figure class="picture" id="%s"><div class="scroll" tabindex="0" role="region" '
            'style="--wide:%dpx" aria-label="%s">%s</div><figcaption>Files: %s.'
            '</figcaption>%s</figure>' % (
                figure.name, figure.size[0], html.escape(figure.caption), picture.svg,
                ", ".join(files), folded("Data of this figure", figure.data.strip())))


def section_html(section: Section, drawn: Drawn, links: Links) -> List[str]:
    parts = ['<section id="%s">' % section.anchor, "<h2>%s</h2>" % words(section.title)]
    parts += [paragraph(section.lead, "lead")] if section.lead else []
    for block in section.blocks:
        parts.append(table_html(block, section, links) if isinstance(block, Table)
                     else paragraph(block))
    parts += [picture_html(picture, drawn.kinds) for picture in drawn.pictures
              if picture.figure in section.figures]
    return parts + ["</section>"]


def links_of(report: Report, drawn: Drawn) -> Links:
    """Sections by their short names, and figures by theirs (`Figure 5`)."""
    found = {section.short: NOT_RUN if section.is_left_out else section.anchor
             for section in report.sections}
    for picture in drawn.pictures:
        found.setdefault(picture.figure.caption.split(". ")[0], picture.figure.name)
    return found


# ---- the page ----


def head(report: Report) -> str:
    """The head, with a policy that forbids loading and scripts."""
    with open(CSS, encoding="utf-8") as file:
        style = file.read()
    return "\n".join((
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        'style-src \'unsafe-inline\'; img-src data:">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="generator" content="fanin %s">' % html.escape(report.origin.commit),
        '<link rel="icon" href="data:,">',
        "<title>fanin: report of a run, commit %s</title>" % html.escape(report.origin.commit),
        "<style>", style.strip(), "</style>", "</head>"))


def shown(report: Report) -> List[Section]:
    """The sections with content; the page lists the others with their reasons."""
    return [section for section in report.sections if not section.is_left_out]


def navigation(report: Report, listed: Sequence[Tuple[str, str]]) -> str:
    entries = [(section.anchor, section.short) for section in [report.summary] + shown(report)]
    return '<nav aria-label="Contents"><ul>%s</ul></nav>' % "".join(
        '<li><a href="#%s">%s</a></li>' % (anchor, words(name))
        for anchor, name in entries + list(listed))


def provenance(report: Report) -> List[str]:
    """The origin of the numbers, and how to reproduce them."""
    run = report.results.run
    parts = ['<section id="provenance">', "<h2>Provenance</h2>",
             pairs(machine.origin_facts(report.results), ("command",))]
    details = machine.details(report.results)
    parts += [folded("Full record of machine and run", "\n".join(details))] if details else []
    scenarios = run.get("scenarios")
    texts = {name: scenario.get("text") for name, scenario in scenarios.items()
             if isinstance(scenario, dict)} if isinstance(scenarios, dict) else {}
    parts += [folded("Scenario %s, as it was run" % name, text)
              for name, text in texts.items() if isinstance(text, str)]
    return parts + ["</section>"]


def to_html(report: Report, drawn: Drawn) -> str:
    links = links_of(report, drawn)
    missing = ["%s. %s" % (section.title, " ".join(map(str, section.blocks)))
               for section in report.sections if section.is_left_out]
    listed = [(NOT_RUN, "Not in this run", missing)] if missing else []
    listed += lists(report, drawn.problems)
    parts = [head(report), "<body>", "<header>",
             '<h1><span class="brand">fanin</span> Report of a run</h1>',
             pairs(machine.summary(report.results))]
    parts += [paragraph(text, "warning") for text in machine.warnings(report.results)]
    parts += ["</header>", navigation(report, [("reading", "How to read this")] + [
        entry[:2] for entry in listed] + [("provenance", "Provenance")]), "<main>"]
    for section in [report.summary] + shown(report):
        parts += section_html(section, drawn, links)
    parts += listing("How to read this", caveats(report.results), "reading")
    for anchor, title, lines in listed:
        parts += listing(title, lines, anchor)
    parts += provenance(report)
    return "\n".join(parts + ["</main>", "</body>", "</html>", ""])
