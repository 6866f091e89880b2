/* Where a noisy figure crosses its target as a factor grows: which factor to run next, and where
 * the crossing is, by the runs so far. Arithmetic only: who runs is trials.c.
 *
 * The figure rises or falls with the factor throughout, and each run of it is off by chance. */
#ifndef FANIN_CROSSING_H
#define FANIN_CROSSING_H

enum {
    CROSSING_REPEAT_MIN = 6, /* with fewer there is no interval at 95 % */
    CROSSING_REPEAT_MAX = 100,
    CROSSING_SEARCH_MAX = 20, /* runs of the search before them */
    CROSSING_RUNS_MAX = CROSSING_REPEAT_MAX / 2 * 3 + CROSSING_SEARCH_MAX,
};

struct observation {
    double factor, figure; /* both above 0 */
};

struct crossing {
    double from, to; /* of the factor, 0 < from < to */
    double target;   /* of the figure */
    double
        precision;   /* width of an interval that suffices, as a share of the value; 0: none does */
    unsigned repeat; /* runs around the crossing */

    /* Zero-initialised. */
    struct observation runs[CROSSING_RUNS_MAX];
    unsigned count;
    unsigned searched; /* runs until the crossing was bracketed; 0: it is not yet */
    double centre;     /* of the runs since then: logarithm of the factor */
    unsigned far;      /* of those, the runs that are to say how steep the curve is */
};

enum crossing_state {
    CROSSING_OPEN,    /* to be run: crossing_next */
    CROSSING_FOUND,   /* the interval is narrow enough */
    CROSSING_OUTSIDE, /* the figures of both ends lie on one side of the target */
    CROSSING_VAGUE,   /* the interval is too wide, or there is none */
};

/* crossing_next: CROSSING_OPEN with the factor to run next; else how it ended. */
enum crossing_state crossing_next(struct crossing *crossing, double *factor);

/* crossing_note: one more run. */
void crossing_note(struct crossing *crossing, double factor, double figure);

/* crossing_runs_expected: how many runs are likely to be needed in all. */
unsigned crossing_runs_expected(const struct crossing *crossing);

struct crossing_estimate {
    double factor, low, high; /* NAN where there is none */
    double confidence;        /* that the interval holds the crossing, at least 0.95 */
};

/* crossing_estimate: by the runs near the crossing. Each is carried to the target along the slope
 * there (Theil and Sen's, of the logarithms, by the runs around it), which makes each an estimate
 * of the crossing. Of these the Hodges-Lehmann median is the result, and Wilcoxon's signed ranks
 * give the interval. It takes the curve for straight that near, and runs to scatter alike to both
 * sides of it, and no distribution: a run that went astray moves the result by no more than its
 * rank. Where the curve bends, as a time does that a wire limits, the interval holds the crossing
 * in 9 of 10 searches (tests/test_crossing.c). Not thread-safe. */
struct crossing_estimate crossing_estimate(const struct crossing *crossing);

#endif
