"""The lines of the bench about the link itself: what fanin-lan --check found, run by run, as
scenarios/bench left it in the folder: link-NAME.jsonl, a line of JSON for each check, and beside it
link-NAME.txt, what fanin-lan said to people."""

import json
import os
import statistics
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import bench_line

DIRECTIONS = ("up", "down")
CANNOT = "fanin-lan: "

Check = Dict[str, Any]


class Goal(NamedTuple):
    """A figure of one link, and the bound that it should keep."""

    name: str  # of the files
    figure: str
    of: str
    value: Callable[[Check], float]
    bound: str
    reached: Callable[[float], bool]


def both_ways(check: Check) -> float:
    """Bits per second that the link carried in both directions at once."""
    return sum(check[direction]["both_ways_bits_per_s"] for direction in DIRECTIONS)


def core_share(check: Check) -> float:
    """Of a processor, for all that was asked for: a check on a busy machine carries less, and its
    share is raised in proportion, so that a link that carries little is not called cheap."""
    asked = sum(check[direction]["rate_asked_bits_per_s"] for direction in DIRECTIONS)
    return check["link_cpu_share"] * max(1, asked / both_ways(check))


GOALS = (
    Goal("rated", "share of a core", "100 Mbit/s both ways", core_share, "< 0.15",
         lambda share: share < 0.15),
    Goal("unlimited", "Gbit/s", "both ways in all", lambda check: both_ways(check) / 1e9, ">= 1.00",
         lambda rate: rate >= 1),
)


def is_check(found: Any) -> bool:
    """Whether a parsed line holds what the figures need, measured."""
    try:
        return found["check"] == "link" and found["link_cpu_share"] > 0 and both_ways(found) > 0
    except (KeyError, TypeError):
        return False


def checks(folder: str, name: str) -> List[Check]:
    """What was measured; lines that hold no check are left out."""
    found = []
    try:
        with open(os.path.join(folder, "link-%s.jsonl" % name), encoding="utf-8") as file:
            lines = file.readlines()
    except (OSError, UnicodeDecodeError):
        return []
    for line in lines:
        try:
            check = json.loads(line)
        except ValueError:
            continue
        if is_check(check):
            found.append(check)
    return found


def reason(folder: str, name: str) -> Optional[str]:
    """Why fanin-lan could not measure, in its words; None: it did not say, or was not run."""
    try:
        with open(os.path.join(folder, "link-%s.txt" % name), encoding="utf-8",
                  errors="replace") as file:
            said = [line.strip() for line in file if line.startswith(CANNOT)]
    except OSError:
        return None
    return said[-1][len(CANNOT):] if said else None


def line(goal: Goal, folder: str) -> Tuple[str, str]:
    """(a line of the bench's table, what became of the goal)."""
    values = [goal.value(check) for check in checks(folder, goal.name)]
    if values:
        reached = goal.reached(statistics.median(values))
        mark = bench_line.REACHED if reached else bench_line.MISSED
    else:
        why = reason(folder, goal.name)
        mark = bench_line.SKIPPED + why if why else bench_line.NOT_MEASURED
    return bench_line.line("link", goal.figure, goal.of, values, goal.bound, mark), mark


def lines(folder: str) -> Tuple[List[str], bool]:
    """(all lines, whether a goal was missed): one that this machine cannot measure is not."""
    found = [line(goal, folder) for goal in GOALS]
    return [text for text, _ in found], any(
        bench_line.is_missed(mark) for _, mark in found)
