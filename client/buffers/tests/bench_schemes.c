/* The cost of the schemes themselves, without a port or a kernel: one thread does a worker's part
 * and feeds every scheme from memory, stream by stream. All schemes share one run, so that the
 * ratios hold on a machine with other work.
 *
 *     bench_schemes [streams [receive bytes [frame bytes least [most]]]]
 *
 * `slices` runs in place and with processing threads; its publications to these are per frame. GB
 * are per CPU second of all threads; `copy` is the feeding alone, into one hot buffer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/buffers/scheme.h"
#include "base/os.h"
#include "base/protocol.h"

enum {
    ROUNDS = 5,
    TAPE_FRAMES = 64,
    RUN_BYTES = 400 << 20, /* fed in one run of one scheme */
    BLOCK_BYTES = 16 << 10,
    BLOCKS = 4,
    PROCESSORS = 2,
    CONTENDERS_MAX = 16,
};

static struct {
    uint32_t streams, size_min, size_max;
    size_t receive_bytes;
    uint8_t *tape; /* frames that all streams are sent, again and again from the start */
    size_t tape_bytes;
} load;

struct player {
    struct stream *stream;
    size_t at;
    _Atomic bool waits;
};

static struct os_parker parker; /* of the thread that feeds */

/* A scheme, its number of processing threads where that is open, and its results. */
struct contender {
    const struct scheme *scheme;
    unsigned processors;
    double best, sum; /* GB per CPU second */
    struct scheme_figures figures;
};

/* All of one run's. */
struct game {
    struct player *players;
    struct scheme_run *run;
};

static void on_resume(void *context, struct stream *stream)
{
    const struct game *game = context;
    struct player *player = &game->players[scheme_index(game->run, stream)];
    atomic_store(&player->waits, false);
    os_unpark(&parker);
}

static void on_end(void *context, struct stream *stream)
{
}

static double cpu_s(void)
{
    struct os_usage usage;
    os_usage_read(&usage);
    return (double)(usage.user_ns + usage.system_ns) / 1e9;
}

static void make_tape(const struct protocol_marker *marker)
{
    load.tape = malloc((size_t)TAPE_FRAMES * load.size_max);
    if (load.tape == NULL)
        abort();
    for (uint32_t seq = 0; seq < TAPE_FRAMES; seq++) {
        const uint32_t length = protocol_frame_length(1, seq, load.size_min, load.size_max);
        protocol_frame_write(load.tape + load.tape_bytes, length, seq, 0, 1, marker);
        load.tape_bytes += length;
    }
}

/* Copies up to the end of the tape, where the sequence numbers start again. */
static size_t fill(struct player *player, const struct cp_block *blocks, unsigned count)
{
    size_t filled = 0, left = load.tape_bytes - player->at;
    if (left > load.receive_bytes)
        left = load.receive_bytes;
    for (unsigned i = 0; i < count && left > 0; i++) {
        const size_t bytes = left < blocks[i].bytes ? left : blocks[i].bytes;
        memcpy(blocks[i].data, load.tape + player->at + filled, bytes);
        filled += bytes;
        left -= bytes;
    }
    player->at = (player->at + filled) % load.tape_bytes;
    return filled;
}

static void play(const struct scheme *scheme, struct scheme_run *run, struct player *players)
{
    uint64_t fed = 0;
    while (fed < RUN_BYTES) {
        bool moved = false;
        for (uint32_t i = 0; i < load.streams; i++) {
            struct player *player = &players[i];
            struct cp_block blocks[CP_BLOCKS_MAX];
            if (atomic_load(&player->waits))
                continue;
            atomic_store(&player->waits, true);
            const unsigned count = scheme->offer(run, player->stream, blocks, BLOCKS);
            if (count == 0)
                continue;
            atomic_store(&player->waits, false);
            const size_t bytes = fill(player, blocks, count);
            if (scheme->received(run, player->stream, blocks, count, bytes) != FRAME_OK)
                abort();
            fed += bytes;
            moved = true;
        }
        if (!moved)
            os_park(&parker, UINT64_MAX);
    }
}

