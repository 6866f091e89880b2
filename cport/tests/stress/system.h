/* What the stress test needs of the system; system_linux.c and system_windows.c answer. */
#ifndef FANIN_TRIAL_SYSTEM_H
#define FANIN_TRIAL_SYSTEM_H

#include "cport/cport.h"

/* descriptors_open: how many descriptors or handles the process has. */
int descriptors_open(void);

/* handle_narrow: lets the kernel hold little of what the socket sends, so that sends wait for their
 * receiver. */
void handle_narrow(cp_handle handle);

#endif
