"""Paper B's viewer beside others, and screens of our own beside x11vnc and Xtigervnc: the same eye,
the same links, interleaved; ratios with their targets."""

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import links
from rows import Results, Row, group, grouped, is_of_screens, select
from screens import (AXES, DELAYS, by_scene, cells, delay_panels, delay_texts, device_of, figure,
                     medians)
from section import KB_TO_MB, Figure, Section, left_out, range_text, usable
from stats import Spread, spread
from tables import NONE, Column, Table, in_blocks, number

TITLE = "Viewers. Beside other viewers and other screens"
SCENARIO = "viewers"
OURS, PEERS = "monitor", ("vncclient", "xtightvnc", "xtigervnc")
DEVICES = ("scene", "x11", "x11vnc", "x11vnc-tuned", "xtigervnc")
NAMES = {"scene": "painted", "x11": "fanin, X11", "xtigervnc": "Xtigervnc"}
COLUMNS = (Column("screens", left=True), Column("viewer", left=True), *DELAYS,
           Column("key p95", "ms"), Column("eye p95", "ms"), Column("viewer", "CPU s"), Column("n"))
TARGETS = (Column("figure", left=True), Column("ratio of", left=True), Column("median"),
           Column("min..max"), Column("n"), Column("target"), Column("", left=True))
CPU = (Column("screens", left=True), Column("viewer", left=True), Column("updates/s"),
       Column("per update", "CPU us"), Column("p95", "decoded, ms"), Column("threads"),
       Column("peak MB", "memory"), Column("n"))
LEAD = ("Rows of one block ran within a minute of each other, in shuffled order. Delays are to the "
        "viewer's window, by the same eye; ratios are taken block by block.")
MISSED, REACHED = "MISSED", "reached"

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
    Target("CPU an update, 200", "monitor / vncclient", CPU_UPDATE, cpu_of(200, OURS),
           cpu_of(200, "vncclient"), 0.75),
    Target("CPU an update, 1000", "monitor / vncclient", CPU_UPDATE, cpu_of(1000, OURS),
           cpu_of(1000, "vncclient"), 0.75),
    Target("viewer's CPU, videos", "monitor / xtightvncviewer", CPU_S, same_device("video", OURS),
           same_device("video", "xtightvnc"), 0.5),
    Target("key p95", "ours / x11vnc tuned", KEY, screens_of("type", "x11"),
           screens_of("type", "x11vnc-tuned"), 0.25),
)


# ---- targets ----


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


def target_line(rows: Sequence[Row], target: Target) -> List[str]:
    found = ratios(rows, target)
    if not found:
        return [target.what, target.names, NONE, "", "0", "<= %g" % target.most, "not measured"]
    return [target.what, target.names, "%.2f" % found.median, range_text(found), str(found.n),
            "<= %g" % target.most, REACHED if found.median <= target.most else MISSED]


def target_table(label: str, rows: Sequence[Row]) -> Table:
    return Table("Viewers: ratios and what was to be reached, on %s" % label, TARGETS,
                 [target_line(rows, target) for target in LINES if any(
                     fits(row, cell) for row in rows for cell in (target.upper, target.lower))])


# ---- tables ----


def place(key: Tuple[str, str]) -> Tuple:
    """Devices, then viewers, ours first."""
    device, viewer = key
    viewers = (OURS, *PEERS)
    return (DEVICES.index(device) if device in DEVICES else len(DEVICES), device,
            viewers.index(viewer) if viewer in viewers else len(viewers), viewer)


def line(key: Tuple[str, str], rows: Sequence[Row]) -> List[str]:
    device, viewer = key
    return [NAMES.get(device, device), viewer] + delay_texts(rows) + medians(
        rows, "input_ms_p95", "eye_floor_ms_p95", "cpu_s") + [str(len(rows))]


def table(label: str, rows: Sequence[Row]) -> Table:
    """A block for each scene, a line for each pair of device and viewer."""
    blocks = []
    for scene, members in by_scene(rows).items():
        pairs = grouped(members, lambda row: (device_of(row), row["viewer"]))
        blocks.append([["%d x %s" % (members[0]["screens"], scene)]] + [
            line(key, pairs[key]) for key in sorted(pairs, key=place)])
    return Table("Viewers on %s" % label, COLUMNS, in_blocks(blocks))


def cpu_table(label: str, rows: Sequence[Row]) -> Table:
    """The viewers without windows."""
    found = group(rows, ("screens", "viewer"))
    lines = [["%d" % screens, viewer] + medians(
        found[screens, viewer], "updates_per_s", "cpu_us_per_update", "decoded_ms_p95",
        "total_threads") + medians([dict(row, peak_mb=row["peak_rss_kb"] and row["peak_rss_kb"]
                                         * KB_TO_MB) for row in found[screens, viewer]], "peak_mb")
        + [str(len(found[screens, viewer]))]
        for screens, viewer in sorted(found, key=lambda key: (key[0], key[1] != OURS, key[1]))]
    return Table("Viewers without windows, on %s" % label, CPU, lines)


def not_run(results: Results) -> List[str]:
    """The viewers and devices that are not here, by reason."""
    skipped = select(results.rows, scenario=SCENARIO, status="skipped")
    found = grouped(skipped, lambda row: row.get("reason") or "no reason given")
    return ["Not run, %d rows: %s." % (len(rows), reason.rstrip("."))
            for reason, rows in sorted(found.items())]


# ---- the section ----


def figures(label: str, rows: Sequence[Row]) -> List[Figure]:
    """Delays by device in our viewer, and by viewer of our own screens."""
    sides: Sequence[Tuple[str, List[Row], Callable[[Row], str]]] = (
        ("devices", [row for row in rows if row["viewer"] == OURS],
         lambda row: NAMES.get(device_of(row), device_of(row))),
        ("viewers", [row for row in rows if device_of(row) == "x11"], lambda row: row["viewer"]))
    panels = [(name, delay_panels(members, name_of)) for name, members, name_of in sides]
    return [figure(name, label, found) for name, found in panels if found]


def build(results: Results) -> Section:
    rows = [row for row in usable(results, SCENARIO) if is_of_screens(row)]
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    blocks: List[Union[str, Table]] = []
    drawn: List[Figure] = []
    for label, members in cells(rows, AXES):
        seen = [row for row in members if row["section"] != "cpu"]
        blind = [row for row in members if row["section"] == "cpu"]
        blocks += [table(label, seen)] if seen else []
        blocks += [cpu_table(label, blind)] if blind else []
        blocks.append(target_table(label, members))
        drawn += figures(label, seen)
    return Section(TITLE, blocks + not_run(results) + links.fallback_notes(rows), drawn, LEAD)
