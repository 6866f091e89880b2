"""What limited each cell, and what its memory held: throughput as a share of the ceiling measured
in the same run, how busy client, servers and link were, and each scheme's predicted memory beside
its peak."""

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
import machine
import paper
from places import is_connection_test
from rows import Results, Row, group, grouped, is_of_screens, is_result
from section import Section, range_text, measured, median_of
from stats import Spread, median
from tables import NONE, Column, Table, number, percent, ratio
from texts import short

TITLE = "Attribution. What limited each cell, and what its memory held"
CEILINGS = ("drain", "raw")
BUSY_SHARE = 0.85     # of the machine's time; the rows' bottleneck has the same limit
STOPPED_SHARE = 0.5   # of a quota's periods; the rows' bottleneck has the same limit
STOPPED_SOME, OVER_WIRE = 0.1, 1.02  # of its periods; times the wire's, from where on it matters
MEGA = 1e-6
NAME_MAX = 28         # columns of a cell's name
CELL = ("scenario", "section", "link", "client", "scheme", "cell", "workers", "concurrency",
        "engine", "label")
SHARES = (Column("cell", left=True), Column("MB/s"), Column("drain", "of the ceiling"),
          Column("raw", "of the ceiling"), Column("client", "share of its time"),
          Column("servers", "share of its time"), Column("link", "share of its time"),
          Column("machine", "share of its time"), Column("bottleneck", left=True), Column("n"))
MEMORY = (Column("cell", left=True), Column("predicted", "buffers, MB"),
          Column("peak", "buffers, MB"), Column("min..max", "buffers, MB"),
          Column("peak / predicted", "buffers, MB"), Column("MB", "peak memory"), Column("n"))


class Shares(NamedTuple):
    """The share of the elapsed time in which each was busy; None where it was not measured."""

    client: Optional[float]
    servers: Optional[float]
    link: Optional[float]
    machine: Optional[float]  # all together, on the processors that they share


# ---- cells ----


def rows_of(results: Results) -> List[Row]:
    """Results that moved data for a time, without the connection tests."""
    return [row for row in results.rows if is_result(row) and not is_of_screens(row)
            and row["elapsed_ms"] and row["bytes"] and not is_connection_test(row)]


def tables_of(rows: Sequence[Row]) -> List[Tuple[str, List[List[Row]]]]:
    """Cells under their scenario, section and link."""
    ordered = sorted(rows, key=lambda row: (row["scenario"], row["section"], links.link_of(row),
                                            scheme_place(row["scheme"]), row["workers"],
                                            row["concurrency"], row["cell"]))
    return list(grouped(group(ordered, CELL).values(), lambda cell: "%s on %s" % (
        " ".join(filter(None, (cell[0]["scenario"], cell[0]["section"]))),
        links.link_of(cell[0]))).items())


def scheme_place(scheme: str) -> Tuple[bool, int, str]:
    """The paper's order, then others, then the ceilings."""
    known = list(paper.table2())
    return (scheme in CEILINGS, known.index(scheme) if scheme in known else len(known), scheme)


def name(row: Row) -> str:
    """A cell in a few words."""
    words = [row["scheme"], "W=%d" % row["workers"], "C=%d" % row["concurrency"]]
    if row["scheme"] == "raw":
        words = ["raw"]
    axes = [part for part in short(row["cell"]).split()
            if part.split("=")[0] not in ("scheme", "W", "C", "client", "link", "frames")]
    return " ".join(words + axes)[:NAME_MAX]


def ceiling(rows: Sequence[Row], row: Row, scheme: str) -> Optional[Spread]:
    """The best cell of one ceiling in the same scenario and on the same link: of the same section
    if it has one, otherwise of any with the same amount of data."""
    found = [one for one in rows if one["scheme"] == scheme
             and one["scenario"] == row["scenario"]
             and links.link_of(one) == links.link_of(row) and one["servers"] == row["servers"]]
    own = [one for one in found if one["section"] == row["section"]]
    same = [one for one in found if one["frames_per_server"] == row["frames_per_server"]
            and one["size_max"] == row["size_max"]]
    cells = [measured(members, "bytes_per_s") for members in group(own or same, CELL).values()]
    return max((cell for cell in cells if cell), key=lambda cell: cell.median, default=None)


