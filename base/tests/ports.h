/* Ports for programs that a test starts. */
#ifndef FANIN_TESTS_PORTS_H
#define FANIN_TESTS_PORTS_H

/* ports_free: the first of `count` ports of 127.0.0.1 that nobody has. They lie below those that
 * the system gives to connections, so only another listener can take one meanwhile. */
unsigned ports_free(unsigned count);

#endif
