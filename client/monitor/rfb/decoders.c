/* The table of decoders, the best first. */
#include "client/monitor/rfb/decoders.h"

#include <string.h>

static const struct decoder *const decoders[] = {
    &decoder_tight,
    &decoder_zrle,
    &decoder_copyrect,
    &decoder_raw,
};

const struct decoder *decoder_list(unsigned index)
{
    return index < sizeof decoders / sizeof *decoders ? decoders[index] : NULL;
}

const struct decoder *decoder_of(int encoding)
{
    const struct decoder *decoder;
    for (unsigned i = 0; (decoder = decoder_list(i)) != NULL; i++)
        if (decoder->encoding == encoding)
            break;
    return decoder;
}

const struct decoder *decoder_named(const char *name)
{
    const struct decoder *decoder;
    for (unsigned i = 0; (decoder = decoder_list(i)) != NULL; i++)
        if (strcmp(decoder->name, name) == 0)
            break;
    return decoder;
}
