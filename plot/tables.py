"""A table, and how it is printed: as columns for a terminal, or as Markdown."""

import math
import textwrap
from typing import Iterable, List, NamedTuple, Optional, Sequence

WIDTH = 100  # columns of a terminal that every table must fit
GAP = "  "
NONE = "-"   # nothing measured here


class Column(NamedTuple):
    """`group` stands over neighbouring columns that share it."""

    head: str
    group: str = ""
    left: bool = False


class Table(NamedTuple):
    """`rows` hold finished text; None is a line between two blocks, and one text alone in its row
    heads those below."""

    title: str
    columns: Sequence[Column]
    rows: List[Optional[List[str]]]
    notes: Sequence[str] = ()


def in_blocks(blocks: Iterable[Sequence[List[str]]]) -> List[Optional[List[str]]]:
    """The rows of a table, with a line between blocks."""
    rows: List[Optional[List[str]]] = []
    for block in filter(None, blocks):
        rows += ([None] if rows else []) + list(block)
    return rows


# ---- numbers as text ----


def number(value: Optional[float]) -> str:
    """Three significant digits, whole from 100 up: no run is more precise. None, NaN and infinity
    are not measurements."""
    if value is None or not math.isfinite(value):
        return NONE
    if value < 0:
        return "-" + number(-value)
    if value >= 99.95:
        return "%d" % round(value)
    if value >= 9.995:
        return "%.1f" % value
    if value >= 0.9995:
        return "%.2f" % value
    if value < 1e-9:
        return "0" if value == 0 else "%.2g" % value
    return "%.*f" % (2 - math.floor(math.log10(value)), value)


def exact(value: Optional[float]) -> str:
    """A whole number with separators of thousands, as the paper prints memory."""
    return NONE if value is None else "{:,.0f}".format(value)


def span(low: Optional[float], high: Optional[float]) -> str:
    """`low..high`, or one value if both print alike."""
    if low is None or high is None:
        return NONE
    return number(low) if number(low) == number(high) else number(low) + ".." + number(high)


def ratio(measured: Optional[float], paper: Optional[float]) -> str:
    """measured / paper as a factor; none without both."""
    return number(measured / paper) + "x" if measured is not None and paper else NONE


def percent(part: Optional[float], whole: Optional[float]) -> str:
    """A share in whole percent, or two digits below 10 %."""
    if part is None or not whole:
        return NONE
    share = 100 * part / whole
    return "%.0f %%" % share if share >= 10 or share == 0 else "%.2g %%" % share


# ---- printing ----


def widths(table: Table) -> List[int]:
    """Column widths: the widest text, and together at least the group's name."""
    wide = [max([len(column.head)] + [len(row[i]) for row in table.rows if row and len(row) > 1])
            for i, column in enumerate(table.columns)]
    for first, last in runs(table.columns):
        missing = len(table.columns[first].group) - sum(wide[first:last]) \
            - len(GAP) * (last - first - 1)
        wide[first] += max(0, missing)
    return wide


def runs(columns: Sequence[Column]) -> List[List[int]]:
    """[first, past the last] of neighbours that share a group, or of one column without a group."""
    found: List[List[int]] = []
    for i, column in enumerate(columns):
        if found and column.group and columns[i - 1].group == column.group:
            found[-1][1] = i + 1
        else:
            found.append([i, i + 1])
    return found


def group_lines(table: Table, wide: Sequence[int]) -> List[str]:
    """The line of group names, each centred over its columns; none without groups."""
    if not any(column.group for column in table.columns):
        return []
    parts = []
    for first, last in runs(table.columns):
        room = sum(wide[first:last]) + len(GAP) * (last - first - 1)
        name = table.columns[first].group
        parts.append((" %s " % name).center(room, "-") if name and len(name) + 4 <= room
                     else name.center(room))
    return [GAP.join(parts).rstrip()]


def text_line(cells: Sequence[str], columns: Sequence[Column], wide: Sequence[int]) -> str:
    """A row; a heading has one text, which continues over all columns."""
    return GAP.join(cell.ljust(w) if column.left else cell.rjust(w)
                    for cell, column, w in zip(cells, columns, wide)).rstrip()


def wrap(text: str, indent: str = "", lines_max: Optional[int] = None) -> str:
    """A paragraph within WIDTH; no line begins with a percent sign."""
    filled = textwrap.fill(text.replace(" %", "\0%"), WIDTH, initial_indent=indent,
                           subsequent_indent=" " * len(indent), break_long_words=False,
                           break_on_hyphens=False, max_lines=lines_max, placeholder="...")
    return filled.replace("\0", " ")


def to_compact_text(table: Table) -> str:
    """For the summary on one screen: no rules and no blank lines."""
    wide = widths(table)
    lines = [[column.head for column in table.columns]] + list(filter(None, table.rows))
    return "\n".join([wrap(table.title)] + group_lines(table, wide) + [
        text_line(line, table.columns, wide) for line in lines]
        + [wrap(note) for note in table.notes]) + "\n"


def to_text(table: Table) -> str:
    wide = widths(table)
    rule = "-" * (sum(wide) + len(GAP) * (len(wide) - 1))
    lines = [wrap(table.title), "=" * len(rule)] + group_lines(table, wide)
    lines += [text_line([column.head for column in table.columns], table.columns, wide), rule]
    lines += [text_line(row, table.columns, wide) if row else "" for row in table.rows]
    return "\n".join(lines + [rule] + [wrap(note, "  ") for note in table.notes]) + "\n"


def escape(text: str) -> str:
    """Text for a Markdown table's cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def to_markdown(table: Table) -> str:
    """Markdown; a group's name moves into its columns' heads."""
    heads = ["%s<br>%s" % (escape(c.group), escape(c.head)) if c.group else escape(c.head)
             for c in table.columns]
    lines = ["**%s**" % escape(table.title), "", "| %s |" % " | ".join(heads),
             "|%s" % "".join(" :--- |" if column.left else " ---: |" for column in table.columns)]
    for row in filter(None, table.rows):
        missing = len(table.columns) - len(row)
        lines.append("| %s |" % " | ".join([escape(cell) for cell in row] + [""] * missing))
    return "\n".join(lines + [""] + ["- %s" % escape(note) for note in table.notes]) + "\n"
