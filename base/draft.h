/* A file that takes another's place only when it is whole: it is written beside it and renamed, so
 * that what was there before survives a full disk, a crash and an early end. What cannot be
 * replaced - a pipe, a device, a mount point, a file of a directory that may not be written - is
 * written in place. */
#ifndef FANIN_DRAFT_H
#define FANIN_DRAFT_H

#include <stdio.h>

enum { DRAFT_PATH_BYTES = 4096 };

struct draft {
    FILE *out;                     /* what to write to; NULL: nothing is open */
    char target[DRAFT_PATH_BYTES]; /* the file itself, behind symbolic links */
    char beside[DRAFT_PATH_BYTES]; /* where it is written until it is whole; "": in place */
};

/* draft_check: whether draft_open would succeed, for programs whose result comes late. Leaves
 * nothing behind. 0, or a negative errno value. May block on a slow disk, like all here. */
int draft_check(const char *path);

/* draft_open: "-" is standard output. 0 with draft->out to be written, or a negative errno. */
int draft_open(struct draft *draft, const char *path);

/* draft_close: ends the writing. `result` is the writer's: where it is 0 the new file takes its
 * place, otherwise it is removed and the old one stays. Returns `result`, or a negative errno value
 * if the file could not be written whole. Nothing to do where nothing is open. */
int draft_close(struct draft *draft, int result);

#endif
