/* Where a screen's picture comes from: a const table of kinds, a file for each. One source for each
 * screen that has a viewer: it is opened when the first viewer comes and closed when the last one
 * has gone. All calls and hooks are on the loop's thread; none blocks for long. */
#ifndef FANIN_SOURCE_H
#define FANIN_SOURCE_H

#include "mock_servers/loop.h"
#include "mock_servers/screens/scene.h"

struct screens_config; /* options.h: what the command line says */

/* A kind's own struct begins with it. `picture` stays the source's; what it points to may be
 * another one after `resized`, `refresh`, `key` and `pointer`. */
struct source {
    const struct source_kind *kind;
    const struct rfb_picture *picture;
    const struct source_hooks *hooks;
    void *context; /* of the hooks */
};

/* None is called from within open. */
struct source_hooks {
    /* stale: refresh would find something new. Once until the next refresh is enough. */
    void (*stale)(struct source *source);
    /* changed: the picture has changed so, and already shows it. `stamps`: 1 << STAMP_TIME,
     * 1 << STAMP_KEYS: they are (or may be) new; they are sent last. */
    void (*changed)(struct source *source, const struct scene_change *change, unsigned stamps);
    /* resized: the picture has another size: all of it is new. Not from within key and pointer. */
    void (*resized)(struct source *source);
    /* lost: there will be no more of it; the source is closed on return. Not from within
     * key and pointer. */
    void (*lost)(struct source *source, const char *why);
};

struct source_kind {
    const char *name, *summary; /* --device */

    /* begin, end: once, before the first open and behind the last close, for what is there whether
     * somebody looks or not (servers of its own). 0, or -1 with `why`. NULL: nothing to do. */
    int (*begin)(struct loop *loop, const struct screens_config *config, char *why,
                 size_t why_bytes);
    void (*end)(void);
    unsigned descriptors; /* that each open source takes */

    /* open: of screen `number`, 0 .. count-1: its first picture, whole, is there on return. NULL
     * with `why`. The source uses `loop` for timers and sockets of its own. */
    struct source *(*open)(struct loop *loop, const struct screens_config *config, unsigned number,
                           const struct source_hooks *hooks, void *context, char *why,
                           size_t why_bytes);
    void (*close)(struct source *source);

    /* refresh: brings the picture up to now, and says by `changed` how. Called when a viewer has
     * asked and its last update has left: what nobody waits for is not captured. */
    void (*refresh)(struct source *source);
    /* freeze: the picture stays as it is from now on (an audit), for as long as it is open. NULL:
     * it cannot; such a screen answers no audit. */
    void (*freeze)(struct source *source);
    /* digest: rfb_picture_digest of the picture; NULL: nothing cheaper than that. */
    uint64_t (*digest)(struct source *source);
    void (*resize)(struct source *source, unsigned width, unsigned height); /* NULL: it cannot */

    /* Input: each event as it came. A scene counts keys that go down: STAMP_KEYS. */
    void (*key)(struct source *source, uint32_t keysym, bool down);
    void (*pointer)(struct source *source, unsigned x, unsigned y, uint8_t buttons);
};

const struct source_kind *source_list(unsigned index); /* NULL after the last: scene, ... */
extern const struct source_kind source_scene;

/* source_scene_frames: of all scenes; skipped: painting was slower than the rate. */
struct source_frames {
    uint64_t painted, skipped;
};
struct source_frames source_scene_frames(void);

#endif
