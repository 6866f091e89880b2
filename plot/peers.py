"""The client compared with its peers: throughput per CPU second as a share of a raw receive loop,
and latency."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from rows import Results, Row, group, group_by
from section import (KB_TO_MB, LATENCY_COLUMNS, Figure, Section, block_ratio, data_block,
                     data_line, interval_note, latency_notes, latency_texts,
                     left_out, measured, median_of, numbered, point, range_text, usable, whiskers)
from stats import Spread, spread
from tables import NONE, Column, Table, exact, in_blocks, number
from texts import reading_order

TITLE = "Peers. The client compared with other programs"
SCENARIO = "peers"
RAW = "raw"
# Clients by whether they process frames piece by piece, whole, or not at all.
KINDS = (("in pieces", ("slices", "libuv-slices", "blocking-slices", "libevent-slices")),
         ("whole frames", ("chain", "mirror", "ring", "fixed", "libuv", "blocking",
                           "libevent")),
         ("ceilings: no framing", ("drain", RAW)))
NAMES = {"slices": "fanin slices", "chain": "fanin chain", "drain": "fanin drain",
         "ring": "fanin ring", "fixed": "fanin fixed", "mirror": "fanin mirror",
         "libuv-slices": "libuv, in pieces",
         "blocking-slices": "threads, in pieces", "libevent-slices": "libevent, in pieces",
         "blocking": "threads, blocking", RAW: "raw loop"}
SCHEMES = ("slices", "mirror", "chain", "ring", "fixed", "drain")  # in colour
COLUMNS = (Column("client", left=True), Column("GB", "per CPU second"),
           Column("k frames", "per CPU second"), Column("median", "share of raw"),
           Column("min..max", "share of raw"), Column("per byte", "copies"),
           Column("per frame", "receives"), Column("peak MB", "memory"), Column("threads"),
           Column("n"))
LEAD = ("A share of 1 is the raw loop of the same block of runs: one thread that only waits and "
        "receives into one buffer.")
SHARE_MAX = 1.2  # of the figure's axes; longer bars are cut, their numbers are not
Place = Tuple[int, int]  # size of a frame in bytes, servers
Cells = Dict[str, List[Row]]


class Grid(NamedTuple):
    """All cells of the closed-loop sections, by place and client."""

    cells: Dict[Place, Cells]

    @property
    def sizes(self) -> List[int]:
        return sorted({size for size, _ in self.cells})

    @property
    def servers(self) -> List[int]:
        return sorted({servers for _, servers in self.cells})


def clients(cells: Sequence[str]) -> List[Tuple[str, List[str]]]:
    """The clients with results, by kind, in the order of tables and figures."""
    known = [name for _, names in KINDS for name in names]
    kinds = [(kind, [name for name in names if name in cells]) for kind, names in KINDS]
    kinds.append(("others", sorted((name for name in cells if name not in known),
                                   key=reading_order)))
    return [(kind, names) for kind, names in kinds if names]


def name_of(client: str) -> str:
    return NAMES.get(client, client)


def shares(rows: Sequence[Row], raw: Sequence[Row]) -> Optional[Spread]:
    """Bytes per client CPU second, as a share of the raw loop's."""
    return block_ratio(rows, raw, "gb_per_cpu_s")


# ---- tables ----


def hundredths(value: Optional[float]) -> str:
    """A count per byte, in hundredths."""
    return NONE if value is None else "%.2f" % value


def frames_per_cpu_s(rows: Sequence[Row]) -> Optional[Spread]:
    return spread([row["frames"] / row["cpu_s"] for row in rows if row["frames"] and row["cpu_s"]])


def line(client: str, rows: Sequence[Row], raw: Sequence[Row]) -> List[str]:
    share = shares(rows, raw)
    return [name_of(client), number(median_of(measured(rows, "gb_per_cpu_s"))),
            number(median_of(frames_per_cpu_s(rows), 1e-3)),
            number(median_of(share)), range_text(share),
            hundredths(median_of(measured(rows, "copies_per_byte"))),
            number(median_of(measured(rows, "receives_per_frame"))),
            number(median_of(measured(rows, "peak_rss_kb"), KB_TO_MB)),
            exact(median_of(measured(rows, "total_threads"))), str(len(rows))]


