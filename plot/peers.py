"""The client beside its peers: what a CPU second buys, as a share of a bare receive loop, and how
late frames get."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from rows import Results, Row, group, reading_order
from section import (KB_TO_MB, LATENCY_COLUMNS, Figure, Section, block_ratio, data_block, data_line,
                     extent, frames_per_cpu_s, latency_texts, left_out, measured, middle,
                     run_counts, sure_note, usable)
from stats import Spread, spread
from tables import NONE, Column, Table, exact, number

TITLE = "Peers. The client beside other programs that do its job"
SCENARIO = "peers"
RAW = "raw"
# Clients that process frames in pieces, that put them together first, and that look for none.
KINDS = (("in pieces", ("slices", "libuv-slices", "blocking-slices", "libevent-slices")),
         ("frames put together", ("chain", "mirror", "ring", "fixed", "libuv", "blocking",
                                  "libevent")),
         ("ceilings: no frames looked for", ("drain", RAW)))
NAMES = {"slices": "fanin slices", "chain": "fanin chain", "drain": "fanin drain",
         "ring": "fanin ring", "fixed": "fanin fixed", "mirror": "fanin mirror",
         "libuv-slices": "libuv, in pieces",
         "blocking-slices": "threads, in pieces", "libevent-slices": "libevent, in pieces",
         "blocking": "threads, blocking", RAW: "raw loop"}
SCHEMES = ("slices", "mirror", "chain", "ring", "fixed", "drain")  # in colour
COLUMNS = (Column("client", left=True), Column("GB", "a CPU second"),
           Column("k frames", "a CPU second"), Column("median", "share of raw"),
           Column("min..max", "share of raw"), Column("a byte", "copies"),
           Column("a frame", "receives"), Column("peak MB", "memory"), Column("threads"),
           Column("n"))
LEAD = ("A share of 1 is what one thread gets out of the same servers with nothing but a wait and "
        "recv into one hot buffer, in the same block of runs.")
SHARE_MAX = 1.2  # of the figure's axes; a bar beyond is cut, its number is not
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
    """Those that there are, by kind, in the order that tables and figures have them."""
    known = [name for _, names in KINDS for name in names]
    kinds = [(kind, [name for name in names if name in cells]) for kind, names in KINDS]
    kinds.append(("others", sorted((name for name in cells if name not in known),
                                   key=reading_order)))
    return [(kind, names) for kind, names in kinds if names]


def name_of(client: str) -> str:
    return NAMES.get(client, client)


def shares(rows: Sequence[Row], raw: Sequence[Row]) -> Optional[Spread]:
    """Bytes per client CPU second as a share of the raw loop's."""
    return block_ratio(rows, raw, "gb_per_cpu_s")


# ---- tables ----


def hundredths(value: Optional[float]) -> str:
    """A count a byte: what is less than one in a hundred is none worth the name."""
    return NONE if value is None else "%.2f" % value


def line(client: str, rows: Sequence[Row], raw: Sequence[Row]) -> List[str]:
    share = shares(rows, raw)
    return [name_of(client), number(middle(measured(rows, "gb_per_cpu_s"))),
            number(middle(frames_per_cpu_s(rows), 1e-3)), number(middle(share)), extent(share),
            hundredths(middle(measured(rows, "copies_per_byte"))),
            number(middle(measured(rows, "receives_per_frame"))),
            number(middle(measured(rows, "peak_rss_kb"), KB_TO_MB)),
            exact(middle(measured(rows, "total_threads"))), str(len(rows))]


def table(size: int, grid: Grid) -> Table:
    """One size of frames: a block of lines for each number of servers."""
    lines: List[Optional[List[str]]] = []
    found = []
    for servers in grid.servers:
        cells = grid.cells.get((size, servers), {})
        if not cells:
            continue
        lines += [None] if lines else []
        lines.append(["%d servers" % servers])
        raw = cells.get(RAW, [])
        for _, names in clients(list(cells)):
            lines += [line(client, cells[client], raw) for client in names]
            found += [shares(cells[client], raw) for client in names]
    return Table("Peers: frames of %s" % size_text(size), COLUMNS, lines, sure_note(found))


def size_text(size: int) -> str:
    return "%g kB" % (size / 1000) if size >= 1000 else "%d B" % size


