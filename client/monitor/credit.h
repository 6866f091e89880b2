/* Which screen is asked for its next update, and when. Pure: time is a parameter, no locks.
 *
 * The focused screen is asked first and as often as it answers; a visible one at most `rate` times
 * a second, the one that has waited longest first; a hidden one not at all. All together stay under
 * the budget: an update is paid when it is asked for, by what its screen's updates were like so
 * far, and the difference when it has come. */
#ifndef FANIN_MONITOR_CREDIT_H
#define FANIN_MONITOR_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#define CREDIT_NEVER UINT64_MAX

struct credit_screen {
    bool present, hidden, focused;
    unsigned asked;      /* requests that were not answered */
    uint64_t asked_ns;   /* the last time */
    uint64_t turn;       /* the lowest comes first */
    double typical_bits; /* of its updates */
    double paid_bits;    /* for what it was asked */
};

struct credit {
    unsigned count, ahead;
    double rate, budget; /* updates a second, bits a second; 0: no limit */
    double bits;         /* that may be asked for now; below 0: a debt */
    uint64_t filled_ns, turns;
    struct credit_screen *screens;
};

/* credit_open: `screens` that are absent. False: no memory. */
bool credit_open(struct credit *credit, unsigned screens, unsigned ahead, double rate,
                 double budget);
void credit_close(struct credit *credit);

/* credit_join: it is here, and was not asked yet. credit_leave: what it was asked for is lost. */
void credit_join(struct credit *credit, unsigned screen);
void credit_leave(struct credit *credit, unsigned screen);

/* credit_answered: an update of so many bits has come. */
void credit_answered(struct credit *credit, unsigned screen, uint64_t bits);

/* credit_next: the screen to be asked now, which counts as asked; or -1, and *wait_ns is how long
 * nothing changes unless a screen answers, joins, shows or gets the focus. */
int credit_next(struct credit *credit, uint64_t now_ns, uint64_t *wait_ns);

#endif
