"""Fleets on other computers: which they were, how evenly they started, how well their clocks are
known, and whether one of them was slower than the others."""

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

import order
from places import is_on_hosts, link_of
from row_check import OTHER_HOSTS
from rows import Results, Row, clock_limited, grouped, is_result, numbers
from section import (Figure, Section, data_block, data_line, measured, median_of, numbered,
                     range_text, shorten)
from stats import Spread, median, spread
from tables import NONE, Column, Table, exact, in_blocks, number, percent, ratio, span

TITLE = "Hosts. The computers of the fleet"
LEAD = ("Host as a factor: in each run, the time from the first frame byte to the last one of a "
        "host's servers, divided by the median host's. Equal hosts lie on 1.")
MICRO_TO_MS = 1e-3
EACH_MAX = 16       # hosts with a line of their own; more than that share it where they are alike
NAMED_MAX = 7       # hosts with a colour, the furthest from the median ones
OTHERS = "others"
APART = 1.05        # times the median host, from which on a host is called slower
RUNS_MIN = 3        # below which no host is called slower
PANEL_HEIGHT = 190  # pixels
NAME_MAX, LEGEND_MAX, PROCESSOR_MAX = 20, 15, 22  # characters
REACH_MIN = 1.1     # of the figure's axis, to 1 / REACH_MIN
TICS = ((1.15, (0.9, 0.95, 1, 1.05, 1.1)), (1.7, (0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5)),
        (5, (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)), (1e9, (0.001, 0.01, 0.1, 1, 10, 100, 1000)))

Host = Dict[str, Any]  # what a host said of itself, an object of `hosts` in run.json


# ---- what the hosts said of themselves ----


def recorded(results: Results) -> List[Host]:
    """The hosts of all fleets; [] without any."""
    found = results.run.get("hosts")
    return [host for host in found if isinstance(host, dict)] if isinstance(found, list) else []


def name_of(host: Host) -> str:
    return str(host.get("host") or host.get("address") or "unknown")


def listed(names: Iterable[str]) -> str:
    """`lab1, lab2, lab3`; many are cut to the first two and the last."""
    every = list(dict.fromkeys(names))
    return ", ".join(every) if len(every) <= 4 else "%s, %s .. %s (%d)" % (
        every[0], every[1], every[-1], len(every))


def and_more(names: Iterable[str]) -> str:
    """`lab1 and 39 more`."""
    every = list(dict.fromkeys(names))
    more = " and %d more" % (len(every) - 1) if len(every) > 1 else ""
    return shorten(every[0], LEGEND_MAX) + more


def names(results: Results) -> str:
    """The fleets' hosts in one line, for the record; "" without any."""
    return listed(map(name_of, recorded(results)))


def text(host: Host, key: str) -> str:
    value = host.get(key)
    if isinstance(value, int):
        return exact(value)
    return NONE if value in (None, "") else str(value).replace("_", " ")


def gigabytes(host: Host) -> str:
    value = host.get("memory_mb")
    return number(value / 1024) if isinstance(value, (int, float)) else NONE


# Columns of a host, and what fills them. READY's line (fanin-servers --hosted) has the keys.
FACTS = (
    (Column("processor", left=True), lambda host: shorten(text(host, "cpu"), PROCESSOR_MAX)),
    (Column("CPUs"), lambda host: text(host, "cpus")),
    (Column("GB"), gigabytes),
    (Column("Mbit/s"), lambda host: text(host, "speed_mbit")),
)
# Facts that are alike on most fleets; a note names the hosts that differ.
SHARED = ("clock", "kernel", "commit", "interface", "mtu", "congestion", "descriptors")


def servers_text(fleets: Sequence[Host]) -> str:
    counts = [host["count"] for host in fleets if isinstance(host.get("count"), int)]
    return "..".join(dict.fromkeys(exact(n) for n in (min(counts), max(counts)))) if counts \
        else NONE