def latency_line(client: str, rows: Sequence[Row]) -> List[str]:
    shares_of_cpu = spread([100 * row["cpu_s"] / (row["elapsed_ms"] / 1e3) for row in rows
                            if row["cpu_s"] is not None and row["elapsed_ms"]])
    busy = middle(shares_of_cpu)
    return [name_of(client)] + latency_texts(rows) + [
        NONE if busy is None else "%s %%" % number(busy), str(len(rows))]


def latency_table(rate: float, cells: Cells) -> Table:
    """Latencies at one rate."""
    row = next(iter(cells.values()))[0]
    return Table("Peers: latency in ms at %s records a second from %d servers, live" % (
        "{:,.0f}".format(rate), row["servers"]),
        (Column("client", left=True), *LATENCY_COLUMNS, Column("of one CPU", "client"),
         Column("n")),
        [latency_line(client, cells[client]) for _, names in clients(list(cells))
         for client in names],
        ["From the moment a record was due to be sent to its processing."])


# ---- the figure ----


def places(grid: Grid) -> Dict[str, float]:
    """Where each client's bar stands, in every panel, from the top down; a gap is between kinds."""
    found, place = {}, 0.0
    every = sorted({client for cells in grid.cells.values() for client in cells} - {RAW})
    for _, names in clients(every):
        for client in names:
            found[client] = place
            place += 1
        place += 0.5
    return found


def bars(cells: Cells, stand: Dict[str, float]) -> List[str]:
    """A panel's bars."""
    found = {client: shares(rows, cells.get(RAW, [])) for client, rows in cells.items()}
    return [data_line(name_of(client), SCHEMES.index(client) + 1 if client in SCHEMES else 0,
                      place, share.median, share.low, share.high)
            for client, place in stand.items() for share in [found.get(client)] if share]


def figure(grid: Grid) -> Figure:
    """A panel for each size and number of servers: who gets how near to the raw loop."""
    stand = places(grid)
    data = "".join(data_block(
        "%d servers, %s: client, scheme, place, share of raw: median min max" % (
            servers, size_text(size)), bars(grid.cells.get((size, servers), {}), stand))
        for servers in grid.servers for size in grid.sizes)
    settings = {"COLS": len(grid.sizes), "ROWS": len(grid.servers), "SHARE_MAX": SHARE_MAX,
                "SCHEMES": " ".join(SCHEMES), "NAMES": len(stand),
                "PLACE_MAX": max(stand.values(), default=0),
                "RUNS": "median of %s, whiskers min..max" % run_counts(
                    [len(rows) for cells in grid.cells.values() for rows in cells.values()])}
    for i, size in enumerate(grid.sizes, 1):
        settings["SIZE%d" % i] = "frames of " + size_text(size)
    for i, servers in enumerate(grid.servers, 1):
        settings["SERVERS%d" % i] = "%d servers" % servers
    for i, (client, place) in enumerate(stand.items(), 1):
        settings["NAME%d" % i] = name_of(client)
        settings["PLACE%d" % i] = place
    return Figure("peers", "peers", (1100, 150 + 230 * len(grid.servers)), settings, data,
                  "Peers. Bytes per client CPU second, as a share of a bare receive loop",
                  "A grid of bar charts, sizes of frames from left to right, numbers of servers "
                  "from top to bottom. In each, a bar for each client says what share of the raw "
                  "loop's bytes per CPU second it reaches; fanin's schemes are in colour, the "
                  "peers in grey.")


# ---- the section ----


def build(results: Results) -> Section:
    """A table for each size, one for each rate, and the figure."""
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    closed = [row for row in rows if not row["rate"] and row["size_min"] == row["size_max"]]
    grid = Grid({place: {key[0]: found for key, found in group(members, ("scheme",)).items()}
                 for place, members in group(closed, ("size_min", "servers")).items()})
    blocks = [table(size, grid) for size in grid.sizes]
    for (rate,), members in sorted(group([row for row in rows if row["rate"]], ("rate",)).items()):
        cells = {key[0]: found for key, found in group(members, ("scheme",)).items()}
        blocks.append(latency_table(rate, cells))
    drawn = [figure(grid)] if any(cells.get(RAW) for cells in grid.cells.values()) else []
    return Section(TITLE, blocks, drawn, LEAD)
