/* The handshake: version, security, result, the first size. Servers of 3.3, 3.7 and 3.8. */
#include "client/monitor/rfb/machine.h"

#include <string.h>

#include "base/json.h"
#include "base/rfb/secret.h"

/* A name or reason for terminals, titles and JSON: neither controls nor broken UTF-8. */
static void printable_make(char *text)
{
    for (size_t bytes; *text != '\0'; text += bytes) {
        bytes = utf8_bytes(text);
        if (bytes == 0 || (unsigned char)*text < ' ' || *text == 0x7f) {
            *text = '?';
            bytes = 1;
        }
    }
}

/* ---- why not ------------------------------------------------------------------------------ */

static int reason_end(struct rfb *rfb)
{
    printable_make(rfb->reason);
    return rfb->refusal;
}

static int reason_length(struct rfb *rfb, const uint8_t *data)
{
    return rfb_expect_text(rfb, rfb_get32(data), rfb->reason, RFB_REASON_MAX, reason_end);
}

static int refused(struct rfb *rfb, int fault)
{
    rfb->refusal = fault;
    return rfb_expect(rfb, 4, reason_length);
}

/* ---- after security: the result, the picture ---------------------------------------------- */

static void format_say(struct rfb *rfb)
{
    static const uint8_t format[RFB_FORMAT_BYTES] = RFB_FORMAT;
    uint8_t message[4 + RFB_FORMAT_BYTES] = {RFB_SET_PIXEL_FORMAT};
    memcpy(message + 4, format, sizeof format);
    rfb_say(rfb, message, sizeof message);
}

static void encodings_say(struct rfb *rfb)
{
    uint8_t head[4] = {RFB_SET_ENCODINGS}, number[4];
    rfb_put16(head + 2, rfb->config.encoding_count);
    rfb_say(rfb, head, sizeof head);
    for (unsigned i = 0; i < rfb->config.encoding_count; i++) {
        rfb_put32(number, (uint32_t)rfb->config.encodings[i]);
        rfb_say(rfb, number, sizeof number);
    }
}

static int name_end(struct rfb *rfb)
{
    printable_make(rfb->name);
    format_say(rfb);
    encodings_say(rfb);
    rfb->ready = true;
    const int fault = rfb_size(rfb, rfb->size_width, rfb->size_height);
    return fault != 0 ? fault : rfb_messages(rfb);
}

/* Its own format does not matter: ours is said before anything is asked for. */
static int server_init(struct rfb *rfb, const uint8_t *data)
{
    rfb->size_width = rfb_get16(data);
    rfb->size_height = rfb_get16(data + 2);
    const uint64_t pixels = (uint64_t)rfb->size_width * rfb->size_height;
    if (pixels == 0 || pixels > rfb->config.pixels_max)
        return RFB_BAD_SIZE;
    return rfb_expect_text(rfb, rfb_get32(data + 20), rfb->name, RFB_NAME_MAX, name_end);
}

static int client_init(struct rfb *rfb)
{
    const uint8_t shared = rfb->config.shared;
    rfb_say(rfb, &shared, 1);
    return rfb_expect(rfb, 24, server_init);
}

/* Only 3.8 says why. */
static int result(struct rfb *rfb, const uint8_t *data)
{
    if (rfb_get32(data) == 0)
        return client_init(rfb);
    return rfb->minor >= 8 ? refused(rfb, RFB_REFUSED) : RFB_REFUSED;
}

static int nothing_asked(struct rfb *rfb)
{
    return rfb->minor >= 8 ? rfb_expect(rfb, 4, result) : client_init(rfb);
}

/* ---- a password ---------------------------------------------------------------------------- */

static int password_result(struct rfb *rfb, const uint8_t *data)
{
    if (rfb_get32(data) == 0)
        return client_init(rfb);
    return rfb->minor >= 8 ? refused(rfb, RFB_WRONG_PASSWORD) : RFB_WRONG_PASSWORD;
}

static int challenge(struct rfb *rfb, const uint8_t *data)
{
    uint8_t answer[SECRET_BYTES];
    if (!secret_answer(rfb->config.password, data, answer))
        return RFB_NO_SECURITY;
    rfb_say(rfb, answer, sizeof answer);
    return rfb_expect(rfb, 4, password_result);
}

/* ---- VeNCrypt: its version, its kinds, then TLS -------------------------------------------- */

static int encrypted(struct rfb *rfb, const uint8_t *data)
{
    if (*data != 1)
        return RFB_BAD_TLS;
    rfb->secured = true;
    rfb->config.hooks->secure(rfb->config.context);
    return rfb->subtype == RFB_X509_VNC ? rfb_expect(rfb, SECRET_BYTES, challenge)
                                        : rfb_expect(rfb, 4, result);
}

static bool lists(const struct rfb *rfb, const uint8_t *data, uint32_t subtype)
{
    for (size_t at = 0; at < rfb->need; at += 4)
        if (rfb_get32(data + at) == subtype)
            return true;
    return false;
}