def host_lines(hosts: Sequence[Host]) -> List[List[str]]:
    """A line for each host over all fleets; many hosts that are alike share one."""
    def facts(host: Host) -> Tuple[str, ...]:
        return tuple(fact(host) for _, fact in FACTS)
    by_name = grouped(hosts, lambda host: (name_of(host), text(host, "address"), facts(host)))
    if len(by_name) <= EACH_MAX:
        return [[shorten(name, NAME_MAX), address, servers_text(fleets), *values]
                for (name, address, values), fleets in by_name.items()]
    return [[and_more(map(name_of, fleets)), text(fleets[0], "address"), servers_text(fleets),
             *values] for values, fleets in grouped(hosts, facts).items()]


def shared_notes(hosts: Sequence[Host]) -> List[str]:
    """`kernel: 6.1.0`, or each value with its hosts where they differ."""
    notes = []
    for key in SHARED:
        values = grouped([host for host in hosts if text(host, key) != NONE],
                         lambda host, key=key: text(host, key))
        if len(values) == 1:
            notes.append("%s: %s" % (key, next(iter(values))))
        elif values:
            notes.append("%s differs: %s" % (key, "; ".join(
                "%s on %s" % (value, listed(map(name_of, members)))
                for value, members in values.items())))
    return [", ".join(note for note in notes if " differs: " not in note) + "."] \
        + [note + "." for note in notes if " differs: " in note] if notes else []


def hosts_table(hosts: Sequence[Host]) -> Table:
    columns = (Column("host", left=True), Column("address", left=True), Column("servers"),
               *(column for column, _ in FACTS))
    return Table("Hosts: what they say of themselves", columns, host_lines(hosts),
                 shared_notes(hosts))


# ---- start and clocks ----


START_COLUMNS = (Column("scenario", left=True), Column("fleet", left=True),
                 Column("median", "start spread, ms"), Column("min..max", "start spread, ms"),
                 Column("offset", "clocks, ms"), Column("error", "clocks, ms"),
                 Column("limited", "clocks, ms"), Column("n"))
Place = Tuple[str, str, str]  # scenario, `4 hosts by slurm`, start


def place_of(row: Row) -> Place:
    return row["scenario"], link_of(row), str(row.get("start") or "")


def start_line(place: Place, rows: Sequence[Row]) -> List[str]:
    """Of one scenario and number of hosts; offset and error are the largest of all runs."""
    scenario, fleet, start = place
    spreads = measured(rows, "start_spread_us")
    most = [max((value * MICRO_TO_MS for value in numbers(rows, key)), default=None)
            for key in ("clock_offset_us_max", "clock_error_us_max")]
    limited = len(clock_limited(rows))
    return [scenario, ", ".join(filter(None, (fleet, start))),
            number(median_of(spreads, MICRO_TO_MS)), range_text(spreads, MICRO_TO_MS),
            *map(number, most), str(limited) if most[1] is not None else NONE, str(len(rows))]


def start_table(places: Dict[Place, List[Row]]) -> Table:
    return Table("Hosts: start and clocks", START_COLUMNS,
                 [start_line(place, rows) for place, rows in places.items()],
                 ["Start spread: from the first server's begin to the last one's, by the clocks of "
                  "their hosts, corrected by their offsets.",
                  "Clocks: the largest offset from the client's clock, which is taken off, and the "
                  "largest error of it, which is not; limited: runs in which that is over 10 % of "
                  "the latencies' p50, or not known."])


# ---- host as a factor ----


class Factor(NamedTuple):
    """One host's times over the rows of a place, each divided by its row's median host."""

    name: str
    runs: List[order.Run]
    slowest: int  # runs in which it took longer than all others

    @property
    def spread(self) -> Optional[Spread]:
        return spread([run.relative for run in self.runs])

    @property
    def middle(self) -> float:
        return median([run.relative for run in self.runs])


def names_by_address(results: Results) -> Dict[str, str]:
    return {str(host.get("address")): name_of(host) for host in recorded(results)}


