/* Launchers: commands that start a program once on each host, and carry its standard input and
 * output. A scenario names one of launchers.conf:
 *
 *   ssh = "ssh -T -o BatchMode=yes {host}"
 *
 * {host}: one child for each host; {hosts}: one for all, their names with commas between them; {n}:
 * how many hosts. The words of the servers' command follow. */
#ifndef FANIN_SCENARIOS_LAUNCHER_H
#define FANIN_SCENARIOS_LAUNCHER_H

#include "scenarios/sweep/command.h"

enum { HOSTS_MAX = 4096 };

struct launcher {
    const char *name, *command; /* as launchers.conf has them */
    struct place place;
    bool each;  /* {host}: one child for each host */
    bool named; /* {host} or {hosts}: it takes names, and not only their number */
};

/* launchers_plan: finds the launchers that the cells name, in launchers.conf beside the scenario,
 * else where fanin's own tree has it, and reads the cells' hosts: sets launcher, host_names and
 * host_count of each. The file is not read when no cell needs it. 0, or -1 with an error. */
int launchers_plan(struct arena *arena, const struct cells *cells, const char *scenario_path,
                   struct error *error);

/* launcher_command: what starts `servers` on hosts: on `host`, of a launcher that takes each alone,
 * else on all `count` of them; `names` may be NULL where it takes no names. */
struct command launcher_command(struct arena *arena, const struct launcher *launcher,
                                const char *host, const char *const *names, unsigned count,
                                const struct command *servers);

/* launcher_word_is_plain: every launcher passes the word on as it is: those that join words for a
 * shell on the host, and those that do not. */
bool launcher_word_is_plain(const char *word);

#endif
