/* The keys of a scenario: which are the sweep's own and what they say, which go to the fleet, which
 * to the client. */
#ifndef FANIN_KEY_H
#define FANIN_KEY_H

#include "scenarios/sweep/cell.h"

#define KEY_FLEET_PREFIX "fleet."

bool key_is_fleets(const char *key);

/* key_passes_on: whether the key is an option of the client program, and not the sweep's or the
 * fleet's. */
bool key_passes_on(const char *key);

/* key_names_cells: whether its value tells one cell from another; not so a number of repeats or an
 * expected duration. */
bool key_names_cells(const char *key);

/* key_check: whether the setting may stand in a scenario. 0, or -1 with an error. */
int key_check(const struct setting *setting, struct error *error);

/* key_read: what one of the sweep's own keys says, into the cell; others are left alone. 0, or -1
 * with an error. */
int key_read(const struct pair *pair, struct cell *cell, struct error *error);

/* key_number: the pair's value as a whole number in a range. 0, or -1 with an error. */
int key_number(const struct pair *pair, uint64_t min, uint64_t max, uint64_t *number,
               struct error *error);

#endif
