/* Finds what the build made, and files of the checkout, whatever folder a test lies in. Runs a
 * program that nobody listens to. */
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

/* unheard_start: starts a program of the build with the arguments behind its name, which NULL ends;
 * nobody reads its standard error, a closed pipe. Its process, or -1: it is not built.
 * unheard_end: waits for it. Its exit code, or less than 0: it was ended by that signal. */
int unheard_start(const char *name, const char *const *arguments);
int unheard_end(int process);

#endif