def times_of(row: Row) -> Dict[str, float]:
    """Each host's time, of very many the slowest ones' and that of OTHER_HOSTS; {} with fewer than
    two hosts, of which none is slower than the others."""
    times = {address: time for address, time in (row.get("host_us") or {}).items() if time}
    return times if len(times) > 1 else {}


def middle_of(row: Row, times: Dict[str, float]) -> float:
    """The median host's time; where the row does not have it, the closest one above it."""
    known = sorted(times.values(), reverse=True)
    hosts = max(row.get("processes") or 0, len(known)) if OTHER_HOSTS in times else len(known)
    return median([known[min(place, len(known) - 1)] for place in ((hosts - 1) // 2, hosts // 2)])


def factors(rows: Sequence[Row], named: Dict[str, str]) -> List[Factor]:
    """All hosts of these rows, the slowest first."""
    runs: Dict[str, List[order.Run]] = {}
    slowest: Dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row["order"]):
        times = times_of(row)
        middle = middle_of(row, times) if times else None
        for address, time in times.items():
            if address == OTHER_HOSTS:
                continue
            runs.setdefault(address, []).append(
                order.Run(row["order"], named.get(address, address), order.name_of(row),
                          time / middle))
            alone = time > max(other for name, other in times.items() if name != address)
            slowest[address] = slowest.get(address, 0) + alone
    found = [Factor(members[0].scheme, members, slowest[address])
             for address, members in runs.items()]
    return sorted(found, key=lambda factor: -factor.middle)


FACTOR_COLUMNS = (Column("host", left=True), Column("median", "of the median host's time"),
                  Column("min..max", "of the median host's time"), Column("slowest in"),
                  Column("drift"), Column("n"))


def factor_line(factor: Factor) -> List[str]:
    found, n = factor.spread, len(factor.runs)
    return [shorten(factor.name, NAME_MAX), ratio(factor.middle, 1),
            span(found.low, found.high), percent(factor.slowest, n),
            ratio(order.drift(factor.runs), 1), str(n)]


def shown(found: Sequence[Factor]) -> List[Factor]:
    """All hosts, or of many the slowest and the fastest."""
    return list(found) if len(found) <= EACH_MAX else \
        list(found[:EACH_MAX // 2]) + list(found[-EACH_MAX // 2:])


def factor_table(places: Dict[Place, List[Factor]]) -> Table:
    lines = in_blocks([["%s on %s" % place[:2]]] + [factor_line(factor) for factor in shown(found)]
                      for place, found in places.items())
    hidden = sum(len(found) - len(shown(found)) for found in places.values())
    return Table("Hosts: time of each, the slowest first", FACTOR_COLUMNS, lines, [
        "Time: from the run's first frame byte to the last one of the host's servers. Drift: "
        "median of the second half of the runs / median of the first."] + [
        "%d hosts between the slowest and the fastest are not listed." % hidden] * bool(hidden))


def is_apart(factor: Factor) -> bool:
    """Whether the host was slower in all runs, or its median's interval lies above 1."""
    found = factor.spread
    low = found.interval.low if found.interval else found.low
    return low > 1 and factor.middle >= APART


def verdict(place: Place, found: Sequence[Factor]) -> str:
    """Which hosts were slower than the others, in words."""
    where = "%s on %s" % place[:2]
    if max(len(factor.runs) for factor in found) < RUNS_MIN:
        return "%s: fewer than %d runs cannot tell whether a host is slower." % (where, RUNS_MIN)
    apart = ["%s took %s the median host's time and was the slowest in %d of %d runs" % (
        factor.name, ratio(factor.middle, 1), factor.slowest, len(factor.runs))
        for factor in found if is_apart(factor)]
    if apart:
        return "%s: %s." % (where, "; ".join(apart[:NAMED_MAX]))
    return "%s: no host was slower than the others; the slowest, %s, took %s the median host's " \
        "time." % (where, found[0].name, ratio(found[0].middle, 1))


# ---- the figure ----


def coloured(places: Iterable[Sequence[Factor]]) -> List[str]:
    """The names of hosts that get a colour: those whose medians lie furthest from 1."""
    far: Dict[str, float] = {}
    for found in places:
        for factor in found:
            off = max(factor.middle, 1 / factor.middle)
            far[factor.name] = max(far.get(factor.name, 1), off)
    return sorted(sorted(far, key=lambda name: -far[name])[:NAMED_MAX])


def panel(found: Sequence[Factor], colours: Sequence[str]) -> str:
    """The runs of each host with a colour, with their moving median, then those of the others."""
    runs = grouped(sorted(run for factor in found for run in factor.runs),
                   lambda run: run.scheme if run.scheme in colours else OTHERS)
    data = ""
    for name in colours:
        members = runs.get(name, [])
        data += data_block("%s: order, time / the median host's" % name,
                           [data_line(run.order, run.relative) for run in members])
        data += data_block("line of %s: order, moving median" % name,
                           [data_line(*point) for point in order.moving(members)])
    return data + data_block("others: order, time / the median host's", [
        data_line(run.order, run.relative) for run in runs.get(OTHERS, [])])


def tics(reach: float) -> str:
    """Multiples of the median host's time to name on an axis that reaches from 1 / reach to it."""
    values = next((values for most, values in TICS if reach <= most), TICS[-1][1])
    return ", ".join('"%g×" %g' % (value, value) for value in values)


def figure(places: Dict[Place, List[Factor]]) -> Figure:
    every = [run for found in places.values() for factor in found for run in factor.runs]
    names_, orders = {run.scheme for run in every}, [run.order for run in every]
    colours, reach = coloured(places.values()), max([REACH_MIN, *map(order.distance, every)])
    settings: Dict[str, Union[str, float]] = {
        "PANELS": len(places), "HOSTS": len(colours), "OTHERS": int(len(names_) > len(colours)),
        "REACH": reach, "TICS": tics(reach), "FIRST": min(orders), "LAST": max(orders),
        "RUNS": "%d runs, lines: median of %d neighbours" % (
            len(set(orders)), 2 * order.WINDOW + 1),
        **numbered("HOST", [shorten(name, LEGEND_MAX) for name in colours]),
        **numbered("PANEL", ["%s, %s" % place[:2] for place in places])}
    return Figure("hosts", "hosts", (960, 150 + PANEL_HEIGHT * len(places)), settings,
                  "".join(panel(found, colours) for found in places.values()),
                  "Host as a factor. Each host's time divided by the median host's",
                  "One panel for each scenario and fleet, runs from left to right in their order, "
                  "a colour for each host. " + " ".join(
                      verdict(place, found) for place, found in places.items()))


# ---- the section ----


def lost(results: Results) -> List[str]:
    """The rows in which a host was lost, with the reason, which names it."""
    return ["Lost in run %d (%s): %s." % (
        row["order"], " ".join(filter(None, (row["scenario"], row["cell"]))),
        str(row.get("reason") or row["host_lost"]).rstrip("."))
        for row in results.rows if row.get("host_lost")]


def build(results: Results) -> Section:
    rows = [row for row in results.rows if is_on_hosts(row)]
    said, counted = recorded(results), [row for row in rows if is_result(row)]
    if not rows and not said:
        return Section(TITLE, ["Left out: client and servers shared one machine."], [])
    places = grouped(counted, place_of)
    found = {place: factors(members, names_by_address(results))
             for place, members in places.items()}
    found = {place: members for place, members in found.items() if members}
    blocks: List[Union[str, Table]] = [*lost(results)]
    blocks += [verdict(place, members) for place, members in found.items()]
    blocks += [factor_table(found)] if found else []
    blocks += [start_table(places)] if places else []
    blocks += [hosts_table(said)] if said else \
        ["What the hosts say of themselves is not on record (run.json has no hosts)."]
    return Section(TITLE, blocks, [figure(found)] if found else [], LEAD)
