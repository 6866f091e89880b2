"""The lines of the bench about very many connections: what speed falls by when all of them are
active, and what one takes that is idle. They are figures of scale.py, from a few cells."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import bench_line
import scale
from rows import Results, Row, select
from stats import Spread

GROW, IDLE = "grow", "idle"
CLIENTS = {"raw": "fanin-raw"}


class Goal(NamedTuple):
    """A scheme's figure, and the bound that it should keep, if any."""

    section: str
    scheme: str
    at_least: Optional[float] = None
    at_most: Optional[float] = None

    def bound(self) -> str:
        """The bound in words; "" for a figure that is only shown."""
        words = ((">= %g", self.at_least), ("<= %g", self.at_most))
        return "".join(form % value for form, value in words if value is not None)

    def reached(self, value: float) -> bool:
        """Whether the bound holds."""
        return ((self.at_least is None or value >= self.at_least)
                and (self.at_most is None or value <= self.at_most))


GOALS = (Goal(GROW, "slices", at_least=1 - scale.FALL_MAX), Goal(GROW, "raw"),
         Goal(IDLE, "slices", at_most=scale.IDLE_BYTES_MAX),
         Goal(IDLE, "chain", at_most=scale.IDLE_BYTES_MAX))


def found(goal: Goal, rows: Sequence[Row]) -> Optional[Spread]:
    """The goal's figure between the least and the most connections; None without both."""
    load = scale.load_of(select(rows, section=goal.section))
    sizes = load.sizes(goal.scheme)
    if len(sizes) < 2:
        return None
    if goal.section == IDLE:
        return scale.connection_bytes(load, goal.scheme, sizes[-1])
    return scale.ratios(load.rows(goal.scheme, sizes[-1]), load.rows(goal.scheme, sizes[0]),
                        "gb_per_cpu_s")


def of(goal: Goal, rows: Sequence[Row]) -> str:
    """Which cells a line is about: `slices, 19500 / 200`."""
    sizes = sorted({row["servers"] for row in select(rows, section=goal.section,
                                                     scheme=goal.scheme)}, reverse=True)
    return ", ".join([goal.scheme] + [" / ".join(map(str, sizes))] * (len(sizes) > 1))


def mark(goal: Goal, results: Results, value: Optional[Spread]) -> str:
    """What became of the goal."""
    if value is not None:
        if not goal.bound():
            return ""
        return bench_line.REACHED if goal.reached(value.median) else bench_line.MISSED
    skips = bench_line.skips(results, goal.section, (CLIENTS.get(goal.scheme, "fanin-client"),))
    return bench_line.SKIPPED + next(iter(skips.values())) if skips else bench_line.NOT_MEASURED


def line(goal: Goal, results: Results) -> Tuple[str, str]:
    """(a line of the table, what became of the goal)."""
    rows = bench_line.usable(results)
    value = found(goal, rows)
    word = mark(goal, results, value)
    figure, digits = (("GB per client CPU second", 2) if goal.section == GROW
                      else ("bytes a connection", 0))
    return bench_line.line_of(goal.section, figure, of(goal, rows), value, goal.bound(), word,
                              digits), word


def lines(results: Results) -> Tuple[List[str], bool]:
    """(all lines, whether a goal was missed)."""
    made = [line(goal, results) for goal in GOALS]
    return [text for text, _ in made], any(bench_line.is_missed(word) for _, word in made)
