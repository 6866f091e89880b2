"""The lines of the bench about what a scheme that copies nothing does for each byte, frame and
receive: figures of single rows, with the bound that each should keep."""

import statistics
from typing import Callable, List, NamedTuple, Tuple

import bench_line
from rows import Results, Row, select

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
    """Atomic exchanges a frame on its way to the processing thread."""
    return row["hand_overs"] / row["frames"]


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


def mark(goal: Goal, results: Results, values: List[float]) -> str:
    """What became of the goal."""
    if values:
        reached = statistics.median(values) <= goal.at_most
        return bench_line.REACHED if reached else bench_line.MISSED
    skips = bench_line.skips(results, goal.section, ("fanin-client",))
    return bench_line.SKIPPED + skips["fanin-client"] if skips else bench_line.NOT_MEASURED


def line(goal: Goal, results: Results) -> Tuple[str, str]:
    """(a line of the bench's table, what became of the goal)."""
    values = [goal.value(row) for row in select(bench_line.usable(results), section=goal.section,
                                                scheme=SCHEME)]
    word = mark(goal, results, values)
    return bench_line.line(goal.section, goal.figure, SCHEME, values, "<= %g" % goal.at_most, word,
                           digits=3), word


def lines(results: Results) -> Tuple[List[str], bool]:
    """(all lines, whether a goal was missed)."""
    found = [line(goal, results) for goal in GOALS]
    return [text for text, _ in found], any(bench_line.is_missed(word) for _, word in found)
