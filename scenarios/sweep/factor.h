/* A factor that a calibration varies: a key of a scenario, and one number in its value. */
#ifndef FANIN_FACTOR_H
#define FANIN_FACTOR_H

#include "scenarios/sweep/scenario.h"

struct factor {
    const char *key;
    const char *from_text, *to_text; /* its values at the ends, as they were written */
    const char *before, *after;      /* of the number: "every:" and "ms:one" */
    double from, to;                 /* 0 < from < to */
};

/* factor_parse: "KEY FROM..TO", where FROM and TO are alike but for one number: "look
 * every:2ms:one..every:50ms:one". 0, or -1 with an error. */
int factor_parse(struct arena *arena, const struct setting *setting, struct factor *factor,
                 struct error *error);

/* factor_text: the key's value for this number, rounded to three digits; *number is what it was
 * rounded to. */
const char *factor_text(struct arena *arena, const struct factor *factor, double *number);

#endif