# ---- the bottleneck ----


def shares(row: Row, cpus: Optional[float]) -> Shares:
    """From measured CPU, and from the time that the link's rate takes for the payload."""
    elapsed_s = row["elapsed_ms"] / 1e3
    client, servers, link = row["cpu_s"], row["server_cpu_s"], row.get("link_cpu_s") or 0
    processors = row.get("cpu_share") or min(row["concurrency"] or 1,
                                             cpus or row["concurrency"] or 1)
    rate = links.rate_of(row)
    return Shares(
        None if client is None else client / elapsed_s / processors,
        None if servers is None else servers / elapsed_s,
        links.wire_ms(row["bytes"], rate) / row["elapsed_ms"] if rate else None,
        None if client is None or servers is None or not cpus
        else (client + servers + link) / elapsed_s / cpus)


def bottleneck(row: Row, found: Shares) -> str:
    """The row's own; where that is unclear, the machine if all together kept it busy."""
    busy = found.machine is not None and found.machine > BUSY_SHARE
    return "machine" if busy and row["bottleneck"] == "unclear" else row["bottleneck"]


def votes(names: Sequence[str]) -> str:
    """What most runs name, and how many do if not all do."""
    most = max(set(names), key=lambda one: (names.count(one), one))
    return most if names.count(most) == len(names) else "%s %d/%d" % (most, names.count(most),
                                                                     len(names))


def those_known(values: Sequence[Optional[float]]) -> List[float]:
    return [value for value in values if value is not None]


def share_text(values: Sequence[Optional[float]]) -> str:
    known = those_known(values)
    return percent(median(known), 1) if known else NONE


def share_line(members: Sequence[Row], rows: Sequence[Row], cpus: Optional[float]) -> List[str]:
    rate = measured(members, "bytes_per_s")
    found = [shares(row, cpus) for row in members]
    tops = [ceiling(rows, members[0], scheme) for scheme in CEILINGS]
    return [name(members[0]), number(median_of(rate, MEGA))] + [
        percent(median_of(rate), median_of(top)) for top in tops] + [
        share_text([getattr(one, party) for one in found]) for party in Shares._fields] + [
        votes([bottleneck(row, one) for row, one in zip(members, found)]), str(len(members))]


def share_tables(rows: Sequence[Row], cpus: Optional[float]) -> List[Table]:
    made = [Table("Shares of %s" % where, SHARES,
                  [share_line(members, rows, cpus) for members in cells])
            for where, cells in tables_of(rows)]
    if made:
        made[-1] = made[-1]._replace(notes=[
            "Of the ceiling: throughput over the best cell of drain and raw in the same experiment "
            "on the same link. Client: its CPU time over elapsed time and the processors that it "
            "may use; servers: their CPU time over elapsed time, on one thread; link: the time "
            "that the payload takes at its rate, over elapsed time, which begins with the first "
            "byte, so it may exceed 100 % a little; machine: all CPU time over elapsed time and "
            "processors.",
            "Bottleneck: as each row has it (results/README.md), or the machine if all together "
            "keep it busy for more than %.0f %%." % (100 * BUSY_SHARE)])
    return made


# ---- what limited a claim's rows ----

WIRE, QUOTA, BOTH, TRIPS = "link", "cpu-quota", "link and cpu-quota", "round-trip"
LOOK, WORK = "look", "work"
LIMITS = {WIRE: "the wire", QUOTA: "the share of a processor",
          BOTH: "the wire and the share of a processor", TRIPS: "the round trip",
          LOOK: "the timed look", WORK: "the work on records",
          "client": "the client's processors", "servers": "the servers' processor",
          "machine": "all processors together", "offered-load": "the offered load",
          "unclear": "nothing that the rows measure"}


