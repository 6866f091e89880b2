/* What is wrong with a scenario, and where: one line for a person. */
#ifndef FANIN_COMPLAINT_H
#define FANIN_COMPLAINT_H

enum { COMPLAINT_BYTES = 1024 };

struct complaint {
    char text[COMPLAINT_BYTES];
};

/* Where something was said. */
struct place {
    const char *file; /* "command line" for overrides */
    unsigned line;    /* 0: the file as a whole */
};

/* complain: writes "file:line: message" (the place may be NULL), always on one line. Returns -1,
 * so that a check can end with `return complain(...)`. */
int complain(struct complaint *complaint, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
