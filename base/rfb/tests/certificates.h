/* Certificates for tests, made when they are needed. */
#ifndef FANIN_CERTIFICATES_H
#define FANIN_CERTIFICATES_H

/* All PEM files, in a folder of their own. */
struct certificates {
    char folder[64];
    char authority[96], other_authority[96]; /* `other` has signed nothing */
    char screen[96], screen_key[96];         /* signed by `authority` */
    char late[96];                           /* the screen's, but its time is over */
};

/* certificates_make: all of them; a failure is the test's. certificates_remove: the folder, too. */
void certificates_make(struct certificates *made);
void certificates_remove(const struct certificates *made);

#endif
