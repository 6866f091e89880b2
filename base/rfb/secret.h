/* VncAuth: both sides know a password of at most 8 characters; the screen sends a challenge, the
 * viewer its answer. It keeps out mistakes, not attackers: who listens can find the password, and
 * what follows is not encrypted. TLS (tls.h) is the real one. */
#ifndef FANIN_RFB_SECRET_H
#define FANIN_RFB_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECRET_BYTES = 16, SECRET_PASSWORD_MAX = 8 };

/* secret_challenge: random bytes of the operating system. False: it has none. */
bool secret_challenge(uint8_t challenge[SECRET_BYTES]);

/* secret_answer: what whoever has the password answers; only its first 8 characters count. False:
 * this system has no DES. */
bool secret_answer(const char *password, const uint8_t challenge[SECRET_BYTES],
                   uint8_t answer[SECRET_BYTES]);

/* secret_equal: whether both are the same; takes equally long for all that differ. */
bool secret_equal(const uint8_t one[SECRET_BYTES], const uint8_t other[SECRET_BYTES]);

/* secret_read: the first line of a file as a password. False with `why`, which names the file: it
 * cannot be read, has no first line, or one that is too long for VncAuth. */
bool secret_read(const char *path, char password[SECRET_PASSWORD_MAX + 1], char *why,
                 size_t why_bytes);

/* The next is of secret_linux.c and secret_windows.c: one block of DES. */
bool secret_encrypt(const uint8_t key[8], const uint8_t from[8], uint8_t to[8]);

#endif
