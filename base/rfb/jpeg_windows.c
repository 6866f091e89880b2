/* JPEG by WIC, Windows' own library of images. */
#define COBJMACROS
#define INITGUID
#include <windows.h>

#include <objbase.h>
#include <wincodec.h>

#include <stdlib.h>
#include <string.h>

#include "base/rfb/jpeg.h"

enum { BYTES_A_PIXEL = 3 }; /* that WIC's JPEG takes: blue, green, red */

struct jpeg {
    IWICImagingFactory *factory;
    CO_MTA_USAGE_COOKIE apartment;
    uint8_t *rows; /* the encoder's input */
    size_t rows_bytes;
    uint8_t *buffer; /* its output */
    size_t buffer_bytes;
};

/* COM stays open while there is a jpeg, for whatever thread uses it. */
struct jpeg *jpeg_open(void)
{
    struct jpeg *jpeg = calloc(1, sizeof *jpeg);
    if (jpeg == NULL)
        return NULL;
    if (SUCCEEDED(CoIncrementMTAUsage(&jpeg->apartment)) &&
        SUCCEEDED(CoCreateInstance(&CLSID_WICImagingFactory, NULL, CLSCTX_INPROC_SERVER,
                                   &IID_IWICImagingFactory, (void **)&jpeg->factory)))
        return jpeg;
    jpeg_close(jpeg);
    return NULL;
}

void jpeg_close(struct jpeg *jpeg)
{
    if (jpeg == NULL)
        return;
    if (jpeg->factory != NULL)
        IWICImagingFactory_Release(jpeg->factory);
    if (jpeg->apartment != NULL)
        CoDecrementMTAUsage(jpeg->apartment);
    free(jpeg->rows);
    free(jpeg->buffer);
    free(jpeg);
}

static bool make_room(uint8_t **memory, size_t *has, size_t bytes)
{
    if (bytes <= *has)
        return true;
    uint8_t *longer = realloc(*memory, bytes);
    if (longer == NULL)
        return false;
    *memory = longer;
    *has = bytes;
    return true;
}

/* ---- encoding ------------------------------------------------------------------------------ */

static size_t row_bytes(unsigned width)
{
    return ((size_t)width * BYTES_A_PIXEL + 3) / 4 * 4;
}

static bool take_rows(struct jpeg *jpeg, const struct rfb_picture *picture, struct rfb_box box)
{
    size_t stride = row_bytes(box.width);
    if (!make_room(&jpeg->rows, &jpeg->rows_bytes, stride * box.height))
        return false;
    for (unsigned y = 0; y < box.height; y++) {
        const uint32_t *from = picture->pixels + (size_t)(box.y + y) * picture->stride + box.x;
        uint8_t *to = jpeg->rows + y * stride;
        for (unsigned x = 0; x < box.width; x++, to += BYTES_A_PIXEL) {
            to[0] = (uint8_t)from[x];
            to[1] = (uint8_t)(from[x] >> 8);
            to[2] = (uint8_t)(from[x] >> 16);
        }
    }
    return true;
}

static void set_quality(IPropertyBag2 *options, int quality)
{
    static wchar_t quality_name[] = L"ImageQuality", sampling_name[] = L"JpegYCrCbSubsampling";
    PROPBAG2 names[2] = {{.pstrName = quality_name}, {.pstrName = sampling_name}};
    VARIANT values[2] = {0};
    values[0].vt = VT_R4;
    values[0].fltVal = (float)quality / 100;
    values[1].vt = VT_UI1;
    values[1].bVal = WICJpegYCrCbSubsampling420;
    IPropertyBag2_Write(options, 1, &names[0], &values[0]);
    IPropertyBag2_Write(options, 1, &names[1], &values[1]);
}

static bool write_frame(struct jpeg *jpeg, IWICBitmapFrameEncode *frame, IPropertyBag2 *options,
                        struct rfb_box box, int quality)
{
    WICPixelFormatGUID format = GUID_WICPixelFormat24bppBGR;
    size_t stride = row_bytes(box.width);
    if (options != NULL)
        set_quality(options, quality);
    return SUCCEEDED(IWICBitmapFrameEncode_Initialize(frame, options)) &&
           SUCCEEDED(IWICBitmapFrameEncode_SetSize(frame, box.width, box.height)) &&
           SUCCEEDED(IWICBitmapFrameEncode_SetPixelFormat(frame, &format)) &&
           IsEqualGUID(&format, &GUID_WICPixelFormat24bppBGR) &&
           SUCCEEDED(IWICBitmapFrameEncode_WritePixels(frame, box.height, (UINT)stride,
                                                       (UINT)(stride * box.height), jpeg->rows)) &&
           SUCCEEDED(IWICBitmapFrameEncode_Commit(frame));
}

