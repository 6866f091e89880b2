"""Paper B: screens on a completion port. 7 screens on its network, what a page's flip costs the
wire, and keys there and back; and what the sections on many screens and on viewers share."""

from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import links
from rows import (Results, Row, group, grouped, is_of_screens, numbers, select, variants,
                  why_excluded)
from section import (Figure, Section, data_block, data_line, file_name, left_out, measured,
                     median_of, not_run_reason, numbered, range_text, run_counts, usable)
from stats import median
from tables import Column, Table, number
from texts import reading_order

TITLE = "Paper B. 7 screens on a completion port, and what delay is visible"
SCENARIO, REMOTE = "paperb", "remote"
REMOTE_TITLE = "Remote control. A key there and back"
NO_DELAY_MS = 100       # decides: what users take for immediate
DELAY_LINES_MS = (60, NO_DELAY_MS, 150)  # Forch et al. 2017; as said; Tolia et al. 2006
LEAD = (
    "Delay: from the moment that a change of a screen was scheduled until another program saw it "
    "in the viewer's window. Each screen counts: the worst one's p95 is held against %d ms (lines "
    "at 60 and 150). The scan-out of a monitor is not in it." % NO_DELAY_MS)
SCENES = ("type", "scroll", "video", "flip-all", "idle")
QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
DELAYS = (Column("worst p95", "delay in a window, ms"), Column("min..max", "delay in a window, ms"),
          Column("p50", "delay in a window, ms"), Column("p99", "delay in a window, ms"),
          Column("max", "delay in a window, ms"))
COLUMNS = (Column("scene", left=True), *DELAYS, Column("p95", "eye"),
           Column("Mbit/s"), Column("per update", "CPU us"), Column("n"))
INPUT = (Column("scene", left=True), Column("screens"), Column("pressed", "keys"),
         Column("seen", "keys"), Column("p50", "there and back, ms"),
         Column("p95", "there and back, ms"), Column("min..max", "there and back, ms"),
         Column("p95", "eye"), Column("n"))
FLOOR_NOTE = ("Eye: what the eye itself takes, in the same run. Skipped: changes that were never "
              "seen because a later one took their place: the newest picture wins.")


# ---- rows ----


def fleet_option(row: Row, name: str, otherwise: str) -> str:
    """An option of the row's fleet, as the scenario has it."""
    words = dict(word.partition("=")[::2] for word in row["fleet"].split())
    return words.get(name, otherwise)


def scene_of(row: Row) -> str:
    return fleet_option(row, "scene", "idle")


def device_of(row: Row) -> str:
    """What captured the pictures: `scene` (painted into them), `x11`, or a server of others'."""
    return fleet_option(row, "device", "scene")


def scene_place(scene: str) -> Tuple[int, str]:
    return (SCENES.index(scene) if scene in SCENES else len(SCENES), scene)


def cells(rows: Sequence[Row], axes: Sequence[str]) -> Iterator[Tuple[str, List[Row]]]:
    """(label, rows) of each link and set of options, the paper's network first."""
    for _, on_link in links.by_link(rows):
        for label, members in variants(on_link, axes):
            yield links.join(links.describe(members[0]), label), members


def medians(rows: Sequence[Row], *keys: str) -> List[str]:
    return [number(median_of(measured(rows, key))) for key in keys]


def delay_texts(rows: Sequence[Row]) -> List[str]:
    """The cells of DELAYS."""
    worst = measured(rows, "worst_screen_p95_ms")
    return [number(median_of(worst)), range_text(worst)] + medians(
        rows, "screen_ms_p50", "screen_ms_p99", "screen_ms_max")


# ---- the paper's case ----


def line(scene: str, rows: Sequence[Row]) -> List[str]:
    return [scene] + delay_texts(rows) + medians(
        rows, "eye_floor_ms_p95", "mbit_per_s", "cpu_us_per_update") + [str(len(rows))]


def by_scene(rows: Sequence[Row]) -> Dict[str, List[Row]]:
    found = grouped(rows, scene_of)
    return {scene: found[scene] for scene in sorted(found, key=scene_place)}


