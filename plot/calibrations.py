"""What calibrations found, from run.json: the values that were set so that one of the paper's
numbers comes out. That number proves nothing; the others are predictions."""

import re
from typing import Any, List, NamedTuple, Optional

from rows import Results, is_number

NEAR = 0.01  # how far a target may be from the paper's number that it stands for, as a share


class Calibration(NamedTuple):
    """One calibration. `number`, `low` and `high` have the unit of the text `value`."""

    scenario: str
    section: str
    key: str
    metric: str
    target: float
    value: Optional[str]     # as used; None: not found
    number: Optional[float]
    low: Optional[float]     # the interval's ends, None without one
    high: Optional[float]
    reason: str              # why there is no value
    status: str              # ok, failed or unavailable
    runs: Optional[int]
    confidence: Optional[float]  # of the interval

    @property
    def interval(self) -> str:
        """`5.71..6.02 %`, in the unit of the value."""
        if self.low is None or self.high is None:
            return ""
        unit = re.search(r"[\d.]+\s*([a-z%]*)", self.value or "")
        ends = ["%.3g" % end if end < 1000 else "%.0f" % end for end in (self.low, self.high)]
        return "..".join(ends) + " " + (unit.group(1) if unit else "")

    def stands_for(self, metric: str, number: float) -> bool:
        """Whether it was calibrated on this number of the paper's."""
        return self.metric == metric and abs(self.target - number) <= NEAR * number


def calibration(entry: Any) -> Optional[Calibration]:
    """An entry of run.json; None if it is not one."""
    if not isinstance(entry, dict) or not is_number(entry.get("target")):
        return None
    def text(key: str) -> str:
        return entry[key] if isinstance(entry.get(key), str) else ""
    found = entry.get("status") == "ok" and is_number(entry.get("number"))
    number, low, high = (entry.get(key) if found and is_number(entry.get(key)) else None
                         for key in ("number", "low", "high"))
    return Calibration(text("scenario"), text("section"), text("key"), text("metric"),
                       entry["target"], text("value") or None if found else None, number, low,
                       high, text("reason"), text("status"),
                       entry["runs"] if isinstance(entry.get("runs"), int) else None,
                       entry["confidence"] if is_number(entry.get("confidence")) else None)


def calibrations(results: Results, scenario: str) -> List[Calibration]:
    """A scenario's calibrations, in their order."""
    entries = results.run.get("calibrations")
    made = map(calibration, entries if isinstance(entries, list) else [])
    return [one for one in made if one and one.scenario == scenario]
