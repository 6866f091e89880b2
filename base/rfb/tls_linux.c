/* TLS by GnuTLS, which pushes to a function and pulls from a buffer. */
#include "base/rfb/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_context {
    gnutls_certificate_credentials_t credentials;
    bool screen;
};

struct tls {
    gnutls_session_t session;
    void (*send)(void *user, const void *data, size_t bytes);
    void *user;
    uint8_t *fed; /* what GnuTLS has not pulled yet begins at fed_at */
    size_t fed_at, fed_bytes, fed_capacity;
    bool ready;
};

static struct tls_context *context_open(bool screen, char *why, size_t why_bytes)
{
    struct tls_context *context = calloc(1, sizeof *context);
    if (context != NULL &&
        gnutls_certificate_allocate_credentials(&context->credentials) == GNUTLS_E_SUCCESS) {
        context->screen = screen;
        return context;
    }
    free(context);
    snprintf(why, why_bytes, "no memory for certificates");
    return NULL;
}

void tls_context_close(struct tls_context *context)
{
    if (context == NULL)
        return;
    gnutls_certificate_free_credentials(context->credentials);
    free(context);
}

struct tls_context *tls_screen(const char *certificate, const char *key, char *why,
                               size_t why_bytes)
{
    struct tls_context *context = context_open(true, why, why_bytes);
    if (context == NULL)
        return NULL;
    const int result = gnutls_certificate_set_x509_key_file(context->credentials, certificate, key,
                                                            GNUTLS_X509_FMT_PEM);
    if (result >= 0)
        return context;
    snprintf(why, why_bytes, "cannot use the certificate %s with the key %s: %s", certificate, key,
             gnutls_strerror(result));
    tls_context_close(context);
    return NULL;
}

struct tls_context *tls_viewer(const char *authority, char *why, size_t why_bytes)
{
    struct tls_context *context = context_open(false, why, why_bytes);
    if (context == NULL)
        return NULL;
    const int count = gnutls_certificate_set_x509_trust_file(context->credentials, authority,
                                                             GNUTLS_X509_FMT_PEM);
    if (count > 0)
        return context;
    snprintf(why, why_bytes, "no certificate (PEM) can be read from %s: %s", authority,
             count == 0 ? "there is none" : gnutls_strerror(count));
    tls_context_close(context);
    return NULL;
}

/* ---- the wire -------------------------------------------------------------------------------- */

static ssize_t push(gnutls_transport_ptr_t pointer, const void *data, size_t bytes)
{
    struct tls *tls = pointer;
    tls->send(tls->user, data, bytes);
    return (ssize_t)bytes;
}

static ssize_t pull(gnutls_transport_ptr_t pointer, void *data, size_t bytes)
{
    struct tls *tls = pointer;
    const size_t left = tls->fed_bytes - tls->fed_at, taken = left < bytes ? left : bytes;
    if (taken == 0) {
        gnutls_transport_set_errno(tls->session, EAGAIN);
        return -1;
    }
    memcpy(data, tls->fed + tls->fed_at, taken);
    tls->fed_at += taken;
    return (ssize_t)taken;
}

/* GnuTLS asks before it pulls. */
static int pull_timeout(gnutls_transport_ptr_t pointer, unsigned ms)
{
    const struct tls *tls = pointer;
    return tls->fed_at < tls->fed_bytes;
}

bool tls_feed(struct tls *tls, const void *data, size_t bytes)
{
    if (bytes == 0)
        return true;
    const size_t left = tls->fed_bytes - tls->fed_at;
    if (tls->fed_at > 0)
        memmove(tls->fed, tls->fed + tls->fed_at, left);
    tls->fed_at = 0, tls->fed_bytes = left;
    if (tls->fed_capacity - left < bytes) {
        uint8_t *fed = realloc(tls->fed, left + bytes);
        if (fed == NULL)
            return false;
        tls->fed = fed;
        tls->fed_capacity = left + bytes;
    }
    memcpy(tls->fed + left, data, bytes);
    tls->fed_bytes += bytes;
    return true;
}

/* ---- sessions -------------------------------------------------------------------------------- */

struct tls *tls_open(struct tls_context *context,
                     void (*send)(void *user, const void *data, size_t bytes), void *user)
{
    const unsigned side = context->screen ? GNUTLS_SERVER : GNUTLS_CLIENT;
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return NULL;
    tls->send = send, tls->user = user;
    if (gnutls_init(&tls->session, side | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS) !=
        GNUTLS_E_SUCCESS) {
        free(tls);
        return NULL;
    }
    if (gnutls_set_default_priority(tls->session) != GNUTLS_E_SUCCESS ||
        gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, context->credentials) !=
            GNUTLS_E_SUCCESS) {
        tls_close(tls);
        return NULL;
    }
    if (!context->screen)
        gnutls_session_set_verify_cert(tls->session, NULL, 0);
    gnutls_transport_set_ptr(tls->session, tls);
    gnutls_transport_set_push_function(tls->session, push);
    gnutls_transport_set_pull_function(tls->session, pull);
    gnutls_transport_set_pull_timeout_function(tls->session, pull_timeout);
    gnutls_handshake_set_timeout(tls->session, GNUTLS_INDEFINITE_TIMEOUT);
    return tls;
}

void tls_close(struct tls *tls)
{
    if (tls == NULL)
        return;
    gnutls_deinit(tls->session);
    free(tls->fed);
    free(tls);
}

bool tls_ready(const struct tls *tls)
{
    return tls->ready;
}

static int result_of(long code)
{
    switch (code) {
    case GNUTLS_E_AGAIN:
    case GNUTLS_E_INTERRUPTED:
        return TLS_MORE;
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
    case GNUTLS_E_CERTIFICATE_ERROR:
        return TLS_BAD_CERTIFICATE;
    case GNUTLS_E_MEMORY_ERROR:
        return TLS_NO_MEMORY;
    default:
        return TLS_BROKEN;
    }
}

/* Whether a code is neither bytes, nor an end, nor a wish for more: a warning of the other side. */
static bool is_passing(long code)
{
    return code < 0 && result_of(code) != TLS_MORE && !gnutls_error_is_fatal((int)code);
}

/* The other side is told by an alert why its certificate is refused. */
static int shake(struct tls *tls)
{
    int code;
    do
        code = gnutls_handshake(tls->session);
    while (is_passing(code));
    if (code == GNUTLS_E_SUCCESS) {
        tls->ready = true;
        return 0;
    }
    const int result = result_of(code);
    if (result != TLS_MORE)
        gnutls_alert_send_appropriate(tls->session, code);
    return result;
}

int64_t tls_read(struct tls *tls, void *plain, size_t bytes)
{
    if (!tls->ready) {
        const int result = shake(tls);
        if (!tls->ready)
            return result;
    }
    ssize_t code;
    do
        code = gnutls_record_recv(tls->session, plain, bytes);
    while (is_passing(code));
    if (code > 0)
        return code;
    return code == 0 ? TLS_ENDED : result_of(code);
}

int tls_write(struct tls *tls, const void *plain, size_t bytes)
{
    const uint8_t *at = plain;
    while (bytes > 0) {
        const ssize_t code = gnutls_record_send(tls->session, at, bytes);
        if (is_passing(code))
            continue;
        if (code <= 0)
            return result_of(code) == TLS_MORE ? TLS_BROKEN : result_of(code);
        at += code;
        bytes -= (size_t)code;
    }
    return 0;
}
