/* Finds a crossing in two stages, in logarithms of factor and figure:
 *
 *   search   two runs inside the range give the direction, or the ends do where these differ too
 *        |   little; then the bracket is halved until its ends are close. An end of the range is
 *        |   run only when the crossing turns out to be beside it, because runs there are slow.
 *        v
 *   refine   `repeat` runs, spread evenly around the crossing as it is known so far */
#include "scenarios/sweep/crossing.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define CLEAR          log(1.1)  /* two figures that differ by more give the direction */
#define BRACKET_WIDTH  log(2.5)  /* narrow enough to interpolate */
#define LEVEL_SPREAD   log(1.12) /* to either side of the crossing: runs that say where it is */
#define LEVEL_REACH    log(1.18) /* from it, of runs that do; the curve would bend farther ones */
#define SLOPE_SPREAD   log(1.4)  /* of runs that say how steep the curve is there */
#define SLOPE_REACH    log(1.55) /* from it, of runs that do */
#define STEP           log(1.6)  /* by which one more run may move what is known of it */
#define VALUE_WIDTH    0.25      /* of an interval to either side, as a share of the value */
#define OUTSIDE_CHANCE 0.05      /* of an interval, both sides together */

enum {
    SEARCH_EXPECTED = 4,
    LEVEL_RUNS_MIN = 4,
    RANKS_MAX = CROSSING_RUNS_MAX * (CROSSING_RUNS_MAX + 1) / 2
};

struct point {
    double x, y; /* logarithms of factor and of figure over target: 0 is the crossing */
};

static struct point point_of(const struct crossing *crossing, unsigned i)
{
    const struct observation *run = &crossing->runs[i];
    return (struct point){log(run->factor), log(run->figure / crossing->target)};
}

void crossing_note(struct crossing *crossing, double factor, double figure)
{
    assert(crossing->count < CROSSING_RUNS_MAX && factor > 0 && figure > 0);
    crossing->runs[crossing->count++] = (struct observation){factor, figure};
}

unsigned crossing_runs_expected(const struct crossing *crossing)
{
    unsigned searched = crossing->searched;
    if (searched == 0)
        searched = crossing->count < SEARCH_EXPECTED ? SEARCH_EXPECTED : crossing->count + 1;
    return searched + crossing->repeat;
}

/* ---- search ---- */

/* 1: the figure rises with the factor, by the outermost runs; -1: it falls. */
static double direction_of(const struct crossing *crossing)
{
    struct point least = point_of(crossing, 0), most = least;
    for (unsigned i = 1; i < crossing->count; i++) {
        struct point point = point_of(crossing, i);
        if (point.x < least.x)
            least = point;
        if (point.x > most.x)
            most = point;
    }
    return most.y >= least.y ? 1 : -1;
}

static bool was_run(const struct crossing *crossing, double factor)
{
    for (unsigned i = 0; i < crossing->count; i++) {
        if (crossing->runs[i].factor == factor)
            return true;
    }
    return false;
}

/* The last run before the crossing and the first behind it. Without one the end of the range is in
 * its place, with no figure. */
struct bracket {
    struct point before, behind;
};

static struct bracket bracket_of(const struct crossing *crossing)
{
    const double direction = direction_of(crossing);
    struct bracket bracket = {{log(crossing->from), NAN}, {log(crossing->to), NAN}};
    for (unsigned i = 0; i < crossing->count; i++) {
        struct point point = point_of(crossing, i);
        if (point.y * direction < 0 && (isnan(bracket.before.y) || point.x > bracket.before.x))
            bracket.before = point;
        if (point.y * direction >= 0 && (isnan(bracket.behind.y) || point.x < bracket.behind.x))
            bracket.behind = point;
    }
    return bracket;
}

static enum crossing_state run_at(double x, double *factor)
{
    *factor = exp(x);
    return CROSSING_OPEN;
}

/* An end of the range, or how the search ends if it was run. */
static enum crossing_state run_end(const struct crossing *crossing, double end, double *factor)
{
    if (was_run(crossing, end))
        return CROSSING_OUTSIDE;
    *factor = end;
    return CROSSING_OPEN;
}

