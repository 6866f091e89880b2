"""Throughput over a number of workers: Gunther's universal scalability law, by least squares.

    X(n) = lambda n / (1 + sigma (n - 1) + kappa n (n - 1))

lambda is what one worker does, sigma the share that waits for the others (contention), kappa what
each pair of workers spends to agree (coherency). Only with kappa above 0 does it peak. Source: N.
J. Gunther, Guerrilla Capacity Planning, 2007, chapters 4 to 6.
"""

import math
import random
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from stats import Interval, check_confidence, finite, quantile

POINTS_MIN = 4       # distinct numbers of workers: three parameters leave one to disagree
RUNS_MIN = 5         # in every cell that is resampled
RESAMPLES = 400
STEPS_MAX = 60       # Gauss-Newton steps; a handful suffice unless the law does not fit
HALVINGS_MAX = 12
IMPROVEMENT = 1e-12  # relative; a smaller one is the end

Point = Tuple[float, float]


class Usl(NamedTuple):
    """A fitted law. `peak` is the number of workers at which it is highest, None without a peak;
    `residual` the root of the residuals' mean square, in the throughput's unit; `explained` the
    share of the points' variance that the law explains (R squared), None when there is none."""

    lambda_: float
    sigma: float
    kappa: float
    peak: Optional[float]
    residual: float
    explained: Optional[float]

    def throughput(self, n: float) -> float:
        """What the law says of n workers."""
        return self.lambda_ * n / (1 + self.sigma * (n - 1) + self.kappa * n * (n - 1))


# ---- least squares ----


def solve(matrix: List[List[float]], right: List[float]) -> Optional[List[float]]:
    """A small linear system, by elimination with pivots; None when it has no single solution."""
    rows = [list(row) + [value] for row, value in zip(matrix, right)]
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(rows[i][column]))
        if abs(rows[pivot][column]) < 1e-300:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for i in range(column + 1, size):
            factor = rows[i][column] / rows[column][column]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[column])]
    found = [0.0] * size
    for i in reversed(range(size)):
        known = sum(rows[i][j] * found[j] for j in range(i + 1, size))
        found[i] = (rows[i][size] - known) / rows[i][i]
    return found


def least_squares(design: Sequence[Sequence[float]], right: Sequence[float]) \
        -> Optional[List[float]]:
    """The x that brings design x nearest to `right`, by the normal equations. Columns are scaled
    to length 1 first, because n (n - 1) dwarfs 1."""
    lengths = [math.sqrt(sum(row[j] ** 2 for row in design)) for j in range(len(design[0]))]
    if not all(lengths):
        return None
    scaled = [[value / length for value, length in zip(row, lengths)] for row in design]
    columns = list(zip(*scaled))
    found = solve([[sum(map(float.__mul__, one, other)) for other in columns] for one in columns],
                  [sum(x * y for x, y in zip(one, right)) for one in columns])
    return found and [x / length for x, length in zip(found, lengths)]


# In these terms the law is X = n / (a + b (n - 1) + c n (n - 1)), with lambda = 1 / a, sigma = b /
# a and kappa = c / a: linear in n / X, which gives the start; the fit itself is of X.


def terms(n: float, free: Sequence[int]) -> List[float]:
    """What a, b and c are multiplied with, of those that are not held at 0."""
    everything = (1.0, n - 1.0, n * (n - 1.0))
    return [everything[i] for i in free]


def value_at(n: float, free: Sequence[int], parameters: Sequence[float]) -> float:
    """X(n); infinite where the denominator is not above 0, so that no step ends there."""
    below = sum(t * p for t, p in zip(terms(n, free), parameters))
    return n / below if below > 0 else math.inf


def error_of(points: Sequence[Point], free: Sequence[int], parameters: Sequence[float]) -> float:
    """The sum of squared residuals."""
    return sum((x - value_at(n, free, parameters)) ** 2 for n, x in points)


def fit_free(points: Sequence[Point], free: Sequence[int]) -> Optional[Tuple[float, List[float]]]:
    """(error, parameters) with all but the free ones held at 0: linear start, then Gauss-Newton
    with halved steps. None if the start already fails."""
    start = least_squares([[t * x / n for t in terms(n, free)] for n, x in points],
                          [1.0] * len(points))
    if start is None or not math.isfinite(error_of(points, free, start)):
        return None
    parameters, error = start, error_of(points, free, start)
    for _ in range(STEPS_MAX):
        better = step(points, free, parameters, error)
        if better is None:
            break
        gain, (error, parameters) = error - better[0], better
        if gain <= IMPROVEMENT * error:
            break
    return error, parameters


