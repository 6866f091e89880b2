/* Links between the client and its servers. A scenario names one of links.conf, where each name
 * stands for options of fanin-lan:
 *
 *   lan100 = --rate 100mbit --rtt 0.5ms
 *
 * "loopback" needs no fanin-lan. Every other link is measured before a row runs on it. One that
 * this machine cannot make is replaced by loopback, and the rows say so. */
#ifndef FANIN_SCENARIOS_LINK_H
#define FANIN_SCENARIOS_LINK_H

#include "base/json.h"
#include "scenarios/sweep/command.h"

enum link_status { LINK_UNKNOWN, LINK_OK, LINK_FAILED, LINK_UNAVAILABLE };

struct link {
    const char *name, *options; /* as links.conf has them */
    struct place place;         /* there, or in the record of the sweep that is resumed */
    enum link_status status;
    const char *reason;     /* why it is not LINK_OK; NULL where it is */
    const char *check;      /* the object that fanin-lan --check wrote, one line; NULL: none */
    double rate_bits_per_s; /* towards the client, as asked for; NAN: unlimited, or not known */
    double rtt_ms;          /* as asked for; NAN: not known */
    bool recorded;          /* of a sweep that is resumed: it stays what it was */
    bool own_process;       /* its frames are carried by fanin-lan itself, not by the kernel */
};

struct links {
    struct link **items;
    unsigned count;
};

/* links_plan: finds the links that the cells name, in `links` (of a sweep that is resumed) or in
 * links.conf: beside the scenario, else where fanin's own tree has it. It is not read when no cell
 * needs it. A cell with a round trip of its own gets a link that is derived from the one it names:
 * "lan100" with 9.9 ms becomes "lan100-rtt9.9". 0, or -1 with an error. */
int links_plan(struct arena *arena, const struct cells *cells, const char *scenario_path,
               struct links *links, struct error *error);

/* links_prune: drops the links that were not checked and that no cell has. */
void links_prune(struct links *links, const struct cells *cells);

/* links_fall_back: cells on an unavailable link get loopback. */
void links_fall_back(const struct cells *cells);

/* link_judge: copies the results of `check` (JSON, or NULL) to the link. False: it is not a result
 * of fanin-lan --check. */
bool link_judge(struct arena *arena, struct link *link, const char *check);

/* link_command: fanin-lan with the link's options. */
struct command link_command(struct arena *arena, const struct link *link);

/* links_write and links_read: "links" of the record. links_read: 0, or -1 with an error. */
void links_write(struct json *json, const struct links *links);
int links_read(struct arena *arena, const char *record, const struct place *place,
               struct links *links, struct error *error);

#endif
