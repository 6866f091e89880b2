/* What fanin-lan tells its user: messages, and why something failed. */
#ifndef FANIN_LAN_FAILURE_H
#define FANIN_LAN_FAILURE_H

enum { FAILURE_TEXT_BYTES = 2048 };

struct failure {
    char text[FAILURE_TEXT_BYTES]; /* no newline at the end */
};

/* failure_set: says why; cut where it does not fit. Returns `result`, a negative errno value. */
__attribute__((format(printf, 3, 4))) int failure_set(struct failure *failure, int result,
                                                      const char *format, ...);

/* message_print: a line on standard error, behind the program's name. */
__attribute__((format(printf, 1, 2))) void message_print(const char *format, ...);

#endif
