/* JPEG by libjpeg-turbo. */
#include "base/rfb/jpeg.h"

#include <stdlib.h>
#include <turbojpeg.h>

struct jpeg {
    tjhandle encoder, decoder;
    unsigned char *buffer; /* of the encoder, which makes it larger */
    unsigned long buffer_bytes;
};

struct jpeg *jpeg_open(void)
{
    struct jpeg *jpeg = calloc(1, sizeof *jpeg);
    if (jpeg == NULL)
        return NULL;
    jpeg->encoder = tjInitCompress();
    jpeg->decoder = tjInitDecompress();
    if (jpeg->encoder != NULL && jpeg->decoder != NULL)
        return jpeg;
    jpeg_close(jpeg);
    return NULL;
}

void jpeg_close(struct jpeg *jpeg)
{
    if (jpeg == NULL)
        return;
    if (jpeg->encoder != NULL)
        tjDestroy(jpeg->encoder);
    if (jpeg->decoder != NULL)
        tjDestroy(jpeg->decoder);
    tjFree(jpeg->buffer);
    free(jpeg);
}

static unsigned char *pixels_of(const struct rfb_picture *picture, struct rfb_box box)
{
    return (unsigned char *)(picture->pixels + (size_t)box.y * picture->stride + box.x);
}

const uint8_t *jpeg_encode(struct jpeg *jpeg, const struct rfb_picture *picture, struct rfb_box box,
                           int quality, size_t *bytes)
{
    unsigned long used = jpeg->buffer_bytes;
    int result = tjCompress2(jpeg->encoder, pixels_of(picture, box), (int)box.width,
                             (int)(picture->stride * sizeof *picture->pixels), (int)box.height,
                             TJPF_BGRX, &jpeg->buffer, &used, TJSAMP_420, quality, TJFLAG_FASTDCT);
    if (used > jpeg->buffer_bytes)
        jpeg->buffer_bytes = used;
    *bytes = used;
    return result == 0 ? jpeg->buffer : NULL;
}

bool jpeg_decode(struct jpeg *jpeg, const uint8_t *data, size_t bytes,
                 const struct rfb_picture *picture, struct rfb_box box)
{
    int width, height, sampling, colours;
    if (tjDecompressHeader3(jpeg->decoder, data, bytes, &width, &height, &sampling, &colours) != 0)
        return false;
    if (width != (int)box.width || height != (int)box.height)
        return false;
    return tjDecompress2(jpeg->decoder, data, bytes, pixels_of(picture, box), width,
                         (int)(picture->stride * sizeof *picture->pixels), height, TJPF_BGRX,
                         TJFLAG_FASTDCT | TJFLAG_FASTUPSAMPLE) == 0;
}
