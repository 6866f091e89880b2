/* Every allocation of a connection fails once, in turn: it ends for want of memory, and nothing of
 * it is left. */
#include "base/tests/failing_memory.h"

#include <string.h>

#include "base/rfb/jpeg.h"
#include "base/tests/test.h"
#include "client/monitor/rfb/tests/wire.h"

static struct wire wire;
static struct viewer viewer;

static void deflated_put(const void *data, size_t bytes, bool compact)
{
    static uint8_t deflated[65536];
    z_stream stream = {0};
    assert_int_equal(deflateInit(&stream, 6), Z_OK);
    const size_t length = wire_deflate(&stream, data, bytes, deflated, sizeof deflated);
    deflateEnd(&stream);
    if (compact)
        wire_compact(&wire, length);
    else
        wire_32(&wire, (uint32_t)length);
    wire_put(&wire, deflated, length);
}

/* What allocates: the handshake's picture, each stream of Tight, a JPEG that is cut, a tile that is
 * cut. */
static void wire_write(void)
{
    static uint8_t zeros[32 * 32 * 3], tile[1 + 64 * 64 * 3];
    static uint32_t pixels[64 * 64];
    size_t bytes;
    wire_begin(&wire);
    wire_update(&wire, 6);
    for (unsigned i = 0; i < 4; i++) {
        wire_rectangle(&wire, 0, 0, 32, 32, RFB_TIGHT);
        wire_8(&wire, i << 4);
        deflated_put(zeros, sizeof zeros, true);
    }
    wire_rectangle(&wire, 0, 0, 64, 64, RFB_ZRLE);
    for (unsigned i = 1; i < sizeof tile; i++)
        tile[i] = (uint8_t)(i * i >> 5);
    deflated_put(tile, sizeof tile, false);
    wire_rectangle(&wire, 0, 0, 64, 64, RFB_TIGHT);
    wire_8(&wire, 0x90);
    struct jpeg *jpeg = jpeg_open();
    const struct rfb_picture picture = {pixels, 64, 64, 64};
    const uint8_t *data = jpeg_encode(jpeg, &picture, rfb_box_all(&picture), 50, &bytes);
    wire_compact(&wire, bytes);
    wire_put(&wire, data, bytes);
    jpeg_close(jpeg);
}

/* 0, or the fault; RFB_NO_MEMORY also where it could not be opened. The pieces' own copies are not
 * counted. */
static int live(void)
{
    if (!viewer_open(&viewer, NULL))
        return RFB_NO_MEMORY;
    int fault = 0;
    for (size_t at = 0; at < wire.bytes && fault == 0; at += 100) {
        const size_t part = wire.bytes - at < 100 ? wire.bytes - at : 100;
        const int64_t taken = rfb_feed(viewer.rfb, wire.data + at, part);
        fault = taken < 0 ? (int)taken : 0;
    }
    return fault;
}

TEST(every_allocation_fails_once)
{
    unsigned failures = 0;
    wire_write();
    for (int allocation = 0;; allocation++, failures++) {
        atomic_store(&allocation_failed, false);
        atomic_store(&allocations_left, allocation);
        const int fault = live();
        atomic_store(&allocations_left, -1);
        viewer_close(&viewer);
        if (!atomic_load(&allocation_failed)) {
            assert_int_equal(fault, 0);
            break;
        }
        assert_int_equal(fault, RFB_NO_MEMORY);
    }
    assert_true(failures >= 12); /* each place that allocates is reached */
}
