/* What os.c needs of the system's own files, os_*.c and machine_*.c. */
#ifndef FANIN_OS_PARTS_H
#define FANIN_OS_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { ROLE_BYTES = 16, OS_PATH_BYTES_MAX = 4096 };

/* word_wait: blocks while `word` is `value`, until word_wake or `deadline_ns` by os_now_ns
 * (UINT64_MAX: for ever). False: the deadline has passed. May return true for no reason. */
bool word_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns);
void word_wake(_Atomic uint32_t *word); /* wakes the one thread that waits, if there is one */

/* thread_stack_set: at least `stack_bytes`. 0, or a positive errno value. */
int thread_stack_set(pthread_attr_t *attributes, size_t stack_bytes);
void thread_name_set(pthread_t thread, const char *role);

uint64_t thread_cpu_ns(void); /* that the calling thread has used so far */
uint64_t suspended_ns(void);  /* that os_now_ns leaves out because the machine was suspended */

int directory_make_one(const char *path); /* 0 also when it is there already */
/* characters: between directories; before a file's name */
extern const char path_separators[], path_name_starts[];

/* os_file_read, on Linux: the beginning of a file, NUL-terminated. False, with "": not readable. */
bool os_file_read(const char *path, char *text, size_t text_bytes);

/* os_file_number, on Linux: what sscanf's `format` reads from the file; UINT64_MAX: nothing. */
uint64_t os_file_number(const char *path, const char *format);

#endif