static void run_scheme(struct contender *contender, struct scheme_config config)
{
    const struct scheme *scheme = contender->scheme;
    static const struct stream_goal endless = {.frames = UINT64_MAX, .bytes = UINT64_MAX};
    struct player *players = calloc(load.streams, sizeof *players);
    struct game game = {.players = players};
    char why[300];
    config.processors = contender->processors;
    config.events.context = &game;
    if (players == NULL || scheme_open(scheme, &config, &game.run, why, sizeof why) != 0)
        abort();
    struct scheme_run *run = game.run;
    for (uint32_t i = 0; i < load.streams; i++) {
        players[i].stream = scheme_attach(run, i, &endless);
        if (players[i].stream == NULL)
            abort();
    }
    const double before_s = cpu_s();
    play(scheme, run, players);
    for (uint32_t i = 0; i < load.streams; i++)
        scheme_detach(run, players[i].stream);
    scheme_close(run, &contender->figures);
    const double rate = RUN_BYTES / 1e9 / (cpu_s() - before_s);
    contender->sum += rate;
    if (rate > contender->best)
        contender->best = rate;
    free(players);
}

static double run_copy(void)
{
    const struct cp_block block = {malloc(load.receive_bytes), load.receive_bytes};
    struct player *players = calloc(load.streams, sizeof *players);
    if (block.data == NULL || players == NULL)
        abort();
    const double before_s = cpu_s();
    for (uint64_t fed = 0; fed < RUN_BYTES;)
        for (uint32_t i = 0; i < load.streams; i++)
            fed += fill(&players[i], &block, 1);
    const double rate = RUN_BYTES / 1e9 / (cpu_s() - before_s);
    free(players);
    free(block.data);
    return rate;
}

static unsigned list_contenders(struct contender *contenders)
{
    unsigned count = 0;
    for (unsigned i = 0; scheme_list(i) != NULL; i++) {
        const unsigned most = strcmp(scheme_list(i)->name, "slices") == 0 ? PROCESSORS : 0;
        for (unsigned processors = 0; processors <= most; processors++) {
            if (count == CONTENDERS_MAX)
                abort();
            contenders[count++] =
                (struct contender){.scheme = scheme_list(i), .processors = processors};
        }
    }
    return count;
}

static void print(const struct contender *contender)
{
    const struct scheme_figures *figures = &contender->figures;
    char name[32];
    int used = snprintf(name, sizeof name, "%s", contender->scheme->name);
    if (contender->processors > 0)
        snprintf(name + used, sizeof name - (size_t)used, ", %u", contender->processors);
    printf("%-10s %10.2f %10.2f %12.2f %14llu %16.4f\n", name, contender->best,
           contender->sum / ROUNDS, (double)figures->copied_bytes / (double)figures->bytes,
           (unsigned long long)figures->buffer_peak_bytes,
           figures->frames > 0 ? (double)figures->hand_overs / (double)figures->frames : 0);
}

int main(int argc, char **argv)
{
    load.streams = argc > 1 ? (uint32_t)atoi(argv[1]) : 200;
    load.receive_bytes = argc > 2 ? (size_t)atoi(argv[2]) : BLOCKS * BLOCK_BYTES;
    load.size_min = argc > 3 ? (uint32_t)atoi(argv[3]) : 64000;
    load.size_max = argc > 4 ? (uint32_t)atoi(argv[4]) : 100000;
    static struct contender contenders[CONTENDERS_MAX];
    const unsigned count = list_contenders(contenders);
    double copy = 0;
    struct scheme_config config = {
        .block_bytes = BLOCK_BYTES,
        .blocks_per_receive = BLOCKS,
        .pool_batch = 64,
        .pool_cap_bytes = UINT64_MAX,
        .workers = 1,
        .batch = 1,
        .streams_max = load.streams,
        .process = {.verify = VERIFY_NONE, .frame_bytes_max = load.size_max},
        .events = {on_resume, on_end, on_end, NULL},
    };
    config.process.marker = (struct protocol_marker){.bytes = "\r\n", .count = 2};
    marker_init(&config.marker, config.process.marker.bytes, 2);
    make_tape(&config.process.marker);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const double rate = run_copy();
        copy = rate > copy ? rate : copy;
        for (unsigned i = 0; i < count; i++)
            run_scheme(&contenders[i], config);
    }
    printf("%-10s %10s %10s %12s %14s %16s\n", "scheme", "best GB/s", "mean GB/s", "copies/byte",
           "peak bytes", "hand-overs/frame");
    printf("%-10s %10.2f\n", "copy", copy);
    for (unsigned i = 0; i < count; i++)
        print(&contenders[i]);
    free(load.tape);
    return 0;
}
