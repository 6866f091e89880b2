/* What may be wrong where connections fail: words for the failure's reason. */
#ifndef FANIN_COLLECTOR_HINTS_H
#define FANIN_COLLECTOR_HINTS_H

#include <stddef.h>
#include <stdint.h>

#include "client/collector/row.h"

enum { OPENING_BYTES = 7 };

/* The first bytes of a server; zeroed before they come. */
struct opening {
    uint8_t bytes[OPENING_BYTES], count;
};

/* Zeroed: nothing is counted. */
struct hints {
    uint64_t http, tls; /* failed connections that began as such servers do */
    uint64_t silent;    /* closed or reset without a byte */
};

/* opening_feed: what the server said next; only the first OPENING_BYTES are kept. */
void opening_feed(struct opening *opening, const void *data, size_t bytes);

/* hints_count: a connection with such an opening has failed for `reason`. */
void hints_count(struct hints *hints, const struct opening *opening, const char *reason);

/* hints_add: adds what there is to say to the reason of a failed row. */
void hints_add(const struct hints *hints, struct row *row);

#endif