def update_bytes(rows: Sequence[Row]) -> Optional[float]:
    """Bytes of an update, the median of the runs."""
    found = [row["bytes"] / row["updates"] for row in rows if row["bytes"] and row["updates"]]
    return median(found) if found else None


def flip_words(rows: Sequence[Row]) -> List[str]:
    """What the wire alone takes when all screens change at once."""
    size, rate = update_bytes(rows), links.rate_of(rows[0])
    worst = median_of(measured(rows, "worst_screen_p95_ms"))
    if not size or not rate:
        return []
    screens = rows[0]["screens"]
    wire = links.wire_ms(size * screens, rate)
    return ["flip-all: all screens change at once. %d updates of %s kB take %s ms of a wire of %s, "
            "however they are shown; measured: %s ms." % (
                screens, number(size / 1e3), number(wire), links.rate_text(rate), number(worst))]


def interval_words(rows: Sequence[Row]) -> List[str]:
    runs = len(numbers(rows, "worst_screen_p95_ms"))
    return ["Min..max of %d runs: an interval of the median of %.3g %% confidence." % (
        runs, 100 * (1 - 0.5 ** (runs - 1)))] if runs > 1 else []


def table(label: str, rows: Sequence[Row]) -> Table:
    scenes = by_scene(rows)
    notes = [FLOOR_NOTE] + interval_words(next(iter(scenes.values())))
    notes += flip_words(scenes["flip-all"]) if "flip-all" in scenes else []
    title = "Paper B: %d screens of %s on %s, viewer %s, %s" % (
        rows[0]["screens"], fleet_option(rows[0], "size", "1280x800"), label, rows[0]["viewer"],
        run_counts(scenes.values()))
    lines = [line(scene, members) for scene, members in scenes.items()]
    return Table(title, COLUMNS, lines, notes)


def key_lines(rows: Sequence[Row]) -> List[List[str]]:
    """A line for each scene and number of screens in which keys were pressed."""
    pressed = [row for row in rows if row["keys_sent"]]
    found = grouped(pressed, lambda row: (scene_of(row), row["screens"]))
    lines = []
    for scene, screens in sorted(found, key=lambda key: (scene_place(key[0]), key[1])):
        members = found[scene, screens]
        p95 = measured(members, "input_ms_p95")
        lines.append([scene, str(screens)] + [
            str(sum(row[key] or 0 for row in members)) for key in ("keys_sent", "keys_seen")]
            + medians(members, "input_ms_p50") + [number(median_of(p95)), range_text(p95)]
            + medians(members, "eye_floor_ms_p95") + [str(len(members))])
    return lines


def key_tables(rows: Sequence[Row], axes: Sequence[str]) -> List[Table]:
    return [Table("Remote control: keys pressed in the windows on " + label, INPUT, lines, [
        "There and back: from pressing a key in a window until its effect, which the screen "
        "paints, was seen there."]) for label, members in cells(rows, axes)
        for lines in [key_lines(members)] if lines]


# ---- the figure of delays ----


def curve(rows: Sequence[Row], prefix: str) -> List[str]:
    """The quantiles that a row has: the median of the runs for each share."""
    points = [(median_of(measured(rows, "%s_%s" % (prefix, place))), share)
              for place, share in QUANTILES if "%s_%s" % (prefix, place) in rows[0]]
    return [data_line(value, share) for value, share in points if value]


def x_max(data: str) -> float:
    """The end of the figure's axis: behind its last point, and behind the lines."""
    lines = [line.split() for line in data.splitlines() if line and not line.startswith("#")]
    return 1.3 * max([float(fields[0]) for fields in lines if fields[0] != "NaN"]
                     + [DELAY_LINES_MS[-1]])


