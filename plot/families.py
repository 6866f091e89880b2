"""Tests for a list of comparisons, each chosen so that Holm's correction can still pass it.

The ranks of 5 against 5 runs cannot give a p-value below 0.008, however far apart the runs lie: in
a list of ten lines Holm's correction would pass none, and a check that cannot fail checks nothing.
So a line takes the exact rank test where its runs can reach the level in a list of this length, and
a t-test of logarithms otherwise. The choice depends only on the numbers of runs and lines, never on
the measurements. Independent runs: Mann and Whitney's test, or Welch's t. Runs in pairs:
Wilcoxon's signed ranks, or Student's t.
"""

import math
import statistics
from typing import List, NamedTuple, Optional, Sequence, Tuple

from ranks import log_ratios, logs, mann_whitney, signed_rank
from stats import finite, holm

LEVEL = 0.05  # the chance of even one false finding in the whole list
RANKS, SIGNED_RANKS, T_OF_LOGS = "ranks", "signed ranks", "t of logs"

Sides = Tuple[Sequence[float], Sequence[float]]


class Test(NamedTuple):
    """One line's p-value, alone and adjusted for the list, and the name of its test."""

    p: float
    adjusted: float
    method: str


# ---- Student's t ----


def t_tails(t: float, freedom: int) -> float:
    """The chance that Student's t lies further from 0 than `t`, on either side; 0 where it is below
    a double's rounding. Source: Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4."""
    angle = math.atan(abs(t) / math.sqrt(freedom))
    odd, total = freedom % 2, 0.0
    term = math.cos(angle) if odd else 1.0
    for k in range(1, freedom // 2 + 1):
        total += term
        term *= math.cos(angle) ** 2 * (2 * k - 1 + odd) / (2 * k + odd)
    inside = math.sin(angle) * total
    return max(0.0, 1 - (2 / math.pi * (angle + inside) if odd else inside))


def welch_p(a: Sequence[float], b: Sequence[float]) -> Optional[float]:
    """The two-sided p-value that a and b have one mean. None where there is no variance to judge
    by: fewer than two runs on a side, or all runs of each side alike.

    Assumes independent, normal runs; their variances may differ. The degrees of freedom are rounded
    down, which makes p slightly too large. Long tails and outliers make it too large; runs that
    jump between two levels make it too small: simulated lists of 40 lines, 5 against 5 runs, then
    had a false finding in 9 of 100 instead of at most 5. Source: B. L. Welch, Biometrika 34,
    1947."""
    if min(len(finite(a)), len(finite(b))) < 2:
        return None
    one, other = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    if one + other == 0:
        return None
    freedom = (one + other) ** 2 / (one ** 2 / (len(a) - 1) + other ** 2 / (len(b) - 1))
    t = (statistics.fmean(a) - statistics.fmean(b)) / math.sqrt(one + other)
    return t_tails(t, max(1, int(freedom + 1e-9)))


def student_p(found: Sequence[float]) -> Optional[float]:
    """The two-sided p-value that paired differences have the mean 0: Welch's test against a side
    that is 0 throughout. Source: Student, Biometrika 6, 1908."""
    return welch_p(found, [0.0, 0.0])


# ---- the list ----


def rank_floor(m: int, n: int, paired: bool = False) -> float:
    """The smallest two-sided p-value that the rank test of m against n runs can give."""
    return min(1.0, 2 / (2 ** m if paired else math.comb(m + n, m)))


def runs_for_exact(lines: int, paired: bool = False) -> int:
    """The number of runs on each side from which a list of this length takes the rank test."""
    n = 1
    while rank_floor(n, n, paired) * lines > LEVEL:
        n += 1
    return n


def p_in_list(a: Sequence[float], b: Sequence[float], lines: int,
              paired: bool = False) -> Tuple[float, str]:
    """A line's own two-sided p-value and the name of its test, see the head of this file. It tests
    a ratio, so values must be above 0. Runs without any variance take the rank test too."""
    apart = log_ratios(a, b) if paired else []
    if rank_floor(len(a), len(b), paired) * lines > LEVEL:
        p = student_p(apart) if paired else welch_p(logs(a), logs(b))
        if p is not None:
            return p, T_OF_LOGS
    return (signed_rank(apart), SIGNED_RANKS) if paired else (mann_whitney(a, b), RANKS)


def tests(sides: Sequence[Sides], paired: bool = False) -> List[Test]:
    """The tests of a whole list of comparisons, adjusted by Holm."""
    alone = [p_in_list(a, b, len(sides), paired) for a, b in sides]
    return [Test(p, adjusted, method)
            for (p, method), adjusted in zip(alone, holm([p for p, _ in alone]))]
