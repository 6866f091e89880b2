"""What is wrong with a row: checks it against base/row_keys.h, one of screens against
client/monitor/row_keys.h, and its numbers against each other."""

import json
from typing import Any, Dict, Iterable, Optional, Sequence

from schema import CLIENT_KEYS, SCREEN_KEYS, SWEEP_KEYS, Key

SCHEMA = 5  # ROW_SCHEMA of base/row.h
TIME_MIN = 1e-6        # milliseconds or microseconds: no clock here can measure less
RATE_TOLERANCE = 0.02  # between a rate and bytes / elapsed_ms: both are rounded in print
CLOCK_SHARE = 0.1      # of p50: a larger error of the clocks makes a row clock-limited
OTHER_HOSTS = "others" # of a host_us with too many hosts: the slowest of the rest
MBIT_ROUNDED = 0.01    # Mbit/s, below which rounding in print is more than that

Row = Dict[str, Any]


# ---- one key ----


def is_number(value: Any) -> bool:
    """Whether it is a number from 0 that fits 64 bits. NaN does not; true and false do not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**64


IS_TEXT = ("text", lambda v: isinstance(v, str))
# For each kind of base/row_keys.h: what a value must be.
KINDS = {
    "text": IS_TEXT, "line": IS_TEXT, "choice": IS_TEXT, "status": IS_TEXT, "bytes": IS_TEXT,
    "integer": ("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "count": ("a whole number from 0", lambda v: is_number(v) and isinstance(v, int)),
    "from1": ("a whole number from 1", lambda v: is_number(v) and isinstance(v, int) and v > 0),
    "number": ("a finite number from 0", is_number),
    "time": ("a finite time above 0", lambda v: is_number(v) and v >= TIME_MIN),
    "positive": ("a finite number above 0", lambda v: is_number(v) and v > 0),
    "tally": ("an object of counts", lambda v: isinstance(v, dict)),
    "flag": ("true or false", lambda v: isinstance(v, bool)),
}

STATUSES = ("ok", "failed", "skipped")


def wrong_key(row: Row, keys: Iterable[Key]) -> Optional[str]:
    """The first key that is missing or of the wrong kind, in words; None if all are right."""
    for key in keys:
        words, fits = KINDS[key.kind]
        if key.name not in row:
            return "has no `%s`" % key.name
        value = row[key.name]
        if not (fits(value) or value is None and key.null):
            return "`%s` is %s: must be %s" % (key.name, shown(value), words)
    return None


def shown(value: Any) -> str:
    """A value as JSON, cut so that a message stays one line."""
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


# ---- the whole row ----


QUANTILES = {"connect_us": ("min", "p50", "p90", "p99", "max"),
             "latency_us": ("min", "p50", "p90", "p99", "p999", "max")}
SCREEN_QUANTILES = {name: ("p50", "p95", "p99", "max") for name in ("decoded_ms", "screen_ms")}
SCREEN_QUANTILES.update({name: ("p50", "p95") for name in ("eye_floor_ms", "input_ms")})


def disorder(row: Row, quantiles: Dict[str, Sequence[str]]) -> Optional[str]:
    """A quantile above a higher one, in words; None if there is none."""
    for name, places in quantiles.items():
        known = [key for key in ("%s_%s" % (name, place) for place in places)
                 if row[key] is not None]
        for low, high in zip(known, known[1:]):
            if row[low] > row[high]:
                return "`%s` is above `%s`" % (low, high)
    return None


def contradiction(row: Row) -> Optional[str]:
    """Numbers of one row that contradict each other, in words; None if there are none."""
    if row["connected"] + row["connect_failed"] != row["servers"]:
        return "connected + connect_failed is not servers"
    if row["bytes_per_s"] and row["elapsed_ms"]:
        rate = row["bytes"] / row["elapsed_ms"] * 1000
        if abs(rate - row["bytes_per_s"]) > RATE_TOLERANCE * row["bytes_per_s"]:
            return "`bytes_per_s` is not bytes / elapsed_ms"
    return disorder(row, QUANTILES)


def screen_contradiction(row: Row) -> Optional[str]:
    """The same of a row of screens."""
    if row["screens_connected"] > row["screens"]:
        return "`screens_connected` is above `screens`"
    if row["bytes"] and row["mbit_per_s"] and row["elapsed_ms"]:
        rate = row["bytes"] * 8 / row["elapsed_ms"] / 1000
        if abs(rate - row["mbit_per_s"]) > RATE_TOLERANCE * max(rate, MBIT_ROUNDED):
            return "`mbit_per_s` is not bytes / elapsed_ms"
    for worst, most in (("worst_screen_p95_ms", "screen_ms_max"),
                        ("decoded_worst_p95_ms", "decoded_ms_max")):
        if row[worst] is not None and row[most] is not None and row[worst] > row[most]:
            return "`%s` is above `%s`" % (worst, most)
    return disorder(row, SCREEN_QUANTILES)


def hosts_contradiction(row: Row) -> Optional[str]:
    """What the sweep and the client say of hosts, if it contradicts itself; None if it does not."""
    if row.get("host_lost") and row["status"] != "failed":
        return "`host_lost` is %s in a row that did not fail" % shown(row["host_lost"])
    if row.get("host_lost") and not row.get("hosts"):
        return "`host_lost` is %s, and the row has no `hosts`" % shown(row["host_lost"])
    if bool(row.get("launcher")) != bool(row.get("hosts")):
        return "`launcher` is %s, and `hosts` is %s" % (shown(row.get("launcher")),
                                                       shown(row.get("hosts")))
    return None


def processes_contradiction(row: Row) -> Optional[str]:
    """The same of a row with status ok: the processes that sent, and their clocks."""
    times, processes = dict(row.get("host_us") or {}), row.get("processes")
    for address, time in times.items():
        if not is_number(time):
            return "`host_us` of %s is %s: must be a number from 0" % (address, shown(time))
    times.pop(OTHER_HOSTS, None)
    if processes is not None and len(times) > processes:
        return "`host_us` has %d hosts, and `processes` is %d" % (len(times), processes)
    error, middle = row.get("clock_error_us_max"), row.get("latency_us_p50")
    if None not in (error, middle) and row.get("clock_limited") is False \
            and error > CLOCK_SHARE * middle * (1 + RATE_TOLERANCE):
        return "`clock_limited` is false, and `clock_error_us_max` is over 10 % of p50"
    return None


def is_of_screens(row: Row) -> bool:
    """Whether a viewer of screens wrote it, and not a collector."""
    return "screens" in row


def wrong_client(row: Row) -> Optional[str]:
    """What is wrong with the keys that its program wrote, in words; None if nothing is."""
    if is_of_screens(row):
        return wrong_key(row, SCREEN_KEYS) or screen_contradiction(row)
    return wrong_key(row, CLIENT_KEYS) or contradiction(row) or processes_contradiction(row)


def wrong_row(row: Any) -> Optional[str]:
    """Why a parsed line is not a row of this schema; None if it is."""
    if not isinstance(row, dict):
        return "not a JSON object"
    if row.get("schema") != SCHEMA or isinstance(row["schema"], bool):
        return "schema is %s: this report reads schema %d" % (shown(row.get("schema")), SCHEMA)
    if row.get("status") not in STATUSES:
        return "`status` is %s: must be %s" % (shown(row.get("status")), ", ".join(STATUSES))
    why = wrong_key(row, SWEEP_KEYS) or hosts_contradiction(row)
    if why or row["status"] != "ok":
        return why
    return wrong_client(row)
