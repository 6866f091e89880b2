/* The decoders that there are, for their table alone. */
#ifndef FANIN_RFB_DECODERS_H
#define FANIN_RFB_DECODERS_H

#include "client/monitor/rfb/decoder.h"

extern const struct decoder decoder_raw, decoder_copyrect, decoder_tight, decoder_zrle;

#endif
