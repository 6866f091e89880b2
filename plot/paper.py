"""The paper's numbers, read from results/paper/*.csv."""

import os
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from texts import Line, read_table

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "results", "paper")

LINK_BITS_PER_S = 100e6       # of its LAN
TABLE2_BYTES = 30 * 1310720   # 30 servers send 1.25 MiB each; results/paper says why


class Connect(NamedTuple):
    """A line of Table 1; Figure 5 draws the async ones over their workers."""

    connections: int
    succeeded: int
    time_ms: float


class Buffering(NamedTuple):
    """A line of Table 2; None where the paper has no number."""

    time_ms: Optional[float]
    peak_memory_kb: Optional[float]
    buffer_threads: Optional[int]


def amount(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def take(line: Line, kinds: Dict[str, Callable[[str], Any]]) -> Dict[str, Any]:
    """The line's values by column. ValueError says what is wrong."""
    fields = line.fields()
    if len(fields) != len(kinds):
        raise ValueError("%d fields, must be %d: %s" % (len(fields), len(kinds), ",".join(kinds)))
    taken = {}
    for (column, kind), text in zip(kinds.items(), fields):
        try:
            taken[column] = kind(text)
        except ValueError:
            raise ValueError("%s: `%s` must be a number from 0" % (column, text)) from None
    return taken


def read(name: str, key_columns: int, make: Callable[..., Any],
         **kinds: Callable[[str], Any]) -> Dict[Any, Any]:
    """The lines of a table by their first columns. WrongFile on the first wrong line."""
    path = os.path.join(FOLDER, name)
    lines = read_table(path) or [Line(path, 1, "")]
    table: Dict[Any, Any] = {}
    line = lines[0]
    try:
        if not line.text or line.fields() != list(kinds):
            raise ValueError("the first line names the columns: %s" % ",".join(kinds))
        for line in lines[1:]:
            values = list(take(line, kinds).values())
            key = tuple(values[:key_columns]) if key_columns > 1 else values[0]
            if key in table:
                raise ValueError("%s is there already" % line.text)
            table[key] = make(*values[key_columns:])
    except ValueError as error:
        raise line.wrong(error) from None
    return table


def table1() -> Dict[Tuple[str, int], Connect]:
    """(mode, workers) -> the connection test."""
    return read("table1.csv", 2, Connect, mode=str, workers=int, connections=int, succeeded=int,
                time_ms=amount)


def table2() -> Dict[str, Buffering]:
    """scheme -> the large-data test."""
    return read("table2.csv", 1, Buffering, scheme=str, time_ms=amount, peak_memory_kb=amount,
                buffer_threads=int)


def table3() -> Dict[Tuple[int, int], float]:
    """(workers, concurrency) -> bytes per second."""
    return read("table3.csv", 2, float, workers=int, concurrency=int, bytes_per_second=amount)
