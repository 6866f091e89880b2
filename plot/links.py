"""The links that rows ran on: their names, rows that fell back to loopback, and how much time a
wire alone takes."""

from typing import Dict, List, Optional, Sequence, Tuple

from rows import Row, group
from stats import Spread
from tables import NONE, ratio, span

LOOPBACK = "loopback"
# A full frame at MTU 1500: 1448 bytes of payload beside IP's and TCP's headers (timestamps are on),
# and Ethernet's header, checksum, preamble and gap around them.
WIRE_BYTES, PAYLOAD_BYTES = 1538, 1448
BITS_PER_BYTE = 8
FINE_MAX = 2  # multiples of the wire's least from here on need no thousandths


def link_of(row: Row) -> str:
    """The link that a row really ran on; one that names none ran on loopback."""
    return row.get("link") or LOOPBACK


def rate_of(row: Row) -> Optional[float]:
    """Bits per second towards the client; None where there is no limit."""
    return row.get("link_rate_bits_per_s") or None


def round_trip_of(row: Row) -> Optional[float]:
    """Milliseconds that the link adds; None on loopback, which adds none to speak of."""
    return row.get("link_rtt_ms")


def rate_text(bits_per_s: float) -> str:
    """`100 Mbit/s`, `1 Gbit/s`."""
    return "%g Gbit/s" % (bits_per_s / 1e9) if bits_per_s >= 1e9 else "%g Mbit/s" % (
        bits_per_s / 1e6)


def describe(row: Row) -> str:
    """`lan100: 100 Mbit/s, round trip 0.5 ms`; loopback is its own description."""
    if link_of(row) == LOOPBACK:
        return LOOPBACK
    rate, trip = rate_of(row), round_trip_of(row)
    parts = [rate_text(rate) if rate else "no limit of rate"]
    if trip is not None:
        parts.append("round trip %g ms" % trip)
    return "%s: %s" % (link_of(row), ", ".join(parts))


def by_link(rows: Sequence[Row]) -> List[Tuple[str, List[Row]]]:
    """(link, rows): the slowest first, as the paper's is; loopback last."""
    def place(item: Tuple[str, List[Row]]) -> Tuple:
        name, row = item[0], item[1][0]
        return (name == LOOPBACK, rate_of(row) or float("inf"), round_trip_of(row) or 0, name)
    cells: Dict[str, List[Row]] = {}
    for row in rows:
        cells.setdefault(link_of(row), []).append(row)
    return sorted(cells.items(), key=place)


def label_of(rows: Sequence[Row], every: Sequence[Row]) -> Tuple[str, str]:
    """What sets the rows of one link apart among all: (in words, as a name). Both are "" where no
    row had, or asked for, anything but loopback."""
    if all(link_of(row) == LOOPBACK and not fell_back(row) for row in every):
        return "", ""
    return describe(rows[0]), link_of(rows[0])


def join(*labels: str) -> str:
    """Of several labels those that say something."""
    return ", ".join(label for label in labels if label)


# ---- rows that ran elsewhere ----


def fell_back(row: Row) -> bool:
    """Whether a row was to run on another link than it did."""
    return (row.get("link_asked") or link_of(row)) != link_of(row)


def fallback_notes(rows: Sequence[Row]) -> List[str]:
    """Which rows were meant for a link that was unavailable, and why."""
    found = group([row for row in rows if fell_back(row)], ("link_asked", "link_reason"))
    return ["%d of %d rows were meant for %s and fell back to %s: %s." % (
        len(members), len(rows), asked, link_of(members[0]),
        (reason or "no reason given").rstrip(".")) for (asked, reason), members in found.items()]


# ---- the wire ----


def wire_ms(payload_bytes: float, bits_per_s: float) -> float:
    """The least time in which a wire of this rate carries so much payload, in full frames."""
    return payload_bytes * WIRE_BYTES / PAYLOAD_BYTES * BITS_PER_BYTE / bits_per_s * 1e3


def times_of_wire(rows: Sequence[Row]) -> List[float]:
    """Each run's time as a multiple of its wire's least; none where no wire has a rate."""
    return [row["elapsed_ms"] / wire_ms(row["bytes"], rate_of(row)) for row in rows
            if rate_of(row) and row["elapsed_ms"] and row["bytes"]]


def times_texts(found: Optional[Spread]) -> Tuple[str, str]:
    """(median, min..max) of multiples of a wire's least: a thousandth of it can be told apart,
    which three digits from 1 up would hide."""
    if not found:
        return NONE, NONE
    if found.low >= FINE_MAX:
        return ratio(found.median, 1), span(found.low, found.high)
    low, high = "%.3f" % found.low, "%.3f" % found.high
    return "%.3fx" % found.median, low if low == high else low + ".." + high


WIRE_NOTE = (
    "The wire's least: the payload with its headers (%d bytes on the wire carry %d) at the link's "
    "rate. A time begins with the first byte received, so it leaves out the first frame on the "
    "wire and the round trips before it." % (WIRE_BYTES, PAYLOAD_BYTES))
