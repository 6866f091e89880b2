/* Faults: what devices do wrong on purpose. faults.c has a table of the kinds, which --help and
 * --fault use. */
#ifndef FANIN_FAULTS_H
#define FANIN_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "base/protocol.h"

/* Where in a connection's life a fault acts. */
enum fault_place {
    FAULT_AT_PORT,   /* nothing listens on the port */
    FAULT_AT_QUEUE,  /* the queue of connections to accept is full */
    FAULT_AT_ACCEPT, /* connections are accepted late */
    FAULT_AT_DEVICE, /* in the middle of a GO from frame 0, for the whole device */
    FAULT_AT_LINE,   /* no line is ever read */
    FAULT_AT_LOGIN,
    FAULT_AT_FRAME, /* one frame is damaged, or is the last; of a GO from frame 0 only */
    FAULT_AT_BYTES, /* every byte */
    FAULT_OF_LISTENER_LAST = FAULT_AT_DEVICE, /* up to here a device needs its own listener */
};

/* What the device does after the fault. */
enum fault_action {
    ACTION_CONTINUE,
    ACTION_ANSWER_NO,
    ACTION_FINISH,  /* closes in good order */
    ACTION_RESET,   /* resets once what was sent has arrived */
    ACTION_RESTART, /* resets all connections of the device and refuses new ones for a while */
    ACTION_STALL,   /* keeps the connection and sends nothing more */
    ACTION_FLOOD,   /* bytes without an end marker, past every limit; then stall */
    ACTION_GARBAGE, /* an answer that is neither yes nor no */
};

/* Damages a good frame of `length` bytes and says how many of them to send. */
typedef uint32_t fault_damage(uint8_t *frame, uint32_t length, const struct protocol_go *go);

struct fault_kind {
    const char *name;
    const char *argument; /* what --help calls it; NULL: it takes none */
    const char *help;
    enum fault_place place;
    enum fault_action action;
    fault_damage *damage;                    /* NULL: of no frame */
    uint64_t argument_default, argument_max; /* default FAULT_HALF: half of the GO's frames */
};

#define FAULT_HALF UINT64_MAX

struct fault {
    const struct fault_kind *kind;
    uint64_t argument;
    double share; /* of all servers, if is_percent: 0..100; else a number of them */
    bool is_percent;
};

enum { FAULTS_MAX = 32 };

struct fault_list {
    unsigned count;
    struct fault items[FAULTS_MAX];
};

/* The kinds that a program has, and what it calls those that have them. */
struct fault_table {
    const struct fault_kind *(*kind)(unsigned index); /* NULL after the last */
    const char *things;                               /* "servers" */
    bool all_by_default;                              /* KIND alone is KIND:100% */
};

/* faults_read: reads KIND:SHARE[:ARG], one or several behind commas, and appends them to the list.
 * 0, or -1 with `why`. faults_option: that as the parser of fanin-servers' --fault. */
int faults_read(const struct fault_table *table, const char *text, struct fault_list *list,
                char *why, size_t why_bytes);
option_parser faults_option;

/* faults_describe: writes the kinds of a table, one a line, into `text`. */
void faults_describe(const struct fault_table *table, char *text, size_t text_bytes);

/* faults_help: faults_describe of the kinds of fanin-servers. */
void faults_help(char *text, size_t text_bytes);

/* faults_spread: says for each of `count` servers which fault it has, in by_server (NULL: none):
 * evenly spread, the same every time. 0, or -1 with `why`: there are fewer servers than that.
 * Without by_server it only checks. */
int faults_spread(const struct fault_list *faults, uint64_t count, const struct fault **by_server,
                  char *why, size_t why_bytes);

static inline bool fault_is_at(const struct fault *fault, enum fault_place place)
{
    return fault != NULL && fault->kind->place == place;
}

#endif
