/* TLS over buffers: two sides in memory, with bytes cut anywhere, lost or changed. */
#include <stdlib.h>
#include <string.h>

#include "base/rfb/tests/certificates.h"
#include "base/rfb/tls.h"
#include "base/tests/test.h"

enum { WIRE_BYTES = 1 << 20 };

/* One direction of the wire. */
struct wire {
    uint8_t *bytes;
    size_t count;
};

struct sides {
    struct tls_context *screen_context, *viewer_context;
    struct tls *screen, *viewer;
    struct wire to_screen, to_viewer;
};

static struct certificates made;

static int make(void **state)
{
    certificates_make(&made);
    return 0;
}

static int drop(void **state)
{
    certificates_remove(&made);
    return 0;
}

static void wire_put(void *user, const void *data, size_t bytes)
{
    struct wire *wire = user;
    assert_true(WIRE_BYTES - wire->count >= bytes);
    memcpy(wire->bytes + wire->count, data, bytes);
    wire->count += bytes;
}

static struct sides sides_of(const char *certificate, const char *authority)
{
    char why[256] = "";
    struct sides sides = {.to_screen = {malloc(WIRE_BYTES), 0},
                          .to_viewer = {malloc(WIRE_BYTES), 0}};
    sides.screen_context = tls_screen(certificate, made.screen_key, why, sizeof why);
    if (sides.screen_context == NULL)
        fail_msg("%s", why);
    sides.viewer_context = tls_viewer(authority, why, sizeof why);
    if (sides.viewer_context == NULL)
        fail_msg("%s", why);
    return sides;
}

/* Sessions name the sides' wires: they are opened once those are in place. */
static void sides_open(struct sides *sides)
{
    sides->screen = tls_open(sides->screen_context, wire_put, &sides->to_viewer);
    sides->viewer = tls_open(sides->viewer_context, wire_put, &sides->to_screen);
    assert_true(sides->screen != NULL && sides->viewer != NULL);
}

static void sides_close(struct sides *sides)
{
    tls_close(sides->screen), tls_close(sides->viewer);
    tls_context_close(sides->screen_context), tls_context_close(sides->viewer_context);
    free(sides->to_screen.bytes), free(sides->to_viewer.bytes);
}

/* Feeds up to `piece` bytes of the wire and reads what they give: how many bytes, or a result. */
static int64_t pump(struct tls *tls, struct wire *wire, size_t piece, uint8_t *plain, size_t room)
{
    const size_t bytes = wire->count < piece ? wire->count : piece;
    size_t read = 0;
    assert_true(tls_feed(tls, wire->bytes, bytes));
    memmove(wire->bytes, wire->bytes + bytes, wire->count - bytes);
    wire->count -= bytes;
    for (;;) {
        const int64_t result = tls_read(tls, plain + read, room - read);
        if (result < 0)
            return result;
        if (result == TLS_MORE)
            return (int64_t)read;
        read += (size_t)result;
    }
}

/* Until both are ready, or one of them has failed. */
static int64_t shake(struct sides *sides, size_t piece)
{
    uint8_t none[64];
    int64_t result = pump(sides->viewer, &sides->to_viewer, piece, none, sizeof none);
    for (unsigned i = 0; i < 100000 && result == 0; i++) {
        if (tls_ready(sides->screen) && tls_ready(sides->viewer))
            return 0;
        result = pump(sides->screen, &sides->to_screen, piece, none, sizeof none);
        if (result == 0)
            result = pump(sides->viewer, &sides->to_viewer, piece, none, sizeof none);
    }
    return result;
}

static void fill(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

static void carries_bytes(size_t piece)
{
    enum { BYTES = 100000 };
    static uint8_t plain[BYTES], read[BYTES + 1]; /* room for more: never asked for none */
    struct sides sides = sides_of(made.screen, made.authority);
    sides_open(&sides);
    assert_int_equal(shake(&sides, piece), 0);
    fill(plain, sizeof plain);
    assert_int_equal(tls_write(sides.screen, plain, sizeof plain), 0);
    assert_true(sides.to_viewer.count > sizeof plain);
    assert_null(memmem(sides.to_viewer.bytes, sides.to_viewer.count, plain, 100));
    size_t got = 0;
    while (sides.to_viewer.count > 0) {
        const int64_t result =
            pump(sides.viewer, &sides.to_viewer, piece, read + got, sizeof read - got);
        assert_true(result >= 0);
        got += (size_t)result;
        if (got == sizeof plain)
            break;
    }
    assert_int_equal(got, sizeof plain);
    assert_memory_equal(plain, read, sizeof plain);
    sides_close(&sides);
}

TEST(bytes_come_as_they_went_wherever_the_wire_cuts)
{
    carries_bytes(SIZE_MAX);
    carries_bytes(1000);
    carries_bytes(7);
    carries_bytes(1);
}

TEST(a_certificate_of_another_authority_is_refused)
{
    struct sides sides = sides_of(made.screen, made.other_authority);
    sides_open(&sides);
    assert_int_equal(shake(&sides, SIZE_MAX), TLS_BAD_CERTIFICATE);
    assert_false(tls_ready(sides.viewer));
    sides_close(&sides);
}

TEST(a_certificate_whose_time_is_over_is_refused)
{
    struct sides sides = sides_of(made.late, made.authority);
    sides_open(&sides);
    assert_int_equal(shake(&sides, SIZE_MAX), TLS_BAD_CERTIFICATE);
    sides_close(&sides);
}

TEST(who_speaks_no_tls_is_told_from_who_does)
{
    static const char plain[] = "RFB 003.008\nand so on and so on and so on";
    uint8_t read[64];
    struct sides sides = sides_of(made.screen, made.authority);
    sides_open(&sides);
    wire_put(&sides.to_screen, plain, sizeof plain);
    wire_put(&sides.to_viewer, plain, sizeof plain);
    assert_int_equal(pump(sides.screen, &sides.to_screen, SIZE_MAX, read, sizeof read), TLS_BROKEN);
    assert_int_equal(pump(sides.viewer, &sides.to_viewer, SIZE_MAX, read, sizeof read), TLS_BROKEN);
    sides_close(&sides);
}

TEST(bytes_that_were_changed_on_the_way_break_it)
{
    uint8_t plain[3000], read[3000];
    struct sides sides = sides_of(made.screen, made.authority);
    sides_open(&sides);
    assert_int_equal(shake(&sides, SIZE_MAX), 0);
    fill(plain, sizeof plain);
    sides.to_viewer.count = 0;
    assert_int_equal(tls_write(sides.screen, plain, sizeof plain), 0);
    sides.to_viewer.bytes[sides.to_viewer.count / 2] ^= 1;
    assert_int_equal(pump(sides.viewer, &sides.to_viewer, SIZE_MAX, read, sizeof read), TLS_BROKEN);
    sides_close(&sides);
}

TEST(files_that_are_no_certificates_are_named)
{
    char why[256] = "";
    assert_null(tls_viewer("/nowhere/authority.pem", why, sizeof why));
    assert_non_null(strstr(why, "/nowhere/authority.pem"));
    assert_null(tls_viewer(made.screen_key, why, sizeof why));
    assert_non_null(strstr(why, made.screen_key));
    assert_null(tls_screen(made.authority, made.screen_key, why, sizeof why)); /* not its key */
    assert_non_null(strstr(why, made.authority));
    assert_null(tls_screen(made.screen, "/nowhere/key", why, sizeof why));
    assert_non_null(strstr(why, "/nowhere/key"));
}

int main(void)
{
    return tests_run(make, drop);
}
