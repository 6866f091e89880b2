"""Whether a figure shows its data: counts points and bars in gnuplot's SVG and values in the data.
A template says in a line `# Marks: 2 5` which columns of each block become a point or a bar;
`2; 2; 2 3` names the columns of its blocks one by one. Blocks that begin with `# labels` or
`# line` have none. Zero may leave none: a bar without height, a logarithmic axis."""

import math
import re
import xml.etree.ElementTree as ElementTree
from typing import Iterator, List, Optional, Tuple

from svg import SVG

MARKLESS = ("# labels", "# line")
WORD = re.compile(r'"[^"]*"|\S+')


def blocks(data: str) -> Iterator[List[List[str]]]:
    """The rows of each block that has marks, as words."""
    for block in data.strip("\n").split("\n\n\n"):
        lines = block.strip("\n").splitlines()
        if lines and not lines[0].startswith(MARKLESS):
            yield [WORD.findall(line) for line in lines if line and not line.startswith("#")]


def number(row: List[str], column: int) -> float:
    """The value as gnuplot reads it; NaN if there is none."""
    try:
        return float(row[column - 1])
    except (IndexError, ValueError):
        return math.nan


def expected(template: str, data: str) -> Tuple[int, int]:
    """How many marks the data makes: at least, at most."""
    line = re.search(r"^# Marks: (.*)$", template, re.MULTILINE)
    if not line:
        raise ValueError("the template has no line `# Marks:`")
    columns = [[int(column) for column in part.split()] for part in line.group(1).split(";")]
    values = [number(row, column) for place, rows in enumerate(blocks(data))
              for column in columns[min(place, len(columns) - 1)] for row in rows]
    return (sum(math.isfinite(value) and value != 0 for value in values),
            sum(math.isfinite(value) for value in values))


def marks(picture: str) -> int:
    """The points, bars and cells that gnuplot drew of data."""
    plots = [group for group in ElementTree.fromstring(picture).iter("{%s}g" % SVG)
             if group.get("id", "").startswith("gnuplot_plot_")]
    return sum(part.tag in ("{%s}use" % SVG, "{%s}polygon" % SVG)
               for plot in plots for part in plot.iter())


def problem(template: str, data: str, picture: str) -> Optional[str]:
    """Why the picture does not show the data; None if it does."""
    try:
        found = marks(picture)
    except ElementTree.ParseError as error:
        return "gnuplot's picture cannot be read: not an SVG: %s" % error
    least, most = expected(template, data)
    if least <= found <= most:
        return None
    return "its data did not arrive: %d points and bars are drawn of %s" % (
        found, most if least == most else "%d to %d" % (least, most))
