/* Clients of an echo service, or of a proxy before one: hostile ones, and good ones beside them. */
#ifndef FANIN_TESTS_HOSTILE_H
#define FANIN_TESTS_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

/* hostile_connections: how many a test makes: FANIN_HOSTILE (`make hostile` sets it), or as many as
 * take seconds. */
unsigned hostile_connections(void);

/* What became of the clients. */
struct hostile_outcome {
    unsigned hostile, good; /* connections that were made */
    unsigned lost;          /* good ones that did not get every byte back */
};

/* hostile_run: makes `count` hostile connections to 127.0.0.1:port, of each kind, from several
 * threads, beside good clients that compare what they get back. Blocks until all are closed. */
struct hostile_outcome hostile_run(unsigned port, unsigned count);

/* client_connect: a connected socket to 127.0.0.1:port, or -1. client_reset: closes it so that the
 * peer sees a reset. client_echoes: sends that many bytes and gets them back. client_ended: the
 * peer has finished, and nothing came before. */
int client_connect(unsigned port);
void client_reset(int client);
bool client_echoes(int client, unsigned bytes);
bool client_ended(int client);

#endif