def stopped_share(row: Row) -> Optional[float]:
    """The share of the time's quota periods in which the client was stopped."""
    period, stopped, elapsed = (row.get(key) for key in ("cpu_period_ms", "throttled_periods",
                                                         "elapsed_ms"))
    return stopped * period / elapsed if period and stopped is not None and elapsed else None


def used_share(row: Row) -> Optional[float]:
    """How much the client used of its share of a processor."""
    share, used = row.get("cpu_share"), row.get("cpu_share_used")
    return used / share if share and used is not None else None


def looked_share(row: Row) -> Optional[float]:
    """How many of the looks on a timer took a record, where each takes at most one."""
    timed = str(row.get("look")).startswith("every:") and str(row["look"]).endswith(":one")
    return row["frames"] / row["looks"] if timed and row.get("looks") else None


def work_share(row: Row) -> Optional[float]:
    """The time that the work took on one thread, of the client's share of a processor or of one."""
    work_s, time = row.get("work_s"), row["elapsed_ms"]
    return work_s * 1e3 / time / (row.get("cpu_share") or 1) if work_s and time else None


def quota_limited(row: Row) -> bool:
    """Whether a row that filled its link would have been faster without its quota: most of the
    quota was used or most periods had a stop, or some had and the row took longer than the wire."""
    stopped, times = stopped_share(row) or 0, links.times_of_wire([row])
    return stopped > STOPPED_SHARE or (used_share(row) or 0) > BUSY_SHARE or (
        stopped > STOPPED_SOME and bool(times) and times[0] > OVER_WIRE)


def data_limit(row: Row, cpus: Optional[float]) -> str:
    """What limited a row that moved data: its bottleneck; where that is unclear, a factor of the
    client that left no time. A row that filled its link may have used up its share of a processor,
    too."""
    found = bottleneck(row, shares(row, cpus)) if row["elapsed_ms"] else row["bottleneck"]
    if found == "unclear":
        found = next((name for name, share in ((LOOK, looked_share(row)), (WORK, work_share(row)))
                      if (share or 0) > BUSY_SHARE), found)
    return BOTH if found == WIRE and quota_limited(row) else found or "unclear"


def trips_share(row: Row) -> Optional[float]:
    """The share of the time to connect that round trips take: one after the other, or one."""
    trip, waits = links.round_trip_of(row), row["servers"] if row["connect"] == "sync" else 1
    return trip * waits / row["connect_ms"] if trip is not None and row["connect_ms"] else None


def connect_cpu_share(row: Row) -> Optional[float]:
    """The client's CPU time while it connected, of its share of a processor or of one."""
    cpu_s, time = row.get("connect_cpu_s"), row["connect_ms"]
    return cpu_s * 1e3 / time / (row.get("cpu_share") or 1) if cpu_s is not None and time else None


def connect_limit(row: Row) -> str:
    """What took most of the time to connect."""
    trips, cpu = trips_share(row) or 0, connect_cpu_share(row) or 0
    if max(trips, cpu) <= 0.5:
        return "unclear"
    return TRIPS if trips >= cpu else QUOTA if row.get("cpu_share") else "client"


def wire_fact(rows: Sequence[Row]) -> str:
    """`1.001 to 1.003 times the wire's`."""
    times = sorted(links.times_of_wire(rows))
    ends = ["%.3f" % time for time in times[:1] + times[-1:]]
    return " to ".join(dict.fromkeys(ends)) + " times the wire's" if ends else ""


def quota_fact(rows: Sequence[Row]) -> str:
    """`stopped in 55 % of its periods, 98 % of it used`."""
    stopped, used = (those_known(map(share, rows)) for share in (stopped_share, used_share))
    return ", ".join(["stopped in %s of its periods" % percent(median(stopped), 1)] * bool(stopped)
                     + ["%s of it used" % percent(median(used), 1)] * bool(used))


