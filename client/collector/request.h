/* What is sent to a server, and what it owes for it. Four seeds are shared by all servers, so that
 * the devices can share their tapes. */
#ifndef FANIN_COLLECTOR_REQUEST_H
#define FANIN_COLLECTOR_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "client/collector/options.h"
#include "client/cport.h"

enum { REQUEST_SEEDS = 4 };

struct request {
    char text[TEXT_BYTES_MAX + 1];
    size_t bytes;             /* 0: nothing is sent */
    uint64_t frames_expected; /* UINT64_MAX: not known */
    uint64_t bytes_expected;  /* UINT64_MAX: not known */
};

struct request_book {
    uint64_t run; /* identifies this run to the fleet */
    struct request requests[REQUEST_SEEDS];
    char login[PROTOCOL_LINE_BYTES_MAX];
    size_t login_bytes; /* 0: none is wanted */
};

/* request_book_fill: writes the lines for `servers` servers. 0, or -1 with `why` if one does not
 * fit. */
int request_book_fill(struct request_book *book, const struct collector_options *options,
                      uint32_t servers, char *why, size_t why_bytes);

/* request_of: the request of server `index`. */
const struct request *request_of(const struct request_book *book, uint32_t index);

/* request_log_in: logs in over a plain blocking connection, if a login is wanted. Blocks up to
 * twice `timeout_ns`. 0, or a portable negative code; CP_EACCES: refused. */
int request_log_in(const struct request_book *book, cp_handle handle, uint64_t timeout_ns);

#endif
