/* What the parsers of options.h share with --help and with programs' own parsers: numbers with
 * units, and an option's range in words. */
#ifndef FANIN_VALUES_H
#define FANIN_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/options.h"

struct unit { /* a list of them ends with the suffix NULL */
    const char *suffix;
    uint64_t factor;
};

/* values_quantity_parse: digits, perhaps with a fraction, and one of the units. False unless their
 * product is whole and fits. */
bool values_quantity_parse(const char *text, const struct unit *units, uint64_t *value);

/* values_domain_text: "from 256 to 64MiB" or "at least 1", in the option's own unit, or its names
 * as "auto, epoll"; "" when it has neither. Cut to text_bytes. */
void values_domain_text(const struct option_spec *spec, char *text, size_t text_bytes);

#endif
