"""Paper B's viewer beside others, and screens of our own beside x11vnc and Xtigervnc: the same eye,
the same links, interleaved. Their ratios are in screen_targets.py."""

from typing import Callable, List, Sequence, Tuple, Union

import links
from rows import Results, Row, group, grouped, is_of_screens, select
from screens import (AXES, DELAYS, by_scene, cells, delay_panels, delay_texts, device_of, figure,
                     medians)
from section import KB_TO_MB, Figure, Section, left_out, usable
from tables import Column, Table, in_blocks

TITLE = "Viewers. Beside other viewers and other screens"
SCENARIO = "viewers"
OURS, PEERS = "monitor", ("vncclient", "xtightvnc", "xtigervnc")
DEVICES = ("scene", "x11", "x11vnc", "x11vnc-tuned", "xtigervnc")
NAMES = {"scene": "painted", "x11": "fanin, X11", "xtigervnc": "Xtigervnc"}
COLUMNS = (Column("screens", left=True), Column("viewer", left=True), *DELAYS,
           Column("key p95", "ms"), Column("eye p95", "ms"), Column("viewer", "CPU s"), Column("n"))
CPU = (Column("screens", left=True), Column("viewer", left=True), Column("updates/s"),
       Column("per update", "CPU us"), Column("p95", "decoded, ms"), Column("threads"),
       Column("peak MB", "memory"), Column("n"))
LEAD = ("Rows of one block ran within a minute of each other, in shuffled order. Delays are to the "
        "viewer's window, by the same eye. Ratios are among the targets.")


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
        drawn += figures(label, seen)
    return Section(TITLE, blocks + not_run(results) + links.fallback_notes(rows), drawn, LEAD)
