#!/usr/bin/env python3
"""Searches for the highest rate of records that the client collects without loss and on time.

Reads the rows of the rates tried so far (rate.jsonl in the bench's folder, rows of
scenarios/rate.conf) and prints the next rate and the number of records of each server, or nothing
when the search is over. It doubles the rate, or halves it, and then tries between the highest rate
that was held and the lowest that was not, until the two are close.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # missing under PYTHONSAFEPATH
    import own_python  # first: nothing else may come from the user's settings

import argparse
import math
import statistics
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from bench_link import last_message
from rows import Row, group, parse_line, run_command, select, without_latency
from texts import split

SCENARIO, FILE, LOG = "rate", "rate.jsonl", "rate.txt"
PAPER = 500      # records a second, of the paper's 200 servers
SERVERS, SECONDS = 200, 1.2
START = 16 * PAPER
CLOSE = 1.1      # factor between held and not held that ends the search; noise is not less
RATES_MAX = 12   # tried; each takes scenarios/rate.conf about 4 seconds
P99_MS_MAX = 50.0
ON_TIME = 0.95   # of the rate, from the first record to the last; less is falling behind
LIMITS = {"servers": "the servers are at their limit", "client": "the client is at its limit"}

Tried = Dict[int, List[Row]]  # rows by rate


def is_held(row: Row) -> bool:
    """Whether every record of the row came, and came on time."""
    return (row["status"] == "ok" and row["audit"] == "pass"
            and row["frames"] == row["servers"] * row["frames_per_server"]
            and (row["frames_per_s"] or 0) >= ON_TIME * row["rate"]
            and row["latency_us_p99"] is not None
            and row["latency_us_p99"] <= P99_MS_MAX * 1e3)


def tried_rates(lines: Iterable[bytes]) -> Tried:
    """Rows that can be read, by rate. The label is the rate, because a row of a client that was
    stopped has only the sweep's keys."""
    rows = [row for row, _ in map(parse_line, lines) if row is not None]
    return {int(label): members
            for (label,), members in group(select(rows, scenario=SCENARIO), ("label",)).items()
            if label.isdecimal()}


def held(tried: Tried) -> Dict[int, bool]:
    """Whether most rows of a rate were held: a single row may have met a busy machine."""
    return {rate: 2 * sum(map(is_held, rows)) > len(rows) for rate, rows in tried.items()}


def bracket(found: Dict[int, bool]) -> Tuple[Optional[int], Optional[int]]:
    """The highest rate held and the lowest above it that was not, None where there is none."""
    low = max((rate for rate, was in found.items() if was), default=None)
    high = min((rate for rate, was in found.items() if not was and rate > (low or 0)), default=None)
    return low, high


def next_rate(found: Dict[int, bool]) -> Optional[int]:
    """The rate to try next; None: the search is over."""
    low, high = bracket(found)
    if len(found) >= RATES_MAX:
        return None
    if low is None and high is None:
        return START
    if low is None:
        return high // 2 if high >= 2 * PAPER else None
    if high is None:
        return 2 * low
    return None if high <= CLOSE * low else int(round(math.sqrt(low * high), -1))


def clocks(tried: Tried) -> str:
    """Why no row tells whether its records came on time; "" if some do."""
    rows = [row for members in tried.values() for row in members]
    late = [row for row in rows if row.get("latency_us_p99") is not None]
    return "" if late else next(iter(without_latency(rows)), "")


# ---- the result ----


class Best(NamedTuple):
    """The highest rate held, None without one; why nothing was measured; details in words."""

    rate: Optional[int]
    reason: str
    note: str


def read(folder: str) -> Tried:
    """The rows of the search; none without a file."""
    try:
        with open(os.path.join(folder, FILE), "rb") as file:
            return tried_rates(split(file.read()))
    except OSError:
        return {}


def limit_text(rows: Sequence[Row]) -> str:
    """Which party was at its limit in most rows of a rate that was not held; "" if unclear."""
    named = [row["bottleneck"] for row in rows if row.get("bottleneck") in LIMITS]
    return "; beyond, " + LIMITS[statistics.mode(named)] if 2 * len(named) > len(rows) else ""


def search_result(folder: str) -> Best:
    tried = read(folder)
    low, high = bracket(held(tried))
    if not tried:
        return Best(None, last_message(os.path.join(folder, LOG), "fanin-sweep"), "")
    if clocks(tried):
        return Best(None, clocks(tried), "")
    if low is None:
        return Best(None, "", "none held: not even %d/s" % high)
    late = [row["latency_us_p99"] / 1e3 for row in tried[low] if is_held(row)]
    return Best(low, "", "%d/s, p99 %.1f ms; %s" % (
        low, statistics.median(late), "%d/s not held%s" % (high, limit_text(tried[high])) if high
        else "nothing higher tried"))


# ---- the command ----

EPILOGUE = """example:
  plot/bench_rate.py out/bench-20260101T000000Z    8000 48: at 8000 records a second, 48 of each

exit codes: 0 printed, or the search is over; 2 wrong use"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="plot/bench_rate.py", description=__doc__,
                                     epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", help="the bench's folder")
    tried = read(parser.parse_args(arguments).folder)
    rate = next_rate(held(tried))
    if rate is not None and not clocks(tried):
        print(rate, max(2, round(rate * SECONDS / SERVERS)))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