/* The first runs; CROSSING_FOUND: they have given a direction. */
static enum crossing_state find_direction(const struct crossing *crossing, double *factor)
{
    const double from = log(crossing->from), to = log(crossing->to);
    if (crossing->count < 2)
        return run_at(from + (to - from) * (crossing->count + 1) / 3, factor);
    if (fabs(point_of(crossing, 0).y - point_of(crossing, 1).y) > CLEAR || crossing->count > 3)
        return CROSSING_FOUND;
    *factor = crossing->count == 2 ? crossing->from : crossing->to;
    return CROSSING_OPEN;
}

static enum crossing_state search(struct crossing *crossing, double *factor)
{
    enum crossing_state state = find_direction(crossing, factor);
    if (state == CROSSING_OPEN)
        return state;
    const struct bracket bracket = bracket_of(crossing);
    const struct point before = bracket.before, behind = bracket.behind;
    /* Chance can put a run that is before the crossing behind it, and both are near it then. */
    if (crossing->count < CROSSING_SEARCH_MAX && behind.x - before.x > BRACKET_WIDTH)
        return run_at((before.x + behind.x) / 2, factor);
    if (isnan(before.y))
        return run_end(crossing, crossing->from, factor);
    if (isnan(behind.y))
        return run_end(crossing, crossing->to, factor);
    crossing->searched = crossing->count;
    crossing->centre = before.x - before.y * (behind.x - before.x) / (behind.y - before.y);
    /* A bracket whose ends are on both sides and no farther is the first pair of far runs. */
    crossing->far = (crossing->repeat + 2) / 6 * 2;
    if (crossing->far > 0 && crossing->centre - before.x < SLOPE_REACH &&
        behind.x - crossing->centre < SLOPE_REACH)
        crossing->far -= 2;
    return CROSSING_FOUND;
}

/* ---- refine ---- */

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median_of(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

struct slope {
    double value, weight;
};

static int compare_slopes(const void *a, const void *b)
{
    return compare(&((const struct slope *)a)->value, &((const struct slope *)b)->value);
}

/* Theil and Sen's, weighted: the median of the slopes of all pairs of runs around the centre, each
 * as heavy as its factors are apart. NAN where there is none. */
static double slope_of(const struct crossing *crossing, double centre)
{
    static struct slope slopes[RANKS_MAX];
    unsigned pairs = 0, at = 0;
    double weight = 0, below = 0;
    for (unsigned i = 0; i < crossing->count; i++) {
        for (unsigned k = 0; k < i; k++) {
            const struct point a = point_of(crossing, i), b = point_of(crossing, k);
            if (a.x == b.x || fabs(a.x - centre) > SLOPE_REACH || fabs(b.x - centre) > SLOPE_REACH)
                continue;
            slopes[pairs++] = (struct slope){(a.y - b.y) / (a.x - b.x), fabs(a.x - b.x)};
            weight += slopes[pairs - 1].weight;
        }
    }
    qsort(slopes, pairs, sizeof *slopes, compare_slopes);
    while (at < pairs && (below += slopes[at].weight) < weight / 2)
        at++;
    return at < pairs ? slopes[at].value : NAN;
}

/* How many of the ordered averages may be left out at either end: the sum of the ranks of those
 * above the median is one of 2^n that are equally likely. *chance: of what is left out. */
static unsigned ranks_left_out(unsigned n, double *chance)
{
    static double ways[RANKS_MAX + 1]; /* by the sum of ranks, as a share of 2^n */
    unsigned sums = n * (n + 1) / 2, left_out = 0;
    double below = 0;
    for (unsigned sum = 0; sum <= sums; sum++)
        ways[sum] = sum == 0;
    for (unsigned rank = 1; rank <= n; rank++) {
        for (unsigned sum = sums + 1; sum-- > 0;)
            ways[sum] = (ways[sum] + (sum >= rank ? ways[sum - rank] : 0)) / 2;
    }
    *chance = 0;
    for (unsigned sum = 0; sum < sums; sum++) {
        below += ways[sum];
        if (2 * below > OUTSIDE_CHANCE)
            break;
        left_out = sum + 1;
        *chance = 2 * below;
    }
    return left_out;
}

/* The runs as near as that to `centre`, each carried along the slope to the target. Returns how
 * many; 0: they have no slope in the direction that all runs have. */
static unsigned carry(const struct crossing *crossing, double centre, double reach,
                      double *crossings)
{
    const double slope = slope_of(crossing, centre);
    unsigned count = 0;
    if (!(slope * direction_of(crossing) > 0))
        return 0;
    for (unsigned i = 0; i < crossing->count; i++) {
        const struct point point = point_of(crossing, i);
        if (fabs(point.x - centre) <= reach)
            crossings[count++] = point.x - point.y / slope;
    }
    return count;
}

static struct crossing_estimate estimate_near(const struct crossing *crossing, double reach)
{
    static double averages[RANKS_MAX];
    struct crossing_estimate estimate = {NAN, NAN, NAN, NAN};
    double crossings[CROSSING_RUNS_MAX], chance;
    unsigned count = carry(crossing, crossing->centre, reach, crossings), pairs = 0;
    if (count < LEVEL_RUNS_MIN)
        return estimate;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k <= i; k++)
            averages[pairs++] = (crossings[i] + crossings[k]) / 2;
    }
    estimate.factor = exp(median_of(averages, pairs));
    unsigned left_out = ranks_left_out(count, &chance);
    if (left_out == 0)
        return estimate;
    estimate.low = exp(averages[left_out - 1]);
    estimate.high = exp(averages[pairs - left_out]);
    estimate.confidence = 1 - chance;
    return estimate;
}

