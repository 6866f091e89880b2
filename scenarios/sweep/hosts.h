/* Hosts: where a launcher starts fanin-servers --hosted, once on each.
 *
 *   launcher's standard output --> READY: what and where it is, or FAILED: why it cannot
 *                              --> PULSE, twice a second: a sign of life
 *   our PULSE, each second     --> its standard input, whose end ends the servers
 *
 * Lines may come in pieces, and behind a label ("0: ", "[1,0]<stdout>:", "lab2: "); what is none of
 * these is left alone. A thread reads and answers, whatever the sweep does meanwhile. */
#ifndef FANIN_SCENARIOS_HOSTS_H
#define FANIN_SCENARIOS_HOSTS_H

#include "base/json.h"
#include "scenarios/sweep/launcher.h"

#define HOSTS_SILENCE_S 5 /* without a sign of life, after which a host is lost */

/* Texts are valid until hosts_end. */
struct host {
    const char *name;    /* as asked for, else as it calls itself; "": not known yet */
    bool ready;          /* it said READY, and the next seven are set */
    const char *said;    /* how it calls itself */
    const char *address; /* of its servers */
    uint64_t port, count;
    const char *process, *commit;
    const char *facts;   /* all "key=value" of READY, with blanks between them */
    const char *failure; /* why it did not get ready, or how it was lost later; NULL: neither */
    int exit_code;       /* of the launcher where that ended; else EXIT_UNKNOWN */
};

struct hosts_request {
    const struct launcher *launcher;
    const char *const *names; /* NULL: the launcher takes a number */
    unsigned count;
    const struct command *servers; /* of each host */
    const char *log; /* what launchers write to standard error goes to LOG.txt, or to LOG-HOST.txt
                        where each host has one */
};

/* hosts_start: starts the launchers; returns at once. NULL with an error. hosts_end: closes their
 * standard input, gives them 2 s, then SIGTERM and 1 s, then kills them; blocks as long as that
 * takes, and frees all. NULL is allowed. */
struct hosts;
struct hosts *hosts_start(const struct hosts_request *request, struct error *error);
void hosts_end(struct hosts *hosts);

/* hosts_await: blocks until each host is ready or has failed, `limit_ns` are over (who is not ready
 * then has failed), or the sweep is interrupted; after the first failure for at most
 * `after_failure_ns`. True: all are ready. */
bool hosts_await(struct hosts *hosts, uint64_t limit_ns, uint64_t after_failure_ns);

/* hosts_get: a host as it is now. */
unsigned hosts_count(const struct hosts *hosts);
struct host hosts_get(struct hosts *hosts, unsigned index);

/* hosts_lost: whether a host that was ready is lost, and which is the first. hosts_look: the same;
 * blocks until each host gave a new sign of life, or one is lost. */
bool hosts_lost(struct hosts *hosts, struct host *host);
bool hosts_look(struct hosts *hosts, struct host *host);

/* host_fact: the value of a key of READY, such as "kernel"; NULL: it did not say. */
const char *host_fact(struct arena *arena, const struct host *host, const char *key);

/* host_write: the members of an object with all that READY said. */
void host_write(struct arena *arena, struct json *json, const struct host *host);

/* ---- lines ---- */

enum host_word { HOST_OTHER, HOST_READY, HOST_FAILED, HOST_PULSE };

/* host_word_read: what a line is, behind its label if it has one. *rest: what follows the word. */
enum host_word host_word_read(const char *line, const char **rest);

/* host_ready_read: what follows READY. False: it is not whole, and *host is as it was. */
bool host_ready_read(struct arena *arena, const char *rest, struct host *host);

/* host_is_called: whether a host that calls itself `said` may be the one of that name: "lab2" and
 * "LAB2.example.org", also behind a user's name. */
bool host_is_called(const char *name, const char *said);

#endif
