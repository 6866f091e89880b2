/* Links are measured, not believed: fanin-lan --check for each, before a row runs on it. */
#ifndef FANIN_LINK_CHECK_H
#define FANIN_LINK_CHECK_H

#include "base/progress.h"
#include "scenarios/sweep/link.h"

/* links_check: measures every link that is LINK_UNKNOWN yet, and says on `progress` what is not as
 * asked for; `later_s` is what follows. fanin-lan's table goes to `directory`/log. Blocks for
 * LINK_CHECK_SECONDS or so a link.
 * EXIT_DONE whatever the measurements say; EXIT_WRONG_USE with an error that names links.conf's
 * line; EXIT_MEASURED_FAILURE when interrupted. */
int links_check(struct arena *arena, const struct links *links, const char *directory,
                struct progress *progress, double later_s, struct error *error);

/* links_check_seconds: what links_check is going to take. */
double links_check_seconds(const struct links *links);

#endif