struct crossing_estimate crossing_estimate(const struct crossing *crossing)
{
    return estimate_near(crossing, LEVEL_REACH);
}

static double clamp(double value, double least, double most)
{
    return fmin(fmax(value, least), most);
}

/* The k-th of the runs around the crossing: a third of them, an even number, is far from it, the
 * others are spread evenly near it; in turn to either side. */
static double offset_of(const struct crossing *crossing, unsigned k)
{
    const unsigned far = crossing->far, places = (crossing->repeat - far + 1) / 2;
    const double side = k % 2 == 0 ? -1 : 1;
    if (k < far)
        return side * SLOPE_SPREAD;
    return side * LEVEL_SPREAD * ((k - far) / 2 % places + 0.5) / places;
}

/* Chance may point far away when there are few runs, so it moves by a step. */
static void move_centre(struct crossing *crossing)
{
    const double from = log(crossing->from), to = log(crossing->to), centre = crossing->centre;
    double found = log(crossing_estimate(crossing).factor);
    if (isnan(found))
        found = log(estimate_near(crossing, SLOPE_REACH).factor);
    if (!isnan(found))
        crossing->centre = clamp(found, centre - STEP, centre + STEP);
    crossing->centre = clamp(crossing->centre, from, to);
}

static enum crossing_state judge(const struct crossing *crossing)
{
    const struct crossing_estimate estimate = crossing_estimate(crossing);
    const double width = estimate.factor * VALUE_WIDTH;
    if (estimate.factor < crossing->from || estimate.factor > crossing->to)
        return CROSSING_OUTSIDE;
    return estimate.high - estimate.factor <= width && estimate.factor - estimate.low <= width
               ? CROSSING_FOUND
               : CROSSING_VAGUE;
}

static bool is_precise(const struct crossing *crossing)
{
    const struct crossing_estimate estimate = crossing_estimate(crossing);
    return estimate.high - estimate.low <= crossing->precision * estimate.factor;
}

/* What is still vague after `repeat` runs gets half as many again. */
static unsigned most_refined(const struct crossing *crossing)
{
    return crossing->repeat + crossing->repeat / 2;
}

enum crossing_state crossing_next(struct crossing *crossing, double *factor)
{
    const double from = log(crossing->from), to = log(crossing->to);
    if (crossing->searched == 0) {
        enum crossing_state state = search(crossing, factor);
        if (state != CROSSING_FOUND)
            return state;
    }
    move_centre(crossing);
    const unsigned refined = crossing->count - crossing->searched;
    const bool enough = refined >= crossing->repeat || is_precise(crossing);
    const enum crossing_state state = enough ? judge(crossing) : CROSSING_OPEN;
    if (state != CROSSING_OPEN && (state != CROSSING_VAGUE || refined >= most_refined(crossing)))
        return state;
    return run_at(clamp(crossing->centre + offset_of(crossing, refined), from, to), factor);
}
