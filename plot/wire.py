"""Links beside schemes: where the wire sets the time, and where the receive buffer begins to."""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
from rows import Results, Row, variants
from section import (KB_TO_MB, Figure, Section, data_block, data_line, extent, file_name, left_out,
                     measured, middle, overlap, run_counts, usable, with_label)
from stats import Spread, spread
from table2 import Cells, by_scheme, order, what_was_sent
from table3 import spaced
from tables import NONE, Column, Table, number

TITLE = "Wire. Where the buffer scheme begins to matter"
SCENARIO = "wire"
CEILING = "raw"
SCHEMES = ("fixed", "ring", "chain")
RUNS_MIN = 3          # of a cell whose range is to say anything
DIFFERENCE_MIN = 0.01 # between two schemes' times, that justifies a choice
NAME_HEIGHT = 0.05    # of a line's name, as a share of the axis
MARGIN = 1.25         # of an axis beyond its values, as a factor
COLUMNS = (Column("link", left=True), Column("scheme", left=True), Column("median", "time, ms"),
           Column("min..max", "time, ms"), Column("ms", "floor"), Column("is", "floor", left=True),
           Column("median", "of the floor"), Column("min..max", "of the floor"),
           Column("client", "CPU s a GB"), Column("MB", "memory"), Column("n"))


class Floor(NamedTuple):
    """The least time that a link leaves to any scheme."""

    ms: float
    name: str


class OnLink(NamedTuple):
    """What ran on one link."""

    name: str
    cells: Cells
    floor: Optional[Floor]


def floor_of(cells: Cells) -> Optional[Floor]:
    """What the wire alone takes; without a rate, what the bare loop of receives took."""
    row = next(iter(cells.values()))[0]
    rate = links.rate_of(row)
    if rate:
        return Floor(links.wire_ms(row["bytes"], rate), "wire")
    bare = measured(cells.get(CEILING, []), "elapsed_ms")
    return Floor(bare.median, CEILING) if bare else None


def multiples(rows: Sequence[Row], floor: Optional[Floor]) -> Optional[Spread]:
    """Each run's time in floors."""
    return spread([row["elapsed_ms"] / floor.ms for row in rows if row["elapsed_ms"]]) \
        if floor else None


def cpu_per_gb(rows: Sequence[Row]) -> Optional[Spread]:
    """The client's CPU seconds for each GB."""
    return spread([1 / row["gb_per_cpu_s"] for row in rows if row["gb_per_cpu_s"]])


# ---- the table ----


def line(on: OnLink, scheme: str, first: bool) -> List[str]:
    """One cell; the link's name stands at its first only."""
    rows = on.cells[scheme]
    time, times = measured(rows, "elapsed_ms"), links.times_texts(multiples(rows, on.floor))
    return [on.name if first else "", scheme, number(middle(time)), extent(time),
            number(on.floor.ms) if on.floor else NONE, on.floor.name if on.floor else NONE,
            *times, number(middle(cpu_per_gb(rows))),
            number(middle(measured(rows, "peak_rss_kb"), KB_TO_MB)), str(len(rows))]


def table(label: str, found: Sequence[OnLink], rows: Sequence[Row]) -> Table:
    """All links, a block each."""
    lines: List[Optional[List[str]]] = []
    for on in found:
        schemes = [scheme for scheme in order(on.cells) if on.cells.get(scheme)]
        lines += [None] if lines else []
        lines += [line(on, scheme, scheme == schemes[0]) for scheme in schemes]
    title = with_label("Link by scheme", links.join(what_was_sent(rows), label))
    return Table(title, COLUMNS, lines, links.fallback_notes(rows) + [
        links.WIRE_NOTE, "Where a link has no rate, the floor is the median of the bare loop of "
        "receives (raw) in the same run."])


# ---- in words ----


def extremes(on: OnLink) -> Optional[Tuple[str, str]]:
    """The fastest and the slowest of the paper's schemes, by their medians."""
    times = {scheme: measured(on.cells.get(scheme, []), "elapsed_ms") for scheme in SCHEMES}
    known = {scheme: time.median for scheme, time in times.items() if time}
    return (min(known, key=known.get), max(known, key=known.get)) if len(known) > 1 else None


def doubt(fast: Spread, slow: Spread) -> str:
    """Why a difference does not show; "" if it does: it is worth a mention, and more than runs of
    one scheme differ by."""
    if slow.median / fast.median < 1 + DIFFERENCE_MIN:
        return "nothing to choose by"
    if min(fast.n, slow.n) < RUNS_MIN:
        return "too few runs to say"
    return "ranges overlap" if overlap(fast, slow) else ""


