/* Asks the programs themselves whether they would take what a scenario gives them, before anything
 * runs: each distinct command line once, with --dry-run (clients) or --help (servers, links) behind
 * it. */
#ifndef FANIN_CHECK_H
#define FANIN_CHECK_H

#include "scenarios/sweep/fleet.h"

/* check_programs: 0, or -1 with an error that names the file and the line of the key that was
 * refused. Blocks for some milliseconds a cell. An exit code 3 is let pass: such a cell becomes a
 * skipped row. */
int check_programs(const struct cells *cells, const struct fleets *fleets,
                   const struct links *links, struct error *error);

#endif
