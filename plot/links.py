"""The links that rows ran on: names, rows that fell back to loopback, transmission times."""

from typing import Iterator, List, Optional, Sequence, Tuple

from places import (FULL, LOOPBACK, PAPER, PAPERS_MACHINE, factors_text, fell_back,
                    is_on_hosts, link_of, machine_of, why_not_on_machine)
from rows import Row, group, grouped, variants
from stats import Spread
from tables import NONE, ratio, span

# A full frame at MTU 1500: 1448 bytes of payload after the IP and TCP headers (timestamps are on),
# inside Ethernet's header, checksum, preamble and gap.
WIRE_BYTES, PAYLOAD_BYTES = 1538, 1448
BITS_PER_BYTE = 8
FINE_MAX = 2  # from this multiple of the wire time on, three digits are enough


def rate_of(row: Row) -> Optional[float]:
    """Bits per second towards the client; None without a limit."""
    return row.get("link_rate_bits_per_s") or None


def round_trip_of(row: Row) -> Optional[float]:
    """Milliseconds that the link adds; None on loopback."""
    return row.get("link_rtt_ms")


def rate_text(bits_per_s: float) -> str:
    """`100 Mbit/s`, `1 Gbit/s`."""
    return "%g Gbit/s" % (bits_per_s / 1e9) if bits_per_s >= 1e9 else "%g Mbit/s" % (
        bits_per_s / 1e6)


def describe(row: Row) -> str:
    """`lan100: 100 Mbit/s, round trip 0.5 ms`; of loopback and of hosts no more is known."""
    if link_of(row) == LOOPBACK or is_on_hosts(row):
        return link_of(row)
    rate, trip = rate_of(row), round_trip_of(row)
    parts = [rate_text(rate) if rate else "no rate limit"]
    if trip is not None:
        parts.append("round trip %g ms" % trip)
    return "%s: %s" % (link_of(row), ", ".join(parts))


def place_of(row: Row) -> str:
    """The link, and before it the machine unless that is this one at full speed: rows of two places
    share no cell of a table."""
    return link_of(row) if machine_of(row) == FULL else "%s %s" % (machine_of(row), link_of(row))


def by_link(rows: Sequence[Row]) -> List[Tuple[str, List[Row]]]:
    """(place, rows): the paper's machine first; then the slowest link first, loopback last."""
    def order(item: Tuple[str, List[Row]]) -> Tuple:
        name, row = item[0], item[1][0]
        return (machine_of(row) != PAPER, link_of(row) == LOOPBACK, rate_of(row) or float("inf"),
                round_trip_of(row) or 0, name)
    return sorted(grouped(rows, place_of).items(), key=order)


def by_variant(rows: Sequence[Row], axes: Sequence[str],
               shared: Sequence[str] = ()) -> Iterator[Tuple[str, str, List[Row]]]:
    """(label for a title, label for a file's name, rows) for each place and, at it, for each set of
    options. Rows of `shared` schemes, which have no options, belong to every set."""
    for _, on_link in by_link(rows):
        words, name = label_of(on_link, rows)
        common = [row for row in on_link if row["scheme"] in shared]
        rest = [row for row in on_link if row["scheme"] not in shared]
        for label, members in variants(rest, axes) or [("", [])]:
            yield join(words, label), join(name, label), members + common


def label_of(rows: Sequence[Row], every: Sequence[Row]) -> Tuple[str, str]:
    """The label of one place's rows: (for a title, for a file's name). Both are "" if every row ran
    on loopback, was meant to, and at full speed."""
    machines = {machine_of(row) for row in every}
    if machines == {FULL} and all(
            link_of(row) == LOOPBACK and not fell_back(row) for row in every):
        return "", ""
    machine = machine_of(rows[0])
    if machine == FULL:
        words = describe(rows[0])
        return "at full speed, on " + words if len(machines) > 1 else words, link_of(rows[0])
    # A calibrated round trip is in its link's name: it stays out of a file's where it can.
    places = {place_of(row) for row in every if machine_of(row) == machine}
    return machine_text(rows[0]), machine if len(places) == 1 else place_of(rows[0])


def machine_text(row: Row) -> str:
    """`the paper's machine, on lan100: 100 Mbit/s, round trip 0.5 ms, 5.87 % of a processor`."""
    name = PAPERS_MACHINE if machine_of(row) == PAPER else "machine %s" % machine_of(row)
    return "%s, on %s" % (name, join(describe(row), factors_text(row)))


def join(*labels: str) -> str:
    return ", ".join(label for label in labels if label)


# ---- rows that fell back ----


def fallback_notes(rows: Sequence[Row]) -> List[str]:
    """The rows that were meant for an unavailable link, with the reasons."""
    found = group([row for row in rows if fell_back(row)], ("link_asked", "link_reason"))
    return ["%d of %d rows were meant for %s and fell back to %s: %s." % (
        len(members), len(rows), asked, link_of(members[0]),
        (reason or "no reason given").rstrip(".")) for (asked, reason), members in found.items()]


def off_machine_notes(rows: Sequence[Row]) -> List[str]:
    """The rows that did not run on the machine that they name, with the reasons. They count for
    nothing else."""
    found = grouped([row for row in rows if why_not_on_machine(row)], why_not_on_machine)
    return ["%d of %d rows do not count: %s." % (len(members), len(rows), why.rstrip("."))
            for why, members in found.items()]


# ---- the wire ----


def wire_ms(payload_bytes: float, bits_per_s: float) -> float:
    """The transmission time of this payload at this rate, in full frames."""
    return payload_bytes * WIRE_BYTES / PAYLOAD_BYTES * BITS_PER_BYTE / bits_per_s * 1e3


def times_of_wire(rows: Sequence[Row]) -> List[float]:
    """Each run's time as a multiple of its transmission time, for links with a rate."""
    return [row["elapsed_ms"] / wire_ms(row["bytes"], rate_of(row)) for row in rows
            if rate_of(row) and row["elapsed_ms"] and row["bytes"]]


def times_texts(found: Optional[Spread]) -> Tuple[str, str]:
    """(median, min..max) of multiples of a transmission time, in thousandths below FINE_MAX."""
    if not found:
        return NONE, NONE
    if found.low >= FINE_MAX:
        return ratio(found.median, 1), span(found.low, found.high)
    low, high = "%.3f" % found.low, "%.3f" % found.high
    return "%.3fx" % found.median, low if low == high else low + ".." + high


WIRE_NOTE = (
    "Wire: the transmission time of the payload and its headers (%d bytes on the wire carry %d) at "
    "the link's rate. A measured time begins with the first byte received, so it excludes the "
    "first frame and the round trips before it." % (WIRE_BYTES, PAYLOAD_BYTES))
