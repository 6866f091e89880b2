/* What is checked before the first row: programs and links. */
#ifndef FANIN_CHECK_H
#define FANIN_CHECK_H

#include "base/progress.h"
#include "scenarios/sweep/fleet.h"

/* check_programs: asks each client with --dry-run and the servers and fanin-lan with --help whether
 * they take their options. EXIT_DONE, or EXIT_WRONG_USE or EXIT_MACHINE_CANNOT with an error, which
 * names the file's line if it is one. */
int check_programs(const struct cells *cells, const struct fleets *fleets,
                   const struct links *links, struct error *error);

/* check_make_log: makes a new temporary file: nothing may lie in the output folder before the
 * scenario is known to be good. Its path, or NULL with an error. */
char *check_make_log(struct arena *arena, struct error *error);

/* links_check: measures every link that is LINK_UNKNOWN yet with fanin-lan --check, and says on
 * `progress` what is not as asked for; `later_s` is what follows. fanin-lan's table goes to
 * `directory`/log. Blocks for about 8 s a link.
 * EXIT_DONE whatever the measurements say; EXIT_WRONG_USE with an error that names links.conf's
 * line; EXIT_MEASURED_FAILURE when interrupted. */
int links_check(struct arena *arena, const struct links *links, const char *directory,
                struct progress *progress, double later_s, struct error *error);

/* links_check_seconds: what links_check is going to take. */
double links_check_seconds(const struct links *links);

#endif
