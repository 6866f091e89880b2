/* TLS over buffers: bytes of the wire go in and come out, nobody reads a socket here. So it works
 * below any loop.
 *
 *   wire -> tls_feed -> tls_read -> plain          plain -> tls_write -> `send` -> wire
 *
 * A context may be used by all threads, a session by one at a time. */
#ifndef FANIN_RFB_TLS_H
#define FANIN_RFB_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The certificates of one side. */
struct tls_context;

/* Both read PEM files; NULL with `why`, which names the file or says that this system has no TLS.
 * tls_screen: shows this certificate. tls_viewer: a screen's certificate must be signed by one of
 * these authorities; the name in it is not looked at: screens connect from anywhere. */
struct tls_context *tls_screen(const char *certificate, const char *key, char *why,
                               size_t why_bytes);
struct tls_context *tls_viewer(const char *authority, char *why, size_t why_bytes);
void tls_context_close(struct tls_context *context); /* after its sessions; NULL is fine */

enum tls_result {
    TLS_MORE = 0,             /* nothing to read until more is fed */
    TLS_BROKEN = -1,          /* not TLS, or changed on the way, or no common algorithm */
    TLS_BAD_CERTIFICATE = -2, /* not of the authority, or out of its time */
    TLS_ENDED = -3,           /* the other side has said that it ends */
    TLS_NO_MEMORY = -4,
};

struct tls;

/* tls_open: `send` gets bytes for the wire, in order, from within the other calls; it copies them.
 * NULL without memory. A viewer's session begins with tls_read. */
struct tls *tls_open(struct tls_context *context,
                     void (*send)(void *user, const void *data, size_t bytes), void *user);
void tls_close(struct tls *tls); /* tells nobody; NULL is fine */

/* tls_feed: bytes from the wire, copied; to be followed by tls_read until that is TLS_MORE. False
 * without memory. */
bool tls_feed(struct tls *tls, const void *data, size_t bytes);

/* tls_read: goes on with the handshake, then reads: how many bytes it wrote to `plain`, or one of
 * enum tls_result. */
int64_t tls_read(struct tls *tls, void *plain, size_t bytes);

/* tls_ready: the handshake is over, and tls_write may be called. */
bool tls_ready(const struct tls *tls);

/* tls_write: encrypts all of it, and `send`s it. 0, or one of enum tls_result below 0. */
int tls_write(struct tls *tls, const void *plain, size_t bytes);

#endif
