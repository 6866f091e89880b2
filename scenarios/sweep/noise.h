/* What will make results noisy on this machine, as far as the system says: looked for before a
 * sweep and by --check. Link-time choice: noise_linux.c or noise_windows.c looks. */
#ifndef FANIN_NOISE_H
#define FANIN_NOISE_H

#include <stdio.h>

#include "base/json.h"
#include "scenarios/sweep/fleet.h"

enum {
    NOISE_FINDINGS_MAX = 24,
    NOISE_WATCH_MS = 1000,      /* of --check: how long the CPUs are watched */
    NOISE_WATCH_QUICK_MS = 300, /* of every sweep */
    NOISE_PORT = 20000,         /* asked about where no scenario says which ports */
    NOISE_SERVERS = 200,
};

enum noise_level { NOISE_CALM, NOISE_NOISY, NOISE_UNKNOWN };

struct noise_finding {
    const char *name; /* "busy-cpus" */
    enum noise_level level;
    const char *found;
    const char *why, *advice; /* why it matters, how to calm it; NULL where it is calm */
};

struct noise {
    struct noise_finding items[NOISE_FINDINGS_MAX];
    unsigned count;
    uint64_t watch_ns;
    const char *time_utc;
};

/* Ports that servers will listen on. */
struct noise_ports {
    uint64_t first, count;
};

struct noise_question {
    const char *root;       /* what stands before /proc and /sys: "" for this machine's own */
    const char *root_later; /* the same for the second reading of counters */
    uint64_t watch_ns;      /* between the two */
    struct noise_ports *ports;
    unsigned port_count;
    uint64_t servers;     /* of the largest cell */
    uint64_t descriptors; /* that its programs take, each of them */
};

/* noise_ask: this machine, and what the fleets will need of it. Without fleets, NOISE_SERVERS
 * servers from NOISE_PORT on. */
struct noise_question noise_ask(struct arena *arena, const struct fleets *fleets,
                                unsigned watch_ms);

/* noise_look: blocks for watch_ns. Everything found belongs to the arena. 0, or -1 with an error
 * when not even the CPUs' times can be read. */
int noise_look(struct arena *arena, const struct noise_question *question, struct noise *noise,
               struct error *error);

/* noise_add: one more finding. `found` NULL: it cannot be known here, and `advice` is unused. */
void noise_add(struct noise *noise, const char *name, enum noise_level level, const char *found,
               const char *why, const char *advice);

unsigned noise_count(const struct noise *noise, enum noise_level level);

/* noise_print: a table for people. */
void noise_print(FILE *out, const struct noise *noise);

/* noise_words: the noisy findings' names, "" if there is none. */
const char *noise_words(struct arena *arena, const struct noise *noise);

/* noise_write: the members of an open object. */
void noise_write(struct json *json, const struct noise *noise);

#endif
