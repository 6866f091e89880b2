/* A screen's security: none, a password, or TLS with or without one. What is offered is what the
 * command line has given, and nothing less.
 *
 *   SECURITY --none--------------------------------------------------> INIT
 *   SECURITY --password-----------------------------------> PASSWORD -> INIT
 *   SECURITY --VeNCrypt--> VERSION -> KIND -> TLS --with--> PASSWORD -> INIT
 *                                             TLS --without-----------> INIT */
#include <string.h>

#include "mock_servers/screens/session.h"

enum { PLAIN_BYTES = 16 << 10 };

static const struct screens *screens_of(const struct session *session)
{
    return session->screen->screens;
}

static bool has_password(const struct session *session)
{
    return screens_of(session)->config->password[0] != '\0';
}

static void put_reason(struct session *session, const char *reason)
{
    session_put32(session, (uint32_t)strlen(reason));
    session_put(session, reason, strlen(reason));
}

/* The result of no security at all is said from 3.8 on. */
static void passed(struct session *session, bool says_result)
{
    if (says_result)
        session_put32(session, 0);
    session->state = SESSION_INIT;
}

/* ---- a password ------------------------------------------------------------------------------ */

static void ask_password(struct session *session)
{
    if (!secret_challenge(session->challenge)) {
        session_refuse(session, "cannot be asked for its password: there are no random numbers");
        return;
    }
    session_put(session, session->challenge, sizeof session->challenge);
    session->state = SESSION_PASSWORD;
}

static int take_password(struct session *session, const uint8_t *data, unsigned bytes)
{
    uint8_t answer[SECRET_BYTES];
    if (bytes < sizeof answer)
        return 0;
    if (secret_answer(screens_of(session)->config->password, session->challenge, answer) &&
        secret_equal(answer, data)) {
        passed(session, true);
        return sizeof answer;
    }
    screens_say(session->screen->screens, session->screen->number, "a viewer has not the password");
    session_put32(session, 1);
    if (session->minor >= 8)
        put_reason(session, "wrong password");
    session_leave(session, false);
    return sizeof answer;
}

/* ---- VeNCrypt -------------------------------------------------------------------------------- */

static const uint8_t vencrypt_version[2] = {0, 2};

static uint32_t vencrypt_kind(const struct session *session)
{
    return has_password(session) ? RFB_X509_VNC : RFB_X509_NONE;
}

static int take_vencrypt_version(struct session *session, const uint8_t *data, unsigned bytes)
{
    if (bytes < sizeof vencrypt_version)
        return 0;
    if (memcmp(data, vencrypt_version, sizeof vencrypt_version) != 0)
        return session_refuse(session, "does not speak VeNCrypt 0.2");
    const uint8_t agreed_one_kind[] = {0, 1};
    session_put(session, agreed_one_kind, sizeof agreed_one_kind);
    session_put32(session, vencrypt_kind(session));
    session->state = SESSION_VENCRYPT_KIND;
    return sizeof vencrypt_version;
}

static void add_sealed(void *user, const void *data, size_t bytes)
{
    struct session *session = user;
    buffer_put(&session->sealed, data, bytes);
}

static int take_vencrypt_kind(struct session *session, const uint8_t *data, unsigned bytes)
{
    const uint8_t begins = 1;
    if (bytes < 4)
        return 0;
    if (rfb_get32(data) != vencrypt_kind(session))
        return session_refuse(session, "chooses a kind of TLS that was not offered");
    if (bytes > 4)
        return session_refuse(session, "speaks before TLS may begin");
    session_put(session, &begins, sizeof begins);
    session->out_sealed = session->out.bytes;
    session->tls = tls_open(screens_of(session)->tls, add_sealed, session);
    if (session->tls == NULL)
        return session_refuse(session, "comes when there is no memory for TLS");
    session->state = SESSION_TLS;
    return 4;
}

/* Each thing that a viewer may choose wrongly is one line in the log. */
static int tls_failed(struct session *session, int64_t result)
{
    if (result == TLS_ENDED) {
        session_close(session, ENDED_BY_VIEWER);
        return -1;
    }
    return session_refuse(session,
                          session->state == SESSION_TLS
                              ? "breaks off TLS: it does not speak it, or does not trust the "
                                "certificate"
                              : "has sent what TLS cannot decrypt");
}

