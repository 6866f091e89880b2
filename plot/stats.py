"""Order statistics of a handful of runs: no distribution is assumed and no run is dropped."""

from typing import NamedTuple, Optional, Sequence


class Spread(NamedTuple):
    """What n runs of one cell came to."""

    n: int
    low: float
    q1: float
    median: float
    q3: float
    high: float


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, linear between neighbours (Hyndman
    and Fan's type 7: what R, NumPy and spreadsheets give, so that a reader can check it there)."""
    if not values:
        raise ValueError("no values, so no quantile")
    if not 0 <= share <= 1:
        raise ValueError("a share lies between 0 and 1, not %r" % share)
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def median(values: Sequence[float]) -> float:
    """The middle value, or halfway between the two middle ones."""
    return quantile(values, 0.5)


def spread(values: Sequence[float]) -> Optional[Spread]:
    """All of it at once; None when nothing was measured, which is not the same as 0."""
    if not values:
        return None
    return Spread(len(values), min(values), quantile(values, 0.25), median(values),
                  quantile(values, 0.75), max(values))
