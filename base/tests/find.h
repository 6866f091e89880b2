/* Finds what the build made, and files of the checkout, whatever folder a test lies in. */
#ifndef FANIN_TESTS_FIND_H
#define FANIN_TESTS_FIND_H

#include <stdbool.h>
#include <stddef.h>

/* find_upwards: writes the path of the nearest `name` ("fanin-client", "results/README.md") in the
 * folder of the running program or above it. False: there is none; `path` then holds where the
 * search ended. */
bool find_upwards(char *path, size_t path_bytes, const char *name);

/* temporary_directory: makes a new one and writes its path. */
bool temporary_directory(char *path, size_t path_bytes);

/* file_read: the beginning of a file, NUL-terminated; "" where there is none. */
void file_read(const char *path, char *text, size_t text_bytes);

#endif
