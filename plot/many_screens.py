"""Paper B with many screens: threads, delay, traffic and CPU time over their number."""

from typing import Dict, List, Sequence, Union

import links
from rows import Results, Row, group_by, grouped, is_of_screens
from scale import marks
from screens import AXES, DELAY_LINES_MS, cells, medians, scene_of, scene_place, update_bytes
from section import (KB_TO_MB, Figure, Section, data_block, data_line, file_name, left_out,
                     measured, median_of, numbered, point, range_text, usable, whiskers)
from stats import spread
from tables import Column, Table, exact, number

TITLE = "Many screens. Delay, threads and CPU time over their number"
SCENARIO = "screens"
FULL_LINK = "full-link"  # the section in which the screens offer more than the link carries
FULL_LINK_MAX = 2        # times N updates at the link's rate, at most
COLUMNS = (Column("screens", left=True), Column("came"), Column("accept", "ms"),
           Column("shown", "ms"), Column("p50", "decoded, ms"), Column("p95", "decoded, ms"),
           Column("p99", "decoded, ms"), Column("worst p95", "decoded, ms"), Column("Mbit/s"),
           Column("update", "CPU us"), Column("port", "threads"), Column("all", "threads"),
           Column("MB", "peak"), Column("n"))
LEAD = (
    "Decoded: from the moment that a change was scheduled until the viewer had decoded it; no "
    "window is in it. Shown: until the first picture of each was there; changes count from then "
    "on. Threads should stay as they are, whatever the number of screens.")


def line(name: str, rows: Sequence[Row]) -> List[str]:
    def whole(key: str) -> str:
        return exact(median_of(measured(rows, key)))
    figures = medians(rows, "accept_ms", "pictures_ms", "decoded_ms_p50", "decoded_ms_p95",
                      "decoded_ms_p99", "decoded_worst_p95_ms", "mbit_per_s", "cpu_us_per_update")
    return [name, whole("screens_connected"), *figures, whole("worker_threads"),
            whole("total_threads"), number(median_of(measured(rows, "peak_rss_kb"), KB_TO_MB)),
            str(len(rows))]


def table(label: str, rows: Sequence[Row]) -> Table:
    """A line for each scene, viewer's settings and number of screens."""
    found = grouped(rows, lambda row: (scene_place(scene_of(row)), row["section"], row["accepts"],
                                       row["screens"]))
    lines = []
    for key in sorted(found):
        members, (_, section, accepts, screens) = found[key], key
        several = len({one["accepts"] for one in rows if one["section"] == section}) > 1
        how = ", accepts on the %s" % accepts if several else ""
        lines.append(line("%d %s%s" % (screens, scene_of(members[0]), how), members))
    return Table("Many screens on %s, view %s" % (label, rows[0]["view"]), COLUMNS, lines)


# ---- the full link ----


def wire_shares(rows: Sequence[Row]) -> List[float]:
    """p95 as a multiple of the time in which the link carries one update of each screen."""
    found = []
    for row in rows:
        size, rate = update_bytes([row]), links.rate_of(row)
        if size and rate and row["decoded_ms_p95"]:
            found.append(row["decoded_ms_p95"] / links.wire_ms(size * row["screens"], rate))
    return found


def full_link_words(rows: Sequence[Row]) -> List[str]:
    """p95 on a full link against its bound, for each number of screens and setting."""
    said = []
    for cell, members in group_by(rows, "cell").items():
        shares = spread(wire_shares(members))
        if shares:
            said.append("Full link, %s: p95 is %s (%s) times what the wire takes for one update of "
                        "each screen; at most %d was to be reached: %s." % (
                            cell or "%d screens" % members[0]["screens"], number(shares.median),
                            range_text(shares), FULL_LINK_MAX,
                            "reached" if shares.median <= FULL_LINK_MAX else "MISSED"))
    return said


# ---- the figure ----


PANELS = (("decoded, ms", ("decoded_ms_p50", "decoded_ms_p95", "decoded_ms_p99")),
          ("Mbit/s", ("mbit_per_s",)), ("CPU us per update", ("cpu_us_per_update",)))


def figure(label: str, rows: Sequence[Row]) -> Figure:
    by_count: Dict[int, List[Row]] = group_by(sorted(rows, key=lambda row: row["screens"]),
                                              "screens")
    data = "".join(data_block("%s: screens, median, min, max" % key, [
        data_line(count, *point(measured(members, key))) for count, members in by_count.items()])
        for _, keys in PANELS for key in keys)
    settings: Dict[str, Union[str, float]] = {
        "X_MIN": min(by_count) / 1.3, "X_MAX": max(by_count) * 1.3,
        "TICS": ", ".join('"%s" %d' % mark for mark in marks(by_count)),
        "RUNS": whiskers(by_count.values()), **numbered("TITLE", [title for title, _ in PANELS])}
    return Figure(file_name("many-screens", label), "many-screens", (1000, 400), settings, data,
                  "Many screens. Delay, traffic and CPU time over their number",
                  "Three panels over the number of screens: quantiles of the delay until a change "
                  "was decoded, with lines at %d, %d and %d ms; Mbit/s; microseconds of the "
                  "viewer's CPU time per update." % DELAY_LINES_MS, label)


# ---- the section ----


def build(results: Results) -> Section:
    rows = [row for row in usable(results, SCENARIO) if is_of_screens(row)]
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    blocks: List[Union[str, Table]] = []
    drawn = []
    for label, members in cells(rows, AXES):
        blocks.append(table(label, members))
        many = [row for row in members if row["section"] == "many" and row["decoded_ms_p50"]]
        if len({row["screens"] for row in many}) > 1:
            drawn.append(figure(label, many))
    blocks += full_link_words([row for row in rows if row["section"] == FULL_LINK])
    return Section(TITLE, blocks + links.fallback_notes(rows), drawn, LEAD)
