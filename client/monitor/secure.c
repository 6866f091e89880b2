/* TLS between a screen and its machine. A session is used by one thread at a time, but a worker
 * decrypts while another one sends input: both hold the screen's lock. */
#include "base/rfb/tls.h"
#include "client/monitor/monitor.h"

enum { PLAIN_BYTES = 16 << 10 };

bool secure_open(struct monitor *monitor, char *why, size_t why_bytes)
{
    const char *authority = monitor->options->tls_authority;
    if (monitor->options->security != SECURITY_TLS)
        return true;
    monitor->tls = tls_viewer(authority, why, why_bytes);
    return monitor->tls != NULL;
}

/* Under the screen's lock, as all calls of the session. */
static void wire(void *context, const void *data, size_t bytes)
{
    send_append(context, data, bytes);
}

void secure_begin(struct screen *screen)
{
    pthread_mutex_lock(&screen->lock);
    screen->tls = tls_open(screen->monitor->tls, wire, screen);
    pthread_mutex_unlock(&screen->lock);
}

bool secure_append(struct screen *screen, const void *data, size_t bytes)
{
    return tls_write(screen->tls, data, bytes) == 0;
}

void secure_free(struct screen *screen)
{
    tls_close(screen->tls);
}

static int64_t decrypt(struct screen *screen, uint8_t *plain, size_t room)
{
    pthread_mutex_lock(&screen->lock);
    const int64_t result = tls_read(screen->tls, plain, room);
    pthread_mutex_unlock(&screen->lock);
    send_bytes(screen, NULL, 0); /* what the handshake has written */
    return result;
}

static const char *cause_of(int64_t result)
{
    switch (result) {
    case TLS_ENDED:
        return CAUSE_CLOSED;
    case TLS_BAD_CERTIFICATE:
        return rfb_fault_name(RFB_BAD_CERTIFICATE);
    case TLS_NO_MEMORY:
        return rfb_fault_name(RFB_NO_MEMORY);
    default:
        return rfb_fault_name(RFB_BAD_TLS);
    }
}

static const char *feed_cipher(struct screen *screen, const uint8_t *data, size_t bytes)
{
    uint8_t plain[PLAIN_BYTES];
    pthread_mutex_lock(&screen->lock);
    const bool fed = tls_feed(screen->tls, data, bytes);
    pthread_mutex_unlock(&screen->lock);
    if (!fed)
        return rfb_fault_name(RFB_NO_MEMORY);
    for (;;) {
        const int64_t result = decrypt(screen, plain, sizeof plain);
        if (result == TLS_MORE)
            return NULL;
        if (result < 0)
            return cause_of(result);
        const int64_t taken = rfb_feed(screen->rfb, plain, (size_t)result);
        if (taken < 0)
            return rfb_fault_name((int)taken);
    }
}

/* The machine leaves what follows the last plain byte. A viewer speaks first in TLS. */
const char *secure_feed(struct screen *screen, const uint8_t *data, size_t bytes)
{
    if (screen->tls != NULL)
        return feed_cipher(screen, data, bytes);
    const int64_t taken = rfb_feed(screen->rfb, data, bytes);
    if (taken < 0)
        return rfb_fault_name((int)taken);
    if (screen->tls != NULL)
        return feed_cipher(screen, data + taken, bytes - (size_t)taken);
    return (size_t)taken == bytes ? NULL : rfb_fault_name(RFB_NO_MEMORY);
}