def words(found: Sequence[OnLink]) -> List[str]:
    """How far the schemes are apart on each link, and from which link on that shows."""
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
    return ["Slowest against fastest of the paper's three schemes. %s. %s" % (
        "; ".join(said), "The choice shows in time on %s." % " and ".join(showing) if showing
        else "The choice shows in time on none of these links.")]


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
    """Where each line's name stands: at its end, but never over another."""
    known = sorted((math.log10(height), name) for name, height in ends.items())
    places = spaced([height for height, _ in known],
                    NAME_HEIGHT * math.log10(axis.high / axis.low))
    return [data_line(name, place, 10 ** height) for (_, name), height in zip(known, places)]


def seen_in(on: OnLink, scheme: str) -> Tuple[Optional[Spread], Optional[Spread]]:
    """What the two panels show of a cell."""
    rows = on.cells.get(scheme, [])
    return multiples(rows, on.floor), cpu_per_gb(rows)


def points(found: Sequence[OnLink], scheme: str) -> List[str]:
    """A scheme's line: place, multiple of the floor with min and max, CPU s a GB with both."""
    lines = []
    for place, on in enumerate(found):
        values: List[Optional[float]] = []
        for seen in seen_in(on, scheme):
            values += [seen.median, seen.low, seen.high] if seen else [None] * 3
        lines.append(data_line(place, *values))
    return lines


def panel_names(found: Sequence[OnLink], schemes: Sequence[str], axes: Sequence[Axis]) -> str:
    """A data block each for the names beside the left and the right panel."""
    last, blocks = len(found) - 1, ""
    for side, axis in enumerate(axes):
        ends = {scheme: seen_in(found[last], scheme)[side] for scheme in schemes}
        heights = {scheme: seen.median for scheme, seen in ends.items() if seen}
        blocks += data_block("names at the ends: name, place, height",
                             names_at_the_end(heights, last, axis))
    return blocks


def figure(label: str, name: str, found: Sequence[OnLink]) -> Figure:
    """Times in floors and CPU seconds a GB over the links, a line for each scheme."""
    schemes = [scheme for scheme in order({key: [] for on in found for key in on.cells})
               if any(on.cells.get(scheme) for on in found)]
    data = "".join(data_block("%s: place, of the floor: median min max, CPU s a GB: the same"
                              % scheme, points(found, scheme)) for scheme in schemes)
    axes = [axis_of([seen_in(on, scheme)[side] for on in found for scheme in schemes])
            for side in (0, 1)]
    settings = {"SCHEMES": " ".join(schemes), "LINKS": len(found),
                "LEFT_LOW": axes[0].low, "LEFT_HIGH": axes[0].high,
                "RIGHT_LOW": axes[1].low, "RIGHT_HIGH": axes[1].high,
                "RUNS": "median of %s, whiskers min..max" % run_counts(
                    [len(rows) for on in found for rows in on.cells.values()])}
    for i, on in enumerate(found, 1):
        settings["LINK%d" % i] = on.name
        settings["FLOOR%d" % i] = "floor: %s %s ms" % (
            on.floor.name, number(on.floor.ms)) if on.floor else "no floor"
    return Figure(file_name("wire", name), "wire", (1100, 540), settings,
                  data + panel_names(found, schemes, axes),
                  "Where the buffer scheme begins to matter",
                  "Left: each scheme's time as a multiple of the least that the link allows, over "
                  "links from the slowest to loopback. Right: the client's CPU seconds for each "
                  "GB, over the same links.", label)


# ---- the section ----


def build(results: Results) -> Section:
    """One table and one figure for each variant of the options that the cells share."""
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    section = Section(TITLE, [], [], "The same bytes over slower and faster links: as long as the "
                      "wire is full, all schemes take its time; then they part.")
    raw = [row for row in rows if row["scheme"] == CEILING]
    rest = [row for row in rows if row["scheme"] != CEILING]
    for label, members in variants(rest, ("link", "section", "scheme")) or [("", [])]:
        shown = members + raw
        found = [OnLink(name, by_scheme(on_link), floor_of(by_scheme(on_link)))
                 for name, on_link in links.by_link(shown)]
        section.blocks.extend(words(found))
        section.blocks.append(table(label, found, shown))
        section.figures.append(figure(label, label, found))
    return section
