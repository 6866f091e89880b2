/* Which screen is asked for its next update, and when. Pure: time is a parameter, no locks.
 *
 * The screen with the keyboard is asked first and as often as it answers; a visible one at most
 * `rate` times a second, the one that has waited longest first; a hidden one not at all. All
 * together stay under the budget: an update is paid when it is asked for, by what its screen's
 * updates were like so far, and the difference when it has come.
 *
 * A full link is shared in turns: a picture that is taken while many others are on their way is old
 * when it comes. The sign is how long an answer takes that a screen gives at once, beside the least
 * time that it took. One request of many, and every turn, is `certain`: it asks for a pixel, too,
 * changed or not.
 *
 *     free: all are asked as they answer --- two certain answers were late ---> full
 *     full: so many have a turn, the others wait --- nobody waits ---> free
 *
 * A screen that had a turn and nothing new is asked without one: its answer may take any time. */
#ifndef FANIN_MONITOR_CREDIT_H
#define FANIN_MONITOR_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define CREDIT_NEVER  UINT64_MAX
#define CREDIT_NOBODY (-1)

struct credit_screen {
    struct list_node node; /* of those that wait to be asked */
    bool present, hidden;
    bool is_idle;    /* had nothing new in its turn */
    bool is_certain; /* the first byte of an answer is awaited that must come at once */
    bool has_turn;
    unsigned asked;         /* requests that were not answered */
    uint64_t asked_ns;      /* the last time */
    uint64_t asked_updates; /* of all, at that time */
    double typical_bits;    /* of its updates */
    double paid_bits;       /* for what it was asked */
};

struct credit {
    unsigned count, ahead;
    double rate, budget; /* updates a second, bits a second; 0: no limit */
    double bits;         /* that may be asked for now; below 0: a debt */
    uint64_t filled_ns;
    int focused;              /* has the keyboard; or CREDIT_NOBODY */
    struct list_node waiting; /* the longest first */
    struct credit_screen *screens;

    bool is_full, was_late; /* was_late: the last certain answer */
    unsigned turns, turns_max;
    uint64_t updates, update_ns; /* of all; the last one */
    uint64_t looked_ns;          /* for turns that do not end */
    uint64_t sampled_ns, sampled_updates;
    uint64_t least_ns; /* that a certain answer took: the path without a queue */
    uint64_t round_ns; /* the least of this round, which is as many answers as there are turns */
    unsigned round;
};

/* credit_open: `screens` that are absent. False: no memory. The struct stays where it is. */
bool credit_open(struct credit *credit, unsigned screens, unsigned ahead, double rate,
                 double budget);
void credit_close(struct credit *credit);

/* credit_join: it is here, and was not asked yet. credit_leave: what it was asked for is lost. */
void credit_join(struct credit *credit, unsigned screen);
void credit_leave(struct credit *credit, unsigned screen);

/* credit_focus: the screen that has the keyboard, or CREDIT_NOBODY. credit_show: whether a screen
 * is visible, which all are at first. */
void credit_focus(struct credit *credit, int screen);
void credit_show(struct credit *credit, unsigned screen, bool visible);

/* credit_begun: the first bytes of an update are here. credit_answered: all of it, of so many bits;
 * `news`: more than a certain answer has anyway. */
void credit_begun(struct credit *credit, unsigned screen, uint64_t now_ns);
void credit_answered(struct credit *credit, unsigned screen, uint64_t bits, bool news,
                     uint64_t now_ns);

/* credit_next: the screen to be asked now, which counts as asked, its is_certain says how; or -1,
 * and *wait_ns is how long nothing changes unless a screen answers, joins, shows or gets the
 * focus. */
int credit_next(struct credit *credit, uint64_t now_ns, uint64_t *wait_ns);

#endif