def step(points: Sequence[Point], free: Sequence[int], parameters: Sequence[float],
         error: float) -> Optional[Tuple[float, List[float]]]:
    """One step that lowers the error, or None where none does."""
    values = [value_at(n, free, parameters) for n, _ in points]
    slopes = [[-v * v / n * t for t in terms(n, free)] for (n, _), v in zip(points, values)]
    change = least_squares(slopes, [x - v for (_, x), v in zip(points, values)])
    for halving in range(HALVINGS_MAX if change else 0):
        moved = [p + c / 2 ** halving for p, c in zip(parameters, change)]
        moved_error = error_of(points, free, moved)
        if moved_error < error:
            return moved_error, moved
    return None


# ---- the law ----


def usl_fit(points: Sequence[Point]) -> Optional[Usl]:
    """The law nearest to the (workers, throughput) points in squared throughput, with sigma and
    kappa not below 0; a coefficient that would be is held at 0 and the rest fitted without it.

    Assumes that the law is the right one (look at `explained`), points of equal error, numbers of
    workers from 1. None with fewer than POINTS_MIN different numbers of workers, or if nothing
    fits. ValueError on a throughput or a number that is not above 0."""
    for n, x in points:
        if finite((n, x)) and (n < 1 or x <= 0):
            raise ValueError("the law needs at least 1 worker and a throughput above 0, not %r"
                             % ((n, x),))
    if len({n for n, _ in points}) < POINTS_MIN:
        return None
    fits = []
    for free in ((0, 1, 2), (0, 1), (0, 2), (0,)):
        found = fit_free(points, free)
        if found and found[1][0] > 0 and min(found[1]) >= 0:
            fits.append((found[0], free, found[1]))
            if len(free) == 3:
                break  # nothing held at 0 comes nearer
    return as_law(points, *min(fits)) if fits else None


def as_law(points: Sequence[Point], error: float, free: Sequence[int],
           parameters: Sequence[float]) -> Usl:
    """The fit in the law's own terms."""
    by_place = dict(zip(free, parameters))
    a, b, c = (by_place.get(i, 0.0) for i in range(3))
    middle = sum(x for _, x in points) / len(points)
    variance = sum((x - middle) ** 2 for _, x in points)
    return Usl(1 / a, b / a, c / a, peak_of(b / a, c / a), math.sqrt(error / len(points)),
               1 - error / variance if variance > 0 else None)


def peak_of(sigma: float, kappa: float) -> Optional[float]:
    """Where X is highest, at 1 or above; None if it only rises."""
    if kappa <= 0:
        return None if sigma < 1 else 1.0
    return max(1.0, math.sqrt(max(0.0, 1 - sigma) / kappa))


def cell_means(cells: Dict[float, Sequence[float]]) -> List[Point]:
    """One point a cell, so that a cell with more runs has no more say."""
    return [(n, sum(runs) / len(runs)) for n, runs in sorted(cells.items())]


def usl_peak_interval(cells: Dict[float, Sequence[float]], confidence: float = 0.95,
                      seed: int = 1) -> Optional[Interval]:
    """For the number of workers at which throughput peaks: the middle `confidence` of the peaks of
    RESAMPLES fits, each to runs drawn again, with replacement, within every cell of `cells` (runs
    by number of workers). `high` is infinite when that share of the fits reaches into laws without
    a peak.

    A bootstrap, so approximate: 0.95 came to 0.93 and 0.94 in simulations with 5 runs a cell and
    normal noise of 5 %. It speaks of chance between runs, not of whether the law is the right one.
    None with a cell below RUNS_MIN runs, or where usl_fit() is None. Source: B. Efron and R. J.
    Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3."""
    check_confidence(confidence)
    if any(len(runs) < RUNS_MIN for runs in cells.values()) or usl_fit(cell_means(cells)) is None:
        return None
    draw = random.Random(seed)
    inverse = []  # of the peak: 0 is no peak, and sorts as the peak furthest out
    for _ in range(RESAMPLES):
        again = {n: draw.choices(list(runs), k=len(runs)) for n, runs in sorted(cells.items())}
        law = usl_fit(cell_means(again))
        if law is None:
            return None
        inverse.append(0.0 if law.peak is None else 1 / law.peak)
    tail = (1 - confidence) / 2
    return Interval(reciprocal(quantile(inverse, 1 - tail)), reciprocal(quantile(inverse, tail)),
                    confidence)


def reciprocal(inverse: float) -> float:
    """A peak from its inverse."""
    return 1 / inverse if inverse > 0 else math.inf
