/* A stage for receive-buffer schemes without a port: feeds play the connections. A feed has bytes
 * to deliver, calls the hooks as the port and the collector would, and records what it is told. */
#ifndef FANIN_TESTS_SCHEME_STAGE_H
#define FANIN_TESTS_SCHEME_STAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"
#include "client/buffers/scheme.h"
#include "base/os.h"
#include "base/protocol.h"

enum {
    FEEDS_MAX = 600,
    WHY_BYTES = 400,
    STAGE_WORKERS = 3,
    PATIENCE_S = 30, /* far more than a loaded machine needs; only failures wait that long */
};

struct feed;

struct stage {
    const struct scheme *scheme;
    struct scheme_config config;
    struct scheme_run *run;
    struct scheme_figures figures;
    struct feed *feeds[FEEDS_MAX]; /* by the index of their stream */
    _Atomic uint32_t attached;
    struct os_parker driver; /* of the thread that drives feeds that get no other one */
    char why[WHY_BYTES];
};

struct feed {
    struct stage *stage;
    struct os_parker *driver;
    struct stream *stream;
    struct stream_goal goal;
    uint8_t *bytes; /* what the server sends */
    size_t count, at, capacity;
    uint32_t frames;
    bool detached;
    unsigned refusals; /* how often offer returned 0 */
    _Atomic unsigned resumes, finished, failed;
    enum frame_error error; /* of received */
};

/* ---- the stage --------------------------------------------------------------------------- */

struct protocol_marker marker_text(const char *bytes);

/* stage_set: a configuration without a cap. stage_open: the scheme has to open. stage_close: checks
 * what every run has to show at its end. */
void stage_set(struct stage *stage, const struct scheme *scheme, bool early, const char *marker,
               size_t block_bytes, size_t frame_bytes_max);
bool stage_opens(struct stage *stage);
void stage_open(struct stage *stage);
void stage_close(struct stage *stage);

bool is_scheme(const struct scheme *scheme, const char *name);

/* stage_frames: the scheme finds frames. */
bool stage_frames(const struct stage *stage);

/* stage_least_cap: the smallest cap that the scheme accepts for this config, in its own words. */
uint64_t stage_least_cap(struct stage *stage);

/* feed_of: the feed that a stream is attached for. */
struct feed *feed_of(const struct stage *stage, const struct stream *stream);

/* Records an event of the feed and wakes its driver. */
void feed_notify(struct feed *feed, _Atomic unsigned *event);

/* stage_check: after stage_close: the figures are those of feeds that have all finished. */
void stage_check(const struct stage *stage, const struct feed *feeds, unsigned count);

/* ---- feeds ------------------------------------------------------------------------------- */

void feed_init(struct feed *feed, struct stage *stage);

/* feed_add: appends a frame; it belongs at position `seq` of its stream. */
void feed_add(struct feed *feed, uint32_t seq, uint32_t length, uint64_t seed);
void feed_add_many(struct feed *feed, uint32_t frames, uint32_t size_min, uint32_t size_max,
                   uint64_t seed);
bool feed_attaches(struct feed *feed); /* false: refused */
void feed_attach(struct feed *feed);

/* feed_open: feed_init, feed_add_many and feed_attach. */
void feed_open(struct feed *feed, struct stage *stage, uint32_t frames, uint32_t size_min,
               uint32_t size_max, uint64_t seed);

/* feed_receive: one receive of at most `most` bytes. False: it has to wait, is at its end, or
 * failed. feed_step: the same, and blocks while the feed has to wait. feed_up_to: all up to
 * position `to`, in receives of at most `most` bytes. */
bool feed_receive(struct feed *feed, size_t most);
void feed_step(struct feed *feed, size_t most);
void feed_up_to(struct feed *feed, size_t to, size_t most);
bool feed_over(const struct feed *feed);
void feed_await(struct feed *feed);

/* feed_detach: frees what was to be sent, too. */
void feed_detach(struct feed *feed);

/* feed_finish: the rest of the stream's life: it has to finish. feed_close: the same, and checks
 * the feed. */
void feed_finish(struct feed *feed);
void feed_close(struct feed *feed);
void feed_check_finished(const struct feed *feed);

void driver_wait(struct os_parker *driver);

/* stage_run: the whole run of one stream of `frames` frames, whose first receives end at
 * `first_receive`. */
void stage_run(struct stage *stage, uint32_t frames, uint32_t frame_bytes, size_t first_receive);

/* ---- every scheme ------------------------------------------------------------------------ */

/* SCHEME_TEST: a test that runs for each scheme under each binding, and with several numbers of
 * processing threads where they can be chosen. */
#define SCHEME_TEST(name)                                                                          \
    TEST_ADDED_BY(test_add((struct CMUnitTest){#name, each_scheme, NULL, NULL, (void *)name}),     \
                  name, const struct scheme *scheme, bool early)
void each_scheme(void **state);

#endif
