/* What the tests need of the system: system_linux.c or system_windows.c. */
#ifndef FANIN_CONFORMANCE_SYSTEM_H
#define FANIN_CONFORMANCE_SYSTEM_H

#include "cport/cport.h"

/* descriptors_open: how many descriptors or handles the process has. */
int descriptors_open(void);

/* handle_narrow: gives the socket a small send buffer, so that sends wait for their receiver. */
void handle_narrow(cp_handle handle);

/* handle_reset_on_close: closing the socket will reset its connection. */
void handle_reset_on_close(cp_handle handle);

#endif
