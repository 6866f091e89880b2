/* What is wrong with a scenario, and where: one line for a person. */
#ifndef FANIN_SWEEP_ERROR_H
#define FANIN_SWEEP_ERROR_H

enum { ERROR_BYTES = 1024 };

struct error {
    char text[ERROR_BYTES];
};

/* Where something was said. */
struct place {
    const char *file; /* "command line" for overrides */
    unsigned line;    /* 0: the file as a whole */
};

/* complain: writes "file:line: message" (the place may be NULL), always on one line. Returns -1,
 * so that a check can end with `return error_set(...)`. */
int error_set(struct error *error, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
