/* UTF-8. */
#ifndef FANIN_UTF8_H
#define FANIN_UTF8_H

#include <stddef.h>

/* utf8_bytes: the length of the character at `at` in a NUL-terminated text; 0: not valid UTF-8. */
size_t utf8_bytes(const char *at);

#endif
