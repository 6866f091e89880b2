/* Certificates for tests, by GnuTLS. */
#include "base/rfb/tests/certificates.h"

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(call)                                                                                \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fprintf(stderr, "%s failed\n", #call);                                                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { DAY_S = 86400 };

static gnutls_x509_privkey_t key_make(gnutls_pk_algorithm_t algorithm, unsigned bits)
{
    gnutls_x509_privkey_t key;
    CHECK(gnutls_x509_privkey_init(&key));
    CHECK(gnutls_x509_privkey_generate(key, algorithm, bits, 0));
    return key;
}

static gnutls_x509_privkey_t curve_make(void)
{
    return key_make(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
}

static gnutls_x509_crt_t certificate_make(gnutls_x509_privkey_t key, const char *name,
                                          bool is_authority, time_t begins, time_t ends)
{
    static unsigned char serial;
    gnutls_x509_crt_t made;
    serial++;
    CHECK(gnutls_x509_crt_init(&made));
    CHECK(gnutls_x509_crt_set_version(made, 3));
    CHECK(gnutls_x509_crt_set_serial(made, &serial, sizeof serial));
    CHECK(gnutls_x509_crt_set_activation_time(made, begins));
    CHECK(gnutls_x509_crt_set_expiration_time(made, ends));
    CHECK(gnutls_x509_crt_set_dn_by_oid(made, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                        (unsigned)strlen(name)));
    CHECK(gnutls_x509_crt_set_key(made, key));
    CHECK(gnutls_x509_crt_set_basic_constraints(made, is_authority, -1));
    CHECK(gnutls_x509_crt_set_key_usage(made, is_authority ? GNUTLS_KEY_KEY_CERT_SIGN
                                                           : GNUTLS_KEY_DIGITAL_SIGNATURE |
                                                                 GNUTLS_KEY_KEY_ENCIPHERMENT));
    return made;
}

static void write_file(const char *path, const gnutls_datum_t *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(text->data, text->size, 1, file) != 1 || fclose(file) != 0)
        abort();
}

static void write_certificate(const char *path, gnutls_x509_crt_t certificate)
{
    gnutls_datum_t text;
    CHECK(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text));
    write_file(path, &text);
    gnutls_free(text.data);
}

static void sign(gnutls_x509_crt_t certificate, gnutls_x509_crt_t by, gnutls_x509_privkey_t key)
{
    CHECK(gnutls_x509_crt_sign2(certificate, by, key, GNUTLS_DIG_SHA256, 0));
}

void certificates_make(struct certificates *made)
{
    const time_t now = time(NULL);
    strcpy(made->folder, "/tmp/fanin-certificates-XXXXXX");
    if (mkdtemp(made->folder) == NULL)
        abort();
    snprintf(made->authority, sizeof made->authority, "%s/authority.pem", made->folder);
    snprintf(made->other_authority, sizeof made->other_authority, "%s/other.pem", made->folder);
    snprintf(made->screen, sizeof made->screen, "%s/screen.pem", made->folder);
    snprintf(made->screen_key, sizeof made->screen_key, "%s/screen.key", made->folder);
    snprintf(made->late, sizeof made->late, "%s/late.pem", made->folder);
    gnutls_x509_privkey_t authority_key = curve_make(), other_key = curve_make();
    gnutls_x509_privkey_t key = key_make(GNUTLS_PK_RSA, 2048); /* x11vnc takes no other */
    gnutls_x509_crt_t authority =
        certificate_make(authority_key, "authority", true, now - 9 * DAY_S, now + DAY_S);
    gnutls_x509_crt_t other =
        certificate_make(other_key, "other", true, now - 9 * DAY_S, now + DAY_S);
    gnutls_x509_crt_t screen = certificate_make(key, "screen", false, now - DAY_S, now + DAY_S);
    gnutls_x509_crt_t late = certificate_make(key, "late", false, now - 3 * DAY_S, now - 2 * DAY_S);
    sign(authority, authority, authority_key), sign(other, other, other_key);
    sign(screen, authority, authority_key), sign(late, authority, authority_key);
    write_certificate(made->authority, authority), write_certificate(made->other_authority, other);
    write_certificate(made->screen, screen), write_certificate(made->late, late);
    gnutls_datum_t text;
    CHECK(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text));
    write_file(made->screen_key, &text);
    gnutls_free(text.data);
    gnutls_x509_crt_deinit(authority), gnutls_x509_crt_deinit(other);
    gnutls_x509_crt_deinit(screen), gnutls_x509_crt_deinit(late);
    gnutls_x509_privkey_deinit(authority_key), gnutls_x509_privkey_deinit(other_key);
    gnutls_x509_privkey_deinit(key);
}

void certificates_remove(const struct certificates *made)
{
    unlink(made->authority), unlink(made->other_authority);
    unlink(made->screen), unlink(made->screen_key), unlink(made->late);
    rmdir(made->folder);
}
