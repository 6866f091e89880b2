"""What paper B's part was to reach: ratios beside other viewers and screens, block by block, and on
a full link, in one table."""

from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import links
import many_screens
from rows import Results, Row, group_by, is_of_screens, variants
from screens import AXES, device_of
from section import Section, left_out, range_text, usable
from stats import Spread, spread
from tables import NONE, Column, Table
from viewers import OURS, PEERS, SCENARIO

TITLE = "Targets. What paper B's part was to reach"
COLUMNS = (Column("figure", left=True), Column("ratio of", left=True), Column("on", left=True),
           Column("median"), Column("min..max"), Column("n"), Column("target"),
           Column("", left=True))
LEAD = ("Ratios are taken block by block, of rows that ran within minutes of each other; their "
        "median decides. A ratio above its target is MISSED.")
MISSED, REACHED, NOT_MEASURED = "MISSED", "reached", "not measured"

Cell = Dict[str, Union[str, int, Tuple[str, ...]]]  # a tuple: the best (least) of them, in a block


class Target(NamedTuple):
    """A ratio that is to be at most `most`, the median over blocks."""

    what: str
    names: str
    key: str
    upper: Cell
    lower: Cell
    most: float


def same_device(scene: str, viewer: Union[str, Tuple[str, ...]]) -> Cell:
    """A viewer of our own screens."""
    return {"section": scene, "device": "x11", "viewer": viewer}


def screens_of(scene: str, device: str) -> Cell:
    """Screens in our own viewer."""
    return {"section": scene, "device": device, "viewer": OURS}


def cpu_of(screens: int, viewer: str) -> Cell:
    return {"section": "cpu", "screens": screens, "viewer": viewer}


P95, KEY, CPU_UPDATE, CPU_S = "screen_ms_p95", "input_ms_p95", "cpu_us_per_update", "cpu_s"
LINES = (
    Target("typing p95", "monitor / best peer", P95, same_device("type", OURS),
           same_device("type", PEERS), 1.25),
    Target("typing p95", "ours / x11vnc", P95, screens_of("type", "x11"),
           screens_of("type", "x11vnc"), 0.15),
    Target("typing p95", "ours / x11vnc tuned", P95, screens_of("type", "x11"),
           screens_of("type", "x11vnc-tuned"), 0.6),
    Target("scroll p95", "ours / Xtigervnc", P95, screens_of("scroll", "x11"),
           screens_of("scroll", "xtigervnc"), 1.25),
    Target("video p95", "ours / Xtigervnc", P95, screens_of("video", "x11"),
           screens_of("video", "xtigervnc"), 0.8),
    Target("CPU/update, 200", "monitor / vncclient", CPU_UPDATE, cpu_of(200, OURS),
           cpu_of(200, "vncclient"), 0.75),
    Target("CPU/update, 1000", "monitor / vncclient", CPU_UPDATE, cpu_of(1000, OURS),
           cpu_of(1000, "vncclient"), 0.75),
    Target("viewer CPU, video", "monitor / xtightvnc", CPU_S, same_device("video", OURS),
           same_device("video", "xtightvnc"), 0.5),
    Target("key p95", "ours / x11vnc tuned", KEY, screens_of("type", "x11"),
           screens_of("type", "x11vnc-tuned"), 0.25),
)


# ---- ratios ----


def fits(row: Row, cell: Cell) -> bool:
    found = dict(row, device=device_of(row))
    return all(found[key] in wanted if isinstance(wanted, tuple) else found[key] == wanted
               for key, wanted in cell.items())


def least_by_block(rows: Sequence[Row], cell: Cell, key: str) -> Dict[int, float]:
    """The figure by block; the least where several viewers are wanted."""
    found: Dict[int, float] = {}
    for row in rows:
        if fits(row, cell) and row[key]:
            found[row["repeat"]] = min(row[key], found.get(row["repeat"], row[key]))
    return found


def ratios(rows: Sequence[Row], target: Target) -> Optional[Spread]:
    over, under = (least_by_block(rows, cell, target.key) for cell in (target.upper, target.lower))
    return spread([over[block] / under[block] for block in sorted(set(over) & set(under))])


def line(what: str, names: str, on: str, found: Optional[Spread], most: float) -> List[str]:
    if not found:
        return [what, names, on, NONE, "", "0", "<= %g" % most, NOT_MEASURED]
    return [what, names, on, "%.2f" % found.median, range_text(found), str(found.n),
            "<= %g" % most, REACHED if found.median <= most else MISSED]


def on_links(rows: Sequence[Row]) -> Iterator[Tuple[str, List[Row]]]:
    """(link's name, rows) of each link and set of options."""
    for _, on_link in links.by_link(rows):
        for label, members in variants(on_link, AXES):
            yield links.join(members[0]["link"], label), members


def viewer_lines(rows: Sequence[Row]) -> List[List[str]]:
    """A line for each target, on each link that has rows of either side."""
    places = list(on_links(rows))
    lines = []
    for target in LINES:
        there = [(on, members) for on, members in places if any(
            fits(row, cell) for row in members for cell in (target.upper, target.lower))]
        lines += [line(target.what, target.names, on, ratios(members, target), target.most)
                  for on, members in there or [(NONE, [])]]
    return lines


def full_link_lines(rows: Sequence[Row]) -> List[List[str]]:
    """A line for each setting of the viewer, or the one that says that nothing was measured."""
    full = [row for row in rows if row["section"] == many_screens.FULL_LINK]
    what, names, most = "full link, p95", "p95 / wire's time", many_screens.FULL_LINK_MAX
    return [line("%s%s" % (what, ", ahead %d" % ahead if ahead > 1 else ""), names, on,
                 spread(many_screens.wire_shares(same)), most)
            for on, members in on_links(full)
            for ahead, same in group_by(members, "ahead").items()] or [
                line(what, names, NONE, None, most)]


# ---- the section ----


def build(results: Results) -> Section:
    beside, many = ([row for row in usable(results, scenario) if is_of_screens(row)]
                    for scenario in (SCENARIO, many_screens.SCENARIO))
    if not beside and not many:
        return left_out(TITLE, results, SCENARIO)
    table = Table("Paper B: ratios and what was to be reached", COLUMNS,
                  viewer_lines(beside) + full_link_lines(many))
    return Section(TITLE, [table, *links.fallback_notes(beside + many)], [], LEAD)
