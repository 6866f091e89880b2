/* Security of the viewer's side: passwords, VeNCrypt up to TLS, and what is refused. What TLS would
 * decrypt is fed as it is. */
#include <string.h>

#include "base/rfb/secret.h"
#include "base/tests/test.h"
#include "client/monitor/rfb/tests/wire.h"

static struct wire wire;
static struct viewer viewer;
static const uint8_t challenge[SECRET_BYTES] = "sixteen letters";

static int end(void **state)
{
    viewer_close(&viewer);
    viewer = (struct viewer){0};
    return 0;
}

/* `kinds`: a text whose characters are kinds of security. */
static void offer(const char *kinds)
{
    wire.bytes = 0;
    wire_text(&wire, RFB_VERSION);
    wire_8(&wire, (unsigned)strlen(kinds));
    wire_text(&wire, kinds);
}

static int fed(const char *password, bool tls_only)
{
    struct rfb_config config = viewer_config(&viewer);
    config.password = password;
    config.tls_only = tls_only;
    assert_true(viewer_open(&viewer, &config));
    return viewer_feed(&viewer, wire.data, wire.bytes, 0);
}

static void assert_said(size_t at, const void *data, size_t bytes)
{
    assert_true(viewer.said_bytes >= at + bytes);
    assert_memory_equal(viewer.said + at, data, bytes);
}

static void assert_answered(size_t at, const char *password)
{
    uint8_t answer[SECRET_BYTES];
    assert_true(secret_answer(password, challenge, answer));
    assert_said(at, answer, sizeof answer);
}

static void put_challenge(uint32_t result)
{
    wire_put(&wire, challenge, sizeof challenge);
    wire_32(&wire, result);
}

TEST(a_password_answers_the_challenge, NULL, end)
{
    offer("\x13\x02\x01");
    put_challenge(0);
    wire_init(&wire, 4, 3);
    assert_int_equal(fed("secret", false), 0);
    assert_true(rfb_ready(viewer.rfb));
    assert_said(12, "\x02", 1);
    assert_answered(13, "secret");
}

TEST(an_old_screen_asks_for_a_password_too, NULL, end)
{
    wire.bytes = 0;
    wire_text(&wire, "RFB 003.003\n");
    wire_32(&wire, RFB_SECURITY_VNC);
    put_challenge(0);
    wire_init(&wire, 4, 3);
    assert_int_equal(fed("secret", false), 0);
    assert_true(rfb_ready(viewer.rfb));
    assert_answered(12, "secret");
}

TEST(a_wrong_password_is_named, NULL, end)
{
    offer("\x02");
    put_challenge(1);
    wire_32(&wire, 7);
    wire_text(&wire, "go away");
    assert_int_equal(fed("secret", false), RFB_WRONG_PASSWORD);
    assert_string_equal(rfb_reason(viewer.rfb), "go away");
    end(NULL);
    memcpy(wire.data, "RFB 003.007\n", 12); /* which says no reason */
    assert_int_equal(fed("secret", false), RFB_WRONG_PASSWORD);
}

static int fault_of(const char *kinds, const char *password, bool tls_only)
{
    offer(kinds);
    const int fault = fed(password, tls_only);
    end(NULL);
    return fault;
}

TEST(a_screen_that_offers_less_or_more_than_was_asked_for_is_refused)
{
    assert_int_equal(fault_of("\x02", NULL, false), RFB_NO_SECURITY);
    assert_int_equal(fault_of("\x13", NULL, false), RFB_NO_SECURITY);
    assert_int_equal(fault_of("\x01", "secret", false), RFB_NO_SECURITY);
    assert_int_equal(fault_of("\x01\x02", NULL, true), RFB_NO_SECURITY);
    assert_int_equal(fault_of("\x01\x02", "secret", true), RFB_NO_SECURITY);
    assert_int_equal(fault_of("\x01", NULL, false), 0);
    assert_int_equal(fault_of("\x02", "secret", false), 0);
    assert_int_equal(fault_of("\x13", NULL, true), 0);
}

/* Up to the byte before TLS. */
static void offer_vencrypt(unsigned count, const uint32_t *subtypes)
{
    offer("\x02\x13\x01");
    wire_16(&wire, 2);
    wire_8(&wire, 0);
    wire_8(&wire, count);
    for (unsigned i = 0; i < count; i++)
        wire_32(&wire, subtypes[i]);
    wire_8(&wire, 1);
}

TEST(vencrypt_leads_to_tls_and_is_over_with_the_result, NULL, end)
{
    offer_vencrypt(3, (const uint32_t[]){256, RFB_X509_VNC, RFB_X509_NONE});
    wire_32(&wire, 0);
    wire_init(&wire, 4, 3);
    assert_int_equal(fed(NULL, true), 0);
    assert_int_equal(viewer.secured, 1);
    assert_true(rfb_ready(viewer.rfb));
    assert_said(12, "\x13\0\x02\0\0\x01\x04", 7);
}

TEST(a_password_goes_through_tls, NULL, end)
{
    offer_vencrypt(2, (const uint32_t[]){RFB_X509_NONE, RFB_X509_VNC});
    put_challenge(0);
    wire_init(&wire, 4, 3);
    assert_int_equal(fed("secret", true), 0);
    assert_int_equal(viewer.secured, 1);
    assert_true(rfb_ready(viewer.rfb));
    assert_said(12, "\x13\0\x02\0\0\x01\x05", 7);
    assert_answered(19, "secret");
}

/* rfb_feed must not take a byte of what is TLS. */
TEST(the_byte_after_the_last_plain_one_is_left, NULL, end)
{
    offer_vencrypt(1, (const uint32_t[]){RFB_X509_NONE});
    const size_t plain = wire.bytes;
    wire_text(&wire, "\x16\x03\x01 and so on");
    struct rfb_config config = viewer_config(&viewer);
    config.tls_only = true;
    assert_true(viewer_open(&viewer, &config));
    assert_int_equal(rfb_feed(viewer.rfb, wire.data, wire.bytes), plain);
}

static int fault_after(size_t bytes_before_end, unsigned value)
{
    offer_vencrypt(1, (const uint32_t[]){RFB_X509_NONE});
    wire.data[wire.bytes - bytes_before_end] = (uint8_t)value;
    const int fault = fed(NULL, true);
    end(NULL);
    return fault;
}

TEST(vencrypt_that_agrees_on_nothing_is_refused)
{
    offer_vencrypt(2, (const uint32_t[]){256, 257}); /* plain, and TLS without certificates */
    assert_int_equal(fed(NULL, true), RFB_NO_SECURITY);
    end(NULL);
    offer_vencrypt(1, (const uint32_t[]){RFB_X509_VNC}); /* there is no password */
    assert_int_equal(fed(NULL, true), RFB_NO_SECURITY);
    end(NULL);
    assert_int_equal(fault_after(1, 0), RFB_BAD_TLS);     /* does not begin */
    assert_int_equal(fault_after(6, 0), RFB_NO_SECURITY); /* no kinds */
    assert_int_equal(fault_after(7, 1), RFB_NO_SECURITY); /* not this version */
    assert_int_equal(fault_after(8, 1), RFB_NO_SECURITY); /* 0.1 */
}