def table(size: int, grid: Grid, work: str = "none") -> Table:
    """One size of frames: a block of lines for each number of servers."""
    places = [(servers, grid.cells[size, servers]) for servers in grid.servers
              if (size, servers) in grid.cells]
    lines = in_blocks([["%d servers" % servers]] + [
        line(client, cells[client], cells.get(RAW, []))
        for _, names in clients(list(cells)) for client in names] for servers, cells in places)
    title = "Peers: frames of %s" % size_text(size)
    if work != "none":
        title += ", with work: " + work
    return Table(title, COLUMNS, lines, interval_note(
        shares(rows, cells.get(RAW, [])) for _, cells in places for rows in cells.values()))


def size_text(size: int) -> str:
    return "%g kB" % (size / 1000) if size >= 1000 else "%d B" % size


def latency_line(client: str, rows: Sequence[Row]) -> List[str]:
    shares_of_cpu = spread([100 * row["cpu_s"] / (row["elapsed_ms"] / 1e3) for row in rows
                            if row["cpu_s"] is not None and row["elapsed_ms"]])
    busy = median_of(shares_of_cpu)
    return [name_of(client)] + latency_texts(rows) + [
        NONE if busy is None else "%s %%" % number(busy), str(len(rows))]


def latency_table(rate: float, cells: Cells) -> Table:
    row = next(iter(cells.values()))[0]
    return Table("Peers: latency in ms at %s records a second from %d servers, live" % (
        "{:,.0f}".format(rate), row["servers"]),
        (Column("client", left=True), *LATENCY_COLUMNS, Column("of one CPU", "client"),
         Column("n")),
        [latency_line(client, cells[client]) for _, names in clients(list(cells))
         for client in names],
        latency_notes([row for rows in cells.values() for row in rows]))


# ---- the figure ----


def places(grid: Grid) -> Dict[str, float]:
    """The position of each client's bar from the top, with gaps between kinds."""
    found, place = {}, 0.0
    every = sorted({client for cells in grid.cells.values() for client in cells} - {RAW})
    for _, names in clients(every):
        for client in names:
            found[client] = place
            place += 1
        place += 0.5
    return found


def bars(cells: Cells, stand: Dict[str, float]) -> List[str]:
    found = {client: shares(rows, cells.get(RAW, [])) for client, rows in cells.items()}
    return [data_line(name_of(client), SCHEMES.index(client) + 1 if client in SCHEMES else 0,
                      place, *point(share))
            for client, place in stand.items() for share in [found.get(client)] if share]


def figure(grid: Grid) -> Figure:
    stand = places(grid)
    data = "".join(data_block(
        "%d servers, %s: client, scheme, place, share of raw: median min max" % (
            servers, size_text(size)), bars(grid.cells.get((size, servers), {}), stand))
        for servers in grid.servers for size in grid.sizes)
    settings = {"COLS": len(grid.sizes), "ROWS": len(grid.servers), "SHARE_MAX": SHARE_MAX,
                "SCHEMES": " ".join(SCHEMES), "NAMES": len(stand),
                "PLACE_MAX": max(stand.values(), default=0),
                "RUNS": whiskers(rows for cells in grid.cells.values() for rows in cells.values()),
                **numbered("SIZE", ["frames of " + size_text(size) for size in grid.sizes]),
                **numbered("SERVERS", ["%d servers" % servers for servers in grid.servers]),
                **numbered("NAME", map(name_of, stand)), **numbered("PLACE", stand.values())}
    return Figure("peers", "peers", (1100, 150 + 230 * len(grid.servers)), settings, data,
                  "Peers. Bytes per client CPU second, as a share of the raw loop's",
                  "A grid of bar charts, sizes of frames from left to right, numbers of servers "
                  "from top to bottom. Each bar shows a client's bytes per CPU second as a share "
                  "of the raw loop's; fanin's schemes are in colour, the peers in grey.")


# ---- the section ----


def grid_of(rows: Sequence[Row]) -> Grid:
    return Grid({place: group_by(members, "scheme")
                 for place, members in group(rows, ("size_min", "servers")).items()})


def build(results: Results) -> Section:
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    closed = [row for row in rows if not row["rate"] and row["size_min"] == row["size_max"]]
    grids = {work: grid_of(members) for work, members in sorted(group_by(closed, "work").items())}
    blocks = [table(size, grid, work) for work, grid in grids.items() for size in grid.sizes]
    grid = grids.get("none", Grid({}))
    for rate, members in sorted(group_by([row for row in rows if row["rate"]], "rate").items()):
        blocks.append(latency_table(rate, group_by(members, "scheme")))
    drawn = [figure(grid)] if any(cells.get(RAW) for cells in grid.cells.values()) else []
    return Section(TITLE, blocks, drawn, LEAD)
