/* What parking needs of the system: sleeping on a word of memory. os_linux.c and os_windows.c
 * answer. */
#ifndef FANIN_OS_PARKER_H
#define FANIN_OS_PARKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* word_wait: blocks while `word` is `value`, until word_wake or `deadline_ns` by os_now_ns
 * (UINT64_MAX: for ever). False: the deadline has passed. May return true for no reason. */
bool word_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns);

/* word_wake: wakes the one thread that waits, if there is one. */
void word_wake(_Atomic uint32_t *word);

#endif