def of_the_time(share: Callable[[Row], Optional[float]]) -> Callable[[Sequence[Row]], str]:
    """`97 % of the time`, by the rows' median."""
    def fact(rows: Sequence[Row]) -> str:
        values = those_known(map(share, rows))
        return percent(median(values), 1) + " of the time" if values else ""
    return fact


def of_looks(rows: Sequence[Row]) -> str:
    """`98 % of the looks found a record`, by the rows' median."""
    return "%s of the looks found a record" % percent(median(those_known(map(looked_share, rows))),
                                                      1)


DATA_FACTS: Dict[str, Callable[[Sequence[Row]], str]] = {
    WIRE: wire_fact, QUOTA: quota_fact,
    BOTH: lambda rows: links.join(wire_fact(rows), quota_fact(rows)),
    LOOK: of_looks, WORK: of_the_time(work_share)}
CONNECT_FACTS = {TRIPS: of_the_time(trips_share), QUOTA: of_the_time(connect_cpu_share),
                 "client": of_the_time(connect_cpu_share)}


def limited(rows: Sequence[Row], cpus: Optional[float]) -> Dict[str, List[Row]]:
    """The rows by what limited them, most first: how they connected, or how they moved data."""
    connecting = all(map(is_connection_test, rows))
    found = grouped(rows, lambda row: connect_limit(row) if connecting else data_limit(row, cpus))
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def limits_text(found: Dict[str, List[Row]]) -> str:
    """In words, with how many rows and the numbers that show it: `the wire limited 15 of 15 rows
    (1.001 to 1.003 times the wire's)`."""
    rows = [row for members in found.values() for row in members]
    facts = CONNECT_FACTS if all(map(is_connection_test, rows)) else DATA_FACTS
    parts = []
    for name, members in found.items():
        fact, count = facts[name](members) if name in facts else "", len(members)
        counted = "%d" % count if parts else "limited %d of %d rows" % (count, len(rows))
        parts.append(" ".join([LIMITS.get(name, name), counted] + ["(%s)" % fact] * bool(fact)))
    return ", ".join(parts)


# ---- predicted memory ----


def memory_line(members: Sequence[Row]) -> List[str]:
    peak = measured(members, "buffer_peak_bytes")
    predicted = measured(members, "buffer_predicted_bytes")
    return [name(members[0]), number(median_of(predicted, MEGA)), number(median_of(peak, MEGA)),
            range_text(peak, MEGA), ratio(median_of(peak), median_of(predicted)),
            number(median_of(measured(members, "peak_rss_kb"), 1.024e-3)), str(len(members))]


def exceeding(cells: Sequence[Sequence[Row]]) -> str:
    """Runs that needed more than their scheme's formula predicts, which would refute it."""
    over = [row for members in cells for row in members
            if row["buffer_peak_bytes"] > row["buffer_predicted_bytes"]]
    if not over:
        return "No run needed more than its scheme's formula says."
    def factor(row: Row) -> float:
        return row["buffer_peak_bytes"] / max(1, row["buffer_predicted_bytes"])
    worst = max(over, key=factor)
    return "%d of %d runs needed more than the formula says, %s most (%sx)." % (
        len(over), sum(map(len, cells)), name(worst), number(factor(worst)))


def memory_tables(rows: Sequence[Row]) -> List[Table]:
    """Every cell of a scheme that has a formula."""
    known = [row for row in rows if row["buffer_predicted_bytes"] is not None
             and row["buffer_peak_bytes"] is not None]
    return [Table("Memory of buffers, %s" % where, MEMORY,
                  [memory_line(members) for members in cells], [exceeding(cells)])
            for where, cells in tables_of(known)]


def build(results: Results) -> Section:
    rows = rows_of(results)
    if not rows:
        return Section(TITLE, ["Left out: this folder has no row that moved data."], [])
    cpus = machine.quantity(machine.facts(results), "cpus")
    blocks = share_tables(rows, cpus) + memory_tables(rows)
    return Section(TITLE, list(blocks), [])