def figure(name: str, label: str, panels: Sequence[Tuple[str, Dict[str, List[str]]]]) -> Figure:
    """Shares of changes that were seen within a time: a panel for each scene (and keys), a line for
    each of the names."""
    names = list(dict.fromkeys(one for _, curves in panels for one in curves))
    data = "".join(data_block("%s, %s: ms, share of changes" % (title, one), curves.get(one, []))
                   for title, curves in panels for one in names)
    settings: Dict[str, Union[str, float]] = {"PANELS": len(panels), "LINES": len(names),
                                              "X_MIN": 0.3, "X_MAX": x_max(data),
                                              "RUNS": "medians of the runs",
                                              **numbered("PANEL", [title for title, _ in panels]),
                                              **numbered("LINE_NAME", names)}
    return Figure(file_name(name, label), "delays", (1000, 400), settings, data,
                  "Delays. Share of changes seen within a time",
                  "A panel for each scene: the share of changes over the time within which they "
                  "were seen, at the quantiles 50, 95, 99 and 100 %, with lines at 60, 100 and "
                  "150 ms.", label)


def delay_panels(rows: Sequence[Row], name_of: Callable[[Row], str]
                 ) -> List[Tuple[str, Dict[str, List[str]]]]:
    """The panels of figure(), of rows of several scenes."""
    panels = []
    for scene, members in by_scene([row for row in rows if row["screen_ms_p50"]]).items():
        named = grouped(members, name_of)
        panels.append((scene, {one: curve(named[one], "screen_ms")
                               for one in sorted(named, key=reading_order)}))
    pressed = grouped([row for row in rows if row["input_ms_p50"]], name_of)
    if pressed:
        panels.append(("a key there and back", {
            one: curve(pressed[one], "input_ms") for one in sorted(pressed, key=reading_order)}))
    return panels


# ---- the sections ----


AXES = ("section", "cell", "link")


def build(results: Results) -> Section:
    rows = [row for row in usable(results, SCENARIO) if is_of_screens(row)]
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    blocks: List[Union[str, Table]] = []
    drawn = []
    for label, members in cells(rows, AXES):
        for _, same in group(members, ("screens", "viewer", "client")).items():
            blocks.append(table(label, same))
        panels = delay_panels(members, lambda row: row["viewer"])
        if panels:
            drawn.append(figure("paper-b", label, panels))
    return Section(TITLE, blocks + key_tables(rows, AXES) + links.fallback_notes(rows), drawn, LEAD)


def build_remote(results: Results) -> Section:
    rows = [row for row in usable(results, REMOTE) if is_of_screens(row)]
    if not rows:
        return left_out(REMOTE_TITLE, results, REMOTE)
    tables = key_tables(rows, AXES)
    return Section(REMOTE_TITLE, [*tables, *links.fallback_notes(rows)] if tables
                   else ["Left out: no key was pressed."], [])


# ---- the summary ----


SUMMARY = (Column("scene", left=True), Column("paper"), Column("here", "worst screen's p95, ms"),
           Column("min..max", "worst screen's p95, ms"), Column("limit", "worst screen's p95, ms"),
           Column("p50, ms"), Column("key p95, ms"), Column("Mbit/s"), Column("n"))


def not_run(results: Results) -> str:
    """Why there is no table of paper B; "" if nobody asked for one."""
    rows = select(results.rows, scenario=SCENARIO)
    why = "%d rows, %s" % (len(rows), why_excluded(rows[0])) if rows \
        else not_run_reason(results, SCENARIO)
    return "Paper B: %s." % why.rstrip(".") if why else ""


def summary_table(results: Results) -> Optional[Table]:
    """The paper's case in a few lines, on its network if there; None without results."""
    rows = [row for row in usable(results, SCENARIO) if is_of_screens(row)]
    if not rows:
        return None
    label, members = next(iter(cells(rows, AXES)))
    lines = []
    for scene, runs in by_scene(members).items():
        worst = measured(runs, "worst_screen_p95_ms")
        paper = "-" if scene == "flip-all" else "no delay"
        lines.append([scene, paper, number(median_of(worst)), range_text(worst), str(NO_DELAY_MS)]
                     + medians(runs, "screen_ms_p50", "input_ms_p95", "mbit_per_s")
                     + [str(len(runs))])
    flips = by_scene(members).get("flip-all")
    return Table("Paper B. From a change on one of %d screens to its window, on %s" % (
        members[0]["screens"], label), SUMMARY, lines, flip_words(flips) if flips else [])
