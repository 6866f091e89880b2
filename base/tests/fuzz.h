/* Fuzz targets: each fuzz_*.c is a program of libFuzzer's, which calls fuzz_input with one input
 * after the other. What must hold is asserted. Inputs to begin with are in corpus/NAME/ beside the
 * target; `make fuzz` looks for more. */
#ifndef FANIN_TESTS_FUZZ_H
#define FANIN_TESTS_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define fuzz_input LLVMFuzzerTestOneInput
int fuzz_input(const uint8_t *data, size_t bytes); /* returns 0 */

/* fuzz_text: a copy of the input as a NUL-terminated text; the caller frees it. */
static inline char *fuzz_text(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    assert(text != NULL);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    return text;
}

/* fuzz_byte: takes the next byte off the input; 0 at its end. */
static inline uint8_t fuzz_byte(const uint8_t **data, size_t *bytes)
{
    if (*bytes == 0)
        return 0;
    (*bytes)--;
    return *(*data)++;
}

#endif
