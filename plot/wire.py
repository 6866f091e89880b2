"""Schemes by link: on which links the buffer scheme changes the time."""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
from rows import Results, Row, group_by, variants
from section import (KB_TO_MB, Figure, Section, data_block, data_line, file_name, left_out,
                     measured, median_of, numbered, overlap, point, range_text, usable, whiskers,
                     with_label)
from stats import Spread, spread
from table2 import Cells, order, what_was_sent
from table3 import spaced
from tables import NONE, Column, Table, in_blocks, number

TITLE = "Wire. On which links the buffer scheme matters"
SCENARIO = "wire"
CEILING = "raw"
SCHEMES = ("fixed", "ring", "chain")
RUNS_MIN = 3          # a cell's runs, for a range to mean anything
DIFFERENCE_MIN = 0.01 # the smallest relevant difference between two schemes' times
NAME_HEIGHT = 0.05    # height of a line's label, as a share of the axis
MARGIN = 1.25         # of an axis beyond its values, as a factor
COLUMNS = (Column("link", left=True), Column("scheme", left=True), Column("median", "time, ms"),
           Column("min..max", "time, ms"), Column("ms", "floor"), Column("is", "floor", left=True),
           Column("median", "of the floor"), Column("min..max", "of the floor"),
           Column("client", "CPU s per GB"), Column("MB", "memory"), Column("n"))


class Floor(NamedTuple):
    """The lower bound of any scheme's time on a link, and where it comes from."""

    ms: float
    name: str


class OnLink(NamedTuple):
    """The results of one link."""

    name: str
    cells: Cells
    floor: Optional[Floor]


def floor_of(cells: Cells) -> Optional[Floor]:
    """The wire time; on a link without a rate, the time of the raw loop."""
    row = next(iter(cells.values()))[0]
    rate = links.rate_of(row)
    if rate:
        return Floor(links.wire_ms(row["bytes"], rate), "wire")
    bare = measured(cells.get(CEILING, []), "elapsed_ms")
    return Floor(bare.median, CEILING) if bare else None


def multiples(rows: Sequence[Row], floor: Optional[Floor]) -> Optional[Spread]:
    """Each run's time as a multiple of the floor."""
    return spread([row["elapsed_ms"] / floor.ms for row in rows if row["elapsed_ms"]]) \
        if floor else None


def cpu_per_gb(rows: Sequence[Row]) -> Optional[Spread]:
    return spread([1 / row["gb_per_cpu_s"] for row in rows if row["gb_per_cpu_s"]])


# ---- the table ----


def line(on: OnLink, scheme: str, first: bool) -> List[str]:
    """One cell; only a link's first cell has its name."""
    rows = on.cells[scheme]
    time, times = measured(rows, "elapsed_ms"), links.times_texts(multiples(rows, on.floor))
    return [on.name if first else "", scheme, number(median_of(time)), range_text(time),
            number(on.floor.ms) if on.floor else NONE, on.floor.name if on.floor else NONE,
            *times, number(median_of(cpu_per_gb(rows))),
            number(median_of(measured(rows, "peak_rss_kb"), KB_TO_MB)), str(len(rows))]


def table(label: str, found: Sequence[OnLink], rows: Sequence[Row]) -> Table:
    lines = in_blocks([line(on, scheme, i == 0) for i, scheme in enumerate(
        filter(on.cells.get, order(on.cells)))] for on in found)
    title = with_label("Link by scheme", links.join(what_was_sent(rows), label))
    return Table(title, COLUMNS, lines, links.fallback_notes(rows) + [
        links.WIRE_NOTE, "On a link without a rate, the floor is the median of raw, a loop of "
        "receives without the port."])


# ---- in words ----


def extremes(on: OnLink) -> Optional[Tuple[str, str]]:
    """The fastest and the slowest of the paper's schemes, by their medians."""
    times = {scheme: measured(on.cells.get(scheme, []), "elapsed_ms") for scheme in SCHEMES}
    known = {scheme: time.median for scheme, time in times.items() if time}
    return (min(known, key=known.get), max(known, key=known.get)) if len(known) > 1 else None


def doubt(fast: Spread, slow: Spread) -> str:
    """Why two times do not differ; "" if they do, by a relevant share and with separate ranges."""
    if slow.median / fast.median < 1 + DIFFERENCE_MIN:
        return "not relevant"
    if min(fast.n, slow.n) < RUNS_MIN:
        return "too few runs"
    return "ranges overlap" if overlap(fast, slow) else ""


