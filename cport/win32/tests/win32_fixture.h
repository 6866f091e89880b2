/* What the tests of <cport/win32.h> share: connections of which one end is Windows', the other the
 * system's. */
#ifndef FANIN_TESTS_WINDOWS_NAMES_H
#define FANIN_TESTS_WINDOWS_NAMES_H

#include <cport/win32.h>

#include "base/tests/test.h"

enum { PACKET_WAIT_MS = 60000, ADDRESS_ROOM = sizeof(SOCKADDR_IN) + 16 };

HANDLE port_make(DWORD concurrency);

/* listener_make: on a free port of 127.0.0.1, associated with `port` (NULL: with none). */
SOCKET listener_make(HANDLE port, ULONG_PTR key, SOCKADDR_IN *address);

/* socket_make: fresh. */
SOCKET socket_make(void);

/* A connection. */
struct pair {
    HANDLE port;
    SOCKET near; /* associated, with the key 5 */
    int far;     /* a descriptor that tests use as the system has it */
};

struct pair pair_make(void);
void pair_close(struct pair *pair);
void far_reset(struct pair *pair);

/* caller_make: a connected descriptor; -1: refused. */
int caller_make(const SOCKADDR_IN *address);

/* assert_packet: the next packet has these three values, and of a failure this last error; 0:
 * success. */
void assert_packet(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped, DWORD error);
void assert_nothing_queued(HANDLE port);

/* assert_pending: what a submitting call returned says that its packet will come. */
void assert_pending(BOOL good);

/* assert_fails: it returned FALSE with that last error. */
void assert_fails(BOOL good, DWORD error);

BOOL receive(SOCKET socket, LPOVERLAPPED overlapped, void *data, ULONG bytes);
BOOL transmit(SOCKET socket, LPOVERLAPPED overlapped, const void *data, ULONG bytes);

#endif
