/* What connection.c, a connection's life, and requests.c, the lines that it reads, share. */
#ifndef FANIN_CONNECTION_PARTS_H
#define FANIN_CONNECTION_PARTS_H

#include "mock_servers/connection.h"

enum state { READING, WAITING, HELD, SENDING, FINISHING, DRAINING, RESETTING, SILENT, CLOSED };

struct connection {
    struct handler handler;   /* the first field */
    struct list_node member;  /* of connections.open or connections.closed */
    struct list_node waiting; /* in connections.waiting */
    struct connections *all;
    struct endpoint *endpoint;
    intptr_t socket;
    enum state state;
    bool logged_in, finished; /* finished: the peer has */
    struct run *run;          /* that it holds: asked for last; NULL: none yet */
    bool has_asked;           /* its frames, by GO */
    uint64_t resetting_ns;    /* RESETTING: since when */
    struct stream stream;     /* WAITING, HELD: what will be sent; SENDING */
    unsigned line_bytes, answer_bytes, answer_sent;
    char line[PROTOCOL_LINE_BYTES_MAX];
    char answer[PROTOCOL_LINE_BYTES_MAX];
};

/* line_serve: true: a whole line was there, and has been served. */
bool line_serve(struct connection *connection);

/* answer_no: "NO why", and the end. */
void answer_no(struct connection *connection, const char *why);

/* fault_act: what follows a fault of the login or of a frame. */
void fault_act(struct connection *connection, enum fault_action action);

/* stream_begin: of a stream whose tape, if there is one, is complete: sends now, or is held. */
void stream_begin(struct connection *connection);

/* sending_start: at `start_ns` of os_now_ns its schedule begins. */
void sending_start(struct connection *connection, uint64_t start_ns);

#endif