def words(found: Sequence[OnLink]) -> List[str]:
    """The differences between schemes on each link, and the links with a clear one."""
    said, showing = [], []
    for on in found:
        pair = extremes(on)
        if not pair:
            continue
        fast, slow = (measured(on.cells[scheme], "elapsed_ms") for scheme in pair)
        why_not = doubt(fast, slow)
        showing += [] if why_not else [on.name]
        said.append("%s: %s takes %.1f %% longer than %s%s" % (
            on.name, pair[1], 100 * (slow.median / fast.median - 1), pair[0],
            " (%s)" % why_not if why_not else ""))
    if not said:
        return []
    return ["The paper's three schemes, slowest against fastest. %s. The scheme changes the time "
            "on %s." % ("; ".join(said), " and ".join(showing) or "none of these links")]


# ---- the figure ----


class Axis(NamedTuple):
    """The range of a logarithmic axis."""

    low: float
    high: float


def axis_of(values: Sequence[Optional[Spread]]) -> Axis:
    """Just wide enough for all whiskers."""
    known = [value for value in values if value]
    return Axis(min([value.low for value in known], default=1) / MARGIN,
                max([value.high for value in known], default=1) * MARGIN)


def names_at_the_end(ends: Dict[str, float], place: float, axis: Axis) -> List[str]:
    """The labels of the lines, at their ends, without overlaps."""
    known = sorted((math.log10(height), name) for name, height in ends.items())
    places = spaced([height for height, _ in known],
                    NAME_HEIGHT * math.log10(axis.high / axis.low))
    return [data_line(name, place, 10 ** height) for (_, name), height in zip(known, places)]


def seen_in(on: OnLink, scheme: str) -> Tuple[Optional[Spread], Optional[Spread]]:
    """A cell's values in the two panels."""
    rows = on.cells.get(scheme, [])
    return multiples(rows, on.floor), cpu_per_gb(rows)


def points(found: Sequence[OnLink], scheme: str) -> List[str]:
    """A scheme's line: position, multiple of the floor with min and max, CPU s a GB with both."""
    return [data_line(i, *(value for seen in seen_in(on, scheme) for value in point(seen)))
            for i, on in enumerate(found)]


def panel_names(found: Sequence[OnLink], schemes: Sequence[str], axes: Sequence[Axis]) -> str:
    """A data block for the labels of the left panel, and one for the right."""
    last, blocks = len(found) - 1, ""
    for side, axis in enumerate(axes):
        ends = {scheme: seen_in(found[last], scheme)[side] for scheme in schemes}
        heights = {scheme: seen.median for scheme, seen in ends.items() if seen}
        blocks += data_block("labels of the lines: name, position, height",
                             names_at_the_end(heights, last, axis))
    return blocks


def figure(label: str, name: str, found: Sequence[OnLink]) -> Figure:
    """Multiples of the floor and CPU seconds per GB over the links, a line for each scheme."""
    schemes = [scheme for scheme in order({key: [] for on in found for key in on.cells})
               if any(on.cells.get(scheme) for on in found)]
    data = "".join(data_block("%s: place, of the floor: median min max, CPU s a GB: the same"
                              % scheme, points(found, scheme)) for scheme in schemes)
    axes = [axis_of([seen_in(on, scheme)[side] for on in found for scheme in schemes])
            for side in (0, 1)]
    settings = {"SCHEMES": " ".join(schemes), "LINKS": len(found),
                "LEFT_LOW": axes[0].low, "LEFT_HIGH": axes[0].high,
                "RIGHT_LOW": axes[1].low, "RIGHT_HIGH": axes[1].high,
                "RUNS": whiskers(rows for on in found for rows in on.cells.values()),
                **numbered("LINK", [on.name for on in found]),
                **numbered("FLOOR", ["floor: %s %s ms" % (on.floor.name, number(on.floor.ms))
                                     if on.floor else "no floor" for on in found])}
    return Figure(file_name("wire", name), "wire", (1100, 540), settings,
                  data + panel_names(found, schemes, axes),
                  TITLE,
                  "Left: each scheme's time as a multiple of the link's floor, over links from the "
                  "slowest to loopback. Right: the client's CPU seconds per GB, over the same "
                  "links.", label)


# ---- the section ----


def build(results: Results) -> Section:
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    section = Section(TITLE, [], [], "The same bytes over slower and faster links. All schemes "
                      "take the same time as long as the wire is full.")
    raw = [row for row in rows if row["scheme"] == CEILING]
    rest = [row for row in rows if row["scheme"] != CEILING]
    for label, members in variants(rest, ("link", "section", "scheme")) or [("", [])]:
        shown = members + raw
        cells_of = {name: group_by(on_link, "scheme") for name, on_link in links.by_link(shown)}
        found = [OnLink(name, cells, floor_of(cells)) for name, cells in cells_of.items()]
        section.blocks.extend(words(found))
        section.blocks.append(table(label, found, shown))
        section.figures.append(figure(label, label, found))
    return section
