"""The lines of the bench about what a scheme that copies nothing does for each byte, frame and
receive: figures of single rows, with the bound that each should keep."""

import statistics
from typing import Callable, List, NamedTuple, Sequence, Tuple

from rows import Row, select

SCHEME = "slices"


class Goal(NamedTuple):
    """A figure of the rows of one section, and the most that it may be."""

    section: str
    figure: str
    value: Callable[[Row], float]
    at_most: float


def copies(row: Row) -> float:
    """Bytes copied by the client's own code, of all received, but for headers in two pieces: a
    header is 48 bytes of a frame at most."""
    return float(row["copies_per_byte"])


def scans(row: Row) -> float:
    """Bytes looked at in search of the marker, of all received."""
    return float(row["scanned_per_byte"])


def failed_reads(row: Row) -> float:
    """Of all receives, those that found nothing."""
    return row["receive_empty"] / row["receive_calls"]


def receives_of_100_kb(row: Row) -> float:
    """Receives for as many bytes as the largest frame has."""
    return row["receive_calls"] * 100e3 / row["bytes"]


def publications(row: Row) -> float:
    """Atomic exchanges a frame on its way to the processing thread: one a receive."""
    return row["receive_calls"] / row["frames"]


GOALS = (
    Goal("slices", "copies per byte", copies, 0.001),
    Goal("slices", "scanned per byte", scans, 1.01),
    Goal("slices", "failed reads, share", failed_reads, 0.05),
    Goal("slices", "receives per 100 kB", receives_of_100_kb, 3),
    Goal("slices-10k", "receives per 100 kB", receives_of_100_kb, 3),
    Goal("slices-10k", "failed reads, share", failed_reads, 0.05),
    Goal("slices-256", "publications per frame", publications, 0.125),
    Goal("slices-256", "copies per byte", copies, 0.001),
)


def line(goal: Goal, rows: Sequence[Row]) -> Tuple[str, str]:
    """(a line of the bench's table, what became of the goal)."""
    values = [goal.value(row) for row in select(rows, section=goal.section, scheme=SCHEME)]
    shown, spread, mark = "-", "", "not measured"
    if values:
        middle = statistics.median(values)
        shown, spread = "%.3f" % middle, "%.3f..%.3f" % (min(values), max(values))
        mark = "reached" if middle <= goal.at_most else "MISSED"
    return ("%-10s  %-24s  %-25s  %6s  %-12s  %d  %-8s %s" % (
        goal.section, goal.figure, SCHEME, shown, spread, len(values), "<= %g" % goal.at_most,
        mark)).rstrip(), mark


def lines(rows: Sequence[Row]) -> Tuple[List[str], bool]:
    """(all lines, whether a goal was missed)."""
    found = [line(goal, rows) for goal in GOALS]
    return [text for text, _ in found], any(mark != "reached" for _, mark in found)
