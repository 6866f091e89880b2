/* --work and --look: what processing a frame costs, and when chain's thread looks for frames. */
#ifndef FANIN_COLLECTOR_PROCESSING_H
#define FANIN_COLLECTOR_PROCESSING_H

#include <stddef.h>

#include "base/options.h"
#include "client/buffers/scheme.h"

#define WORK_NONE_TEXT "none"
#define LOOK_WAKE_TEXT "wake"

enum { PROCESSING_TEXT_BYTES = 96 };

/* As used; the texts are what a row has, the same for all spellings of a value. */
struct processing {
    struct work_config work;
    struct look_config look;
    char work_text[PROCESSING_TEXT_BYTES], look_text[PROCESSING_TEXT_BYTES];
};

/* Parsers of the two options. [const char *] points into argv. */
option_parser options_work, options_look;

/* processing_read: what the options' texts, which the parsers took, mean. */
void processing_read(struct processing *processing, const char *work, const char *look);

#endif