static void tls_begun(struct session *session)
{
    if (vencrypt_kind(session) == RFB_X509_VNC)
        ask_password(session);
    else
        passed(session, session->minor >= 8);
}

int security_received(struct session *session, const uint8_t *data, size_t bytes)
{
    uint8_t plain[PLAIN_BYTES];
    if (!tls_feed(session->tls, data, bytes))
        return session_refuse(session, "sends more than there is memory for");
    for (;;) {
        const int64_t result = tls_read(session->tls, plain, sizeof plain);
        if (result < 0)
            return tls_failed(session, result);
        if (session->state == SESSION_TLS && tls_ready(session->tls))
            tls_begun(session);
        if (session->state == SESSION_CLOSED)
            return -1;
        if (result == TLS_MORE)
            return 0;
        session_take(session, plain, (size_t)result);
        if (session->state == SESSION_CLOSED)
            return -1;
    }
}

void security_seal(struct session *session)
{
    struct buffer *out = &session->out;
    if (session->tls == NULL)
        return;
    const size_t plain_bytes = out->bytes - session->out_sealed;
    if (plain_bytes > 0 &&
        tls_write(session->tls, out->data + session->out_sealed, plain_bytes) != 0)
        session->sealed.failed = true;
    out->bytes = session->out_sealed;
    buffer_put(out, session->sealed.data, session->sealed.bytes);
    out->failed |= session->sealed.failed;
    session->sealed.bytes = 0;
    session->out_sealed = out->bytes;
}

void security_free(struct session *session)
{
    tls_close(session->tls);
    buffer_free(&session->sealed);
}

/* ---- which ----------------------------------------------------------------------------------- */

static enum rfb_security offered(const struct session *session)
{
    return screens_of(session)->tls != NULL ? RFB_SECURITY_VENCRYPT
           : has_password(session)          ? RFB_SECURITY_VNC
                                            : RFB_SECURITY_NONE;
}

/* RFB 3.3: the screen decides, and cannot offer VeNCrypt. */
static void decide(struct session *session)
{
    const enum rfb_security kind = offered(session);
    if (kind == RFB_SECURITY_VENCRYPT) {
        session_put32(session, RFB_SECURITY_INVALID);
        put_reason(session, "this screen needs TLS, which RFB 3.3 has not");
        session_leave(session, false);
        return;
    }
    session_put32(session, kind);
    if (kind == RFB_SECURITY_VNC)
        ask_password(session);
    else
        passed(session, false);
}

void security_offer(struct session *session)
{
    const uint8_t kinds[] = {1, (uint8_t)offered(session)};
    session->state = SESSION_SECURITY;
    if (fault_act(session, MOMENT_SECURITY))
        return;
    if (session->minor == 3)
        decide(session);
    else
        session_put(session, kinds, sizeof kinds);
}

static int take_choice(struct session *session, const uint8_t *data)
{
    const enum rfb_security kind = offered(session);
    if (data[0] != kind)
        return session_refuse(session, "chooses a kind of security that was not offered");
    if (kind == RFB_SECURITY_VENCRYPT) {
        session_put(session, vencrypt_version, sizeof vencrypt_version);
        session->state = SESSION_VENCRYPT_VERSION;
    } else if (kind == RFB_SECURITY_VNC) {
        ask_password(session);
    } else {
        passed(session, session->minor >= 8);
    }
    return session->state == SESSION_CLOSED ? -1 : 1;
}

int security_take(struct session *session, const uint8_t *data, unsigned bytes)
{
    switch (session->state) {
    case SESSION_SECURITY:
        return take_choice(session, data);
    case SESSION_PASSWORD:
        return take_password(session, data, bytes);
    case SESSION_VENCRYPT_VERSION:
        return take_vencrypt_version(session, data, bytes);
    case SESSION_VENCRYPT_KIND:
        return take_vencrypt_kind(session, data, bytes);
    default:
        return 0;
    }
}
