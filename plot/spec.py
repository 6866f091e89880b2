"""The paper's specification: 200 servers and 500 records a second."""

from typing import Callable, List, Optional, Sequence

from rows import Results, Row, group, variants
from section import (KB_TO_MB, Section, latency_notes, left_out, median_of, range_text, usable,
                     with_label)
from stats import spread
from tables import Column, Table, number, span

TITLE = "Specification. Records at a fixed rate"
SCENARIO = "spec"
COLUMNS = (Column("what", left=True), Column("asked"), Column("median"), Column("min..max"))
Measure = Callable[[Row], Optional[float]]


def lost(row: Row) -> Optional[float]:
    """Records that were sent but not processed; the raw loop has no records."""
    if row["frames"] is None:
        return None
    return row["servers"] * row["frames_per_server"] - row["frames"]


def cpu_share(row: Row) -> Optional[float]:
    """Of one CPU, in percent, over the time that data flowed."""
    if row["cpu_s"] is None or row["elapsed_ms"] is None:
        return None
    return 100 * row["cpu_s"] / (row["elapsed_ms"] / 1000)


def scaled(key: str, scale: float) -> Measure:
    return lambda row: None if row.get(key) is None else row[key] * scale


MEASURES = (
    ("servers connected", scaled("connected", 1)),
    ("records per second", scaled("frames_per_s", 1)),
    ("records lost", lost),
    ("latency p50, ms", scaled("latency_us_p50", 1e-3)),
    ("latency p99, ms", scaled("latency_us_p99", 1e-3)),
    ("latency p99.9, ms", scaled("latency_us_p999", 1e-3)),
    ("latency max, ms", scaled("latency_us_max", 1e-3)),
    ("the clocks' error, ms", scaled("clock_error_us_max", 1e-3)),
    ("client's CPU, % of one CPU", cpu_share),
    ("client's peak memory, MB", scaled("peak_rss_kb", KB_TO_MB)),
)


def asked(what: str, row: Row) -> str:
    """What the scenario requires; most lines have no requirement."""
    return {"servers connected": str(row["servers"]),
            "records per second": number(row["rate"]) if row["rate"] else "unlimited",
            "records lost": "0 of %d" % (row["servers"] * row["frames_per_server"])}.get(what, "")


def line(what: str, measure: Measure, rows: Sequence[Row]) -> List[str]:
    found = spread([value for value in map(measure, rows) if value is not None])
    return [what, asked(what, rows[0]), number(median_of(found)), range_text(found)]


def table(label: str, rows: Sequence[Row]) -> Table:
    row = rows[0]
    title = "%s: %d servers, records of %s kB, n = %d, scheme %s, W=%d C=%d" % (
        with_label(TITLE, label), row["servers"],
        span(row["size_min"] / 1000, row["size_max"] / 1000), len(rows), row["scheme"],
        row["workers"], row["concurrency"])
    return Table(title, COLUMNS, [line(what, measure, rows) for what, measure in MEASURES],
                 ["The paper's specification: 200 servers, records of 0.256..100 kB, 500 records "
                  "per second.",
                  *latency_notes(rows)])


def build(results: Results) -> Section:
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    axes = ("scheme", "workers", "concurrency", "connect")
    return Section(TITLE, [table(label, cell) for label, members in variants(rows, axes)
                           for cell in group(members, axes).values()], [])
