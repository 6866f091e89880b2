"""The paper's numbers, read from results/paper/*.csv."""

import csv
import os
from typing import Dict, List, NamedTuple, Optional, Tuple

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "results", "paper")

LINK_BITS_PER_S = 100e6       # of its LAN
TABLE2_BYTES = 30 * 1250000   # 30 servers send 1.25 MB each


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


def read(name: str) -> List[Dict[str, str]]:
    with open(os.path.join(FOLDER, name), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table1() -> Dict[Tuple[str, int], Connect]:
    """(mode, workers) -> the connection test."""
    return {(line["mode"], int(line["workers"])):
            Connect(int(line["connections"]), int(line["succeeded"]), float(line["time_ms"]))
            for line in read("table1.csv")}


def table2() -> Dict[str, Buffering]:
    """scheme -> the large-data test."""
    return {line["scheme"]:
            Buffering(float(line["time_ms"]), float(line["peak_memory_kb"]),
                      int(line["buffer_threads"]))
            for line in read("table2.csv")}


def table3() -> Dict[Tuple[int, int], float]:
    """(workers, concurrency) -> bytes per second."""
    return {(int(line["workers"]), int(line["concurrency"])): float(line["bytes_per_second"])
            for line in read("table3.csv")}
