"""A line of the bench's table, and the reasons for which a figure is missing."""

from typing import Dict, Iterable, Optional, Sequence

from rows import Results, Row, select
from stats import Spread, spread

SCENARIO = "bench"
NOT_MEASURED, REACHED, MISSED, SKIPPED = "not measured", "reached", "MISSED", "skipped: "
FORM = "%-10s  %-24s  %-32s  %6s  %-12s  %s  %-8s %s"
HEAD = (FORM % ("section", "figure", "ratio of", "median", "range", "n", "target", "")).rstrip()


def line(section: str, figure: str, of: str, values: Sequence[float], bound: str, mark: str,
         digits: int = 2) -> str:
    """The median of the values, and their range; a dash where there are none."""
    return line_of(section, figure, of, spread(values), bound, mark, digits)


def line_of(section: str, figure: str, of: str, found: Optional[Spread], bound: str, mark: str,
            digits: int) -> str:
    """The same of what the values came to; None: there are none."""
    middle = "%.*f" % (digits, found.median) if found else "-"
    extent = "%.*f..%.*f" % (digits, found.low, digits, found.high) if found else ""
    return (FORM % (section, figure, of, middle, extent, found.n if found else 0, bound,
                    mark)).rstrip()


def is_missed(mark: str) -> bool:
    """Whether --require may not let it pass: what this machine cannot measure is not missed."""
    return mark.startswith((MISSED, NOT_MEASURED))


def usable(results: Results) -> Sequence[Row]:
    """Rows of the bench that count as results."""
    return [row for row in results.rows
            if row["scenario"] == SCENARIO and row["status"] == "ok" and row["audit"] == "pass"]


def skips(results: Results, section: str, clients: Iterable[str]) -> Dict[str, str]:
    """Why rows of these clients could not run here: client and reason."""
    return {row["client"]: row.get("reason") or "no reason given"
            for row in select(results.rows, scenario=SCENARIO, status="skipped", section=section,
                              client=tuple(clients))}