/* A password that was given is used where the screen takes one. */
static int subtype_list(struct rfb *rfb, const uint8_t *data)
{
    if (rfb->config.password != NULL && lists(rfb, data, RFB_X509_VNC))
        rfb->subtype = RFB_X509_VNC;
    else if (lists(rfb, data, RFB_X509_NONE))
        rfb->subtype = RFB_X509_NONE;
    else
        return RFB_NO_SECURITY;
    uint8_t chosen[4];
    rfb_put32(chosen, rfb->subtype);
    rfb_say(rfb, chosen, sizeof chosen);
    return rfb_expect(rfb, 1, encrypted);
}

static int subtype_count(struct rfb *rfb, const uint8_t *data)
{
    return *data == 0 ? RFB_NO_SECURITY : rfb_expect(rfb, (size_t)*data * 4, subtype_list);
}

static int vencrypt_agreed(struct rfb *rfb, const uint8_t *data)
{
    return *data != 0 ? RFB_NO_SECURITY : rfb_expect(rfb, 1, subtype_count);
}

static int vencrypt_version(struct rfb *rfb, const uint8_t *data)
{
    static const uint8_t ours[2] = {0, 2};
    if (rfb_get16(data) < rfb_get16(ours))
        return RFB_NO_SECURITY;
    rfb_say(rfb, ours, sizeof ours);
    return rfb_expect(rfb, 1, vencrypt_agreed);
}

/* ---- security ----------------------------------------------------------------------------- */

/* With a password a screen without one is refused: it may be another's. */
static bool allowed(const struct rfb *rfb, unsigned type)
{
    const struct rfb_config *config = &rfb->config;
    switch (type) {
    case RFB_SECURITY_VENCRYPT:
        return config->tls_only && config->hooks->secure != NULL;
    case RFB_SECURITY_VNC:
        return config->password != NULL && !config->tls_only;
    default:
        return type == RFB_SECURITY_NONE && config->password == NULL && !config->tls_only;
    }
}

static int security_begin(struct rfb *rfb, unsigned type)
{
    if (type == RFB_SECURITY_VENCRYPT)
        return rfb_expect(rfb, 2, vencrypt_version);
    return type == RFB_SECURITY_VNC ? rfb_expect(rfb, SECRET_BYTES, challenge) : nothing_asked(rfb);
}

/* 3.7 and later: the screen lists, the viewer chooses. */
static int security_list(struct rfb *rfb, const uint8_t *data)
{
    static const uint8_t best_first[] = {RFB_SECURITY_VENCRYPT, RFB_SECURITY_VNC,
                                         RFB_SECURITY_NONE};
    for (size_t i = 0; i < sizeof best_first; i++)
        if (allowed(rfb, best_first[i]) && memchr(data, best_first[i], rfb->need) != NULL) {
            rfb_say(rfb, &best_first[i], 1);
            return security_begin(rfb, best_first[i]);
        }
    return RFB_NO_SECURITY;
}

static int security_count(struct rfb *rfb, const uint8_t *data)
{
    return *data == 0 ? refused(rfb, RFB_REFUSED) : rfb_expect(rfb, *data, security_list);
}

/* 3.3: the screen decides. */
static int security_decided(struct rfb *rfb, const uint8_t *data)
{
    const uint32_t type = rfb_get32(data);
    if (type == RFB_SECURITY_INVALID)
        return refused(rfb, RFB_REFUSED);
    return type < RFB_SECURITY_VENCRYPT && allowed(rfb, type) ? security_begin(rfb, type)
                                                              : RFB_NO_SECURITY;
}

/* ---- version ------------------------------------------------------------------------------ */

/* "RFB 003.008\n": three digits, twice. */
static int number_read(const uint8_t *digits)
{
    int number = 0;
    for (int i = 0; i < 3; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return -1;
        number = number * 10 + digits[i] - '0';
    }
    return number;
}

static int version(struct rfb *rfb, const uint8_t *data)
{
    const int major = number_read(data + 4), minor = number_read(data + 8);
    if (memcmp(data, "RFB ", 4) != 0 || data[7] != '.' || data[11] != '\n' || minor < 0 ||
        major < 3 || (major == 3 && minor < 3))
        return RFB_BAD_VERSION;
    rfb->minor = major > 3 || minor >= 8 ? 8 : minor == 7 ? 7 : 3;
    char ours[] = RFB_VERSION;
    ours[10] = (char)('0' + rfb->minor);
    rfb_say(rfb, ours, RFB_VERSION_BYTES);
    return rfb->minor == 3 ? rfb_expect(rfb, 4, security_decided)
                           : rfb_expect(rfb, 1, security_count);
}

int rfb_handshake(struct rfb *rfb)
{
    return rfb_expect(rfb, RFB_VERSION_BYTES, version);
}
