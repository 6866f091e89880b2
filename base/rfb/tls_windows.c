/* No TLS yet on Windows. */
#include "base/rfb/tls.h"

#include <stdio.h>

struct tls_context *tls_screen(const char *certificate, const char *key, char *why,
                               size_t why_bytes)
{
    snprintf(why, why_bytes, "this program has no TLS on Windows");
    return NULL;
}

struct tls_context *tls_viewer(const char *authority, char *why, size_t why_bytes)
{
    return tls_screen(authority, NULL, why, why_bytes);
}

/* Without a context nobody comes to the rest. */
void tls_context_close(struct tls_context *context)
{
}

struct tls *tls_open(struct tls_context *context,
                     void (*send)(void *user, const void *data, size_t bytes), void *user)
{
    return NULL;
}

void tls_close(struct tls *tls)
{
}

bool tls_feed(struct tls *tls, const void *data, size_t bytes)
{
    return false;
}

int64_t tls_read(struct tls *tls, void *plain, size_t bytes)
{
    return TLS_BROKEN;
}

bool tls_ready(const struct tls *tls)
{
    return false;
}

int tls_write(struct tls *tls, const void *plain, size_t bytes)
{
    return TLS_BROKEN;
}