static bool write_stream(struct jpeg *jpeg, IStream *stream, struct rfb_box box, int quality)
{
    IWICBitmapEncoder *encoder = NULL;
    IWICBitmapFrameEncode *frame = NULL;
    IPropertyBag2 *options = NULL;
    if (FAILED(IWICImagingFactory_CreateEncoder(jpeg->factory, &GUID_ContainerFormatJpeg, NULL,
                                                &encoder)))
        return false;
    bool done = SUCCEEDED(IWICBitmapEncoder_Initialize(encoder, stream, WICBitmapEncoderNoCache)) &&
                SUCCEEDED(IWICBitmapEncoder_CreateNewFrame(encoder, &frame, &options)) &&
                write_frame(jpeg, frame, options, box, quality) &&
                SUCCEEDED(IWICBitmapEncoder_Commit(encoder));
    if (options != NULL)
        IPropertyBag2_Release(options);
    if (frame != NULL)
        IWICBitmapFrameEncode_Release(frame);
    IWICBitmapEncoder_Release(encoder);
    return done;
}

static bool read_stream(struct jpeg *jpeg, IStream *stream, size_t *bytes)
{
    const LARGE_INTEGER begin = {.QuadPart = 0};
    ULARGE_INTEGER end;
    ULONG got = 0;
    if (FAILED(IStream_Seek(stream, begin, STREAM_SEEK_CUR, &end)) ||
        FAILED(IStream_Seek(stream, begin, STREAM_SEEK_SET, NULL)) ||
        !make_room(&jpeg->buffer, &jpeg->buffer_bytes, (size_t)end.QuadPart) ||
        FAILED(IStream_Read(stream, jpeg->buffer, (ULONG)end.QuadPart, &got)))
        return false;
    *bytes = got;
    return got > 0 && got == end.QuadPart;
}

const uint8_t *jpeg_encode(struct jpeg *jpeg, const struct rfb_picture *picture, struct rfb_box box,
                           int quality, size_t *bytes)
{
    IStream *stream = NULL;
    *bytes = 0;
    if (!take_rows(jpeg, picture, box) || FAILED(CreateStreamOnHGlobal(NULL, TRUE, &stream)))
        return NULL;
    bool done = write_stream(jpeg, stream, box, quality) && read_stream(jpeg, stream, bytes);
    IStream_Release(stream);
    return done ? jpeg->buffer : NULL;
}

/* ---- decoding ------------------------------------------------------------------------------ */

static bool paint_frame(struct jpeg *jpeg, IWICBitmapFrameDecode *frame,
                        const struct rfb_picture *picture, struct rfb_box box)
{
    UINT width = 0, height = 0;
    IWICBitmapFrameDecode_GetSize(frame, &width, &height);
    if (width != box.width || height != box.height || width == 0 || height == 0)
        return false;
    IWICFormatConverter *converter = NULL;
    if (FAILED(IWICImagingFactory_CreateFormatConverter(jpeg->factory, &converter)))
        return false;
    size_t stride = picture->stride * sizeof *picture->pixels;
    size_t bytes = stride * (height - 1) + width * sizeof *picture->pixels;
    uint32_t *to = picture->pixels + (size_t)box.y * picture->stride + box.x;
    bool done = SUCCEEDED(IWICFormatConverter_Initialize(
                    converter, (IWICBitmapSource *)frame, &GUID_WICPixelFormat32bppBGR,
                    WICBitmapDitherTypeNone, NULL, 0, WICBitmapPaletteTypeCustom)) &&
                SUCCEEDED(IWICFormatConverter_CopyPixels(converter, NULL, (UINT)stride, (UINT)bytes,
                                                         (BYTE *)to));
    IWICFormatConverter_Release(converter);
    return done;
}

static bool decode_stream(struct jpeg *jpeg, IWICStream *stream, const struct rfb_picture *picture,
                          struct rfb_box box)
{
    IWICBitmapDecoder *decoder = NULL;
    IWICBitmapFrameDecode *frame = NULL;
    if (FAILED(IWICImagingFactory_CreateDecoder(jpeg->factory, &GUID_ContainerFormatJpeg, NULL,
                                                &decoder)))
        return false;
    bool done = SUCCEEDED(IWICBitmapDecoder_Initialize(decoder, (IStream *)stream,
                                                       WICDecodeMetadataCacheOnDemand)) &&
                SUCCEEDED(IWICBitmapDecoder_GetFrame(decoder, 0, &frame)) &&
                paint_frame(jpeg, frame, picture, box);
    if (frame != NULL)
        IWICBitmapFrameDecode_Release(frame);
    IWICBitmapDecoder_Release(decoder);
    return done;
}

bool jpeg_decode(struct jpeg *jpeg, const uint8_t *data, size_t bytes,
                 const struct rfb_picture *picture, struct rfb_box box)
{
    IWICStream *stream = NULL;
    if (bytes > UINT32_MAX || FAILED(IWICImagingFactory_CreateStream(jpeg->factory, &stream)))
        return false;
    /* WIC only reads, but its declaration does not say so. */
    bool done =
        SUCCEEDED(IWICStream_InitializeFromMemory(stream, (BYTE *)(uintptr_t)data, (DWORD)bytes)) &&
        decode_stream(jpeg, stream, picture, box);
    IWICStream_Release(stream);
    return done;
}
