#!/usr/bin/env python3
"""The highest rate of records that is collected without loss and on time: which rate to try next,
and the line of the bench about what was found.

As a command it reads the rows of the rates tried so far (a file of scenarios/rate.conf's rows) and
prints the next rate and how many records of each server it takes, or nothing when the search is
over: upwards by doubling, downwards by halving, and then between the highest rate that was held and
the lowest that was not, until they are close.
"""

import argparse
import math
import os
import statistics
import sys
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import bench_line
from rows import Row, group, parse_line, select

SCENARIO, FILE, LOG, CANNOT = "rate", "rate.jsonl", "rate.txt", "fanin-sweep: "
PAPER = 500  # records a second, of the paper's 200 servers
SERVERS, SECONDS = 200, 1.2
START = 16 * PAPER
CLOSE = 1.1      # between held and not held: noise is not less
RATES_MAX = 12   # tried; each takes scenarios/rate.conf about 4 seconds
P99_MS_MAX = 50.0
ON_TIME = 0.95   # of the rate, from the first record to the last: the rest is not kept up with
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
    """Rows that can be read, by rate. It is their label, too: a row of a client that was stopped
    has no key but the sweep's."""
    rows = [row for row, _ in map(parse_line, lines) if row is not None]
    return {int(label): members
            for (label,), members in group(select(rows, scenario=SCENARIO), ("label",)).items()
            if label.isdecimal()}


def held(tried: Tried) -> Dict[int, bool]:
    """Whether most rows of a rate were held: one alone may have met a busy machine."""
    return {rate: 2 * sum(map(is_held, rows)) > len(rows) for rate, rows in tried.items()}


def bracket(found: Dict[int, bool]) -> Tuple[Optional[int], Optional[int]]:
    """(the highest rate held, the lowest above it that was not), None for what there is not."""
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


# ---- the line ----


def reason(folder: str) -> Optional[str]:
    """Why nothing could be measured, in the sweep's words; None: it did not say, or was not run."""
    try:
        with open(os.path.join(folder, LOG), encoding="utf-8", errors="replace") as file:
            said = [text.strip() for text in file if text.startswith(CANNOT)]
    except OSError:
        return None
    return said[-1][len(CANNOT):] if said else None


def read(folder: str) -> Tried:
    """What was tried; nothing where there is no such file."""
    try:
        with open(os.path.join(folder, FILE), "rb") as file:
            return tried_rates(file)
    except OSError:
        return {}


def beyond(rows: Sequence[Row]) -> str:
    """What was at its limit where a rate was not held, of most rows; "" where that is not clear."""
    named = [row["bottleneck"] for row in rows if row.get("bottleneck") in LIMITS]
    return "; beyond, " + LIMITS[statistics.mode(named)] if 2 * len(named) > len(rows) else ""


def lines(folder: str) -> Tuple[List[str], bool]:
    """(the line, whether it could not be measured): no target, as the paper has none."""
    tried = read(folder)
    low, high = bracket(held(tried))
    if not tried:
        why = reason(folder)
        mark = bench_line.SKIPPED + why if why else bench_line.NOT_MEASURED
    elif low is None:
        mark = "none held: not even %d/s" % high
    else:
        late = [row["latency_us_p99"] / 1e3 for row in tried[low] if is_held(row)]
        mark = "%d/s, p99 %.1f ms" % (low, statistics.median(late))
        mark += ("; %d/s not held%s" % (high, beyond(tried[high])) if high
                 else "; nothing higher tried")
    text = bench_line.line("rate", "highest loss-free rate", "slices / paper's %d per s" % PAPER,
                           [low / PAPER] if low else [], "", mark, digits=1)
    return [text], bench_line.is_missed(mark)


# ---- the command ----


def main() -> int:
    """Exit codes: 0 printed, or the search is over; 2 wrong use."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", help="of the bench; its %s has the rows so far" % FILE)
    rate = next_rate(held(read(parser.parse_args().folder)))
    if rate is not None:
        print(rate, max(2, round(rate * SECONDS / SERVERS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
