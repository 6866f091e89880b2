/* What the schemes themselves cost, without a port or a kernel: every scheme is fed from memory,
 * one thread doing what a worker does, streams in turn. All in one run, so that the ratios mean
 * something on a machine that others use.
 *
 *     bench_schemes [streams [receive bytes [frame bytes least [most]]]]
 *
 * GB per CPU second over all threads; `copy` is the feeding alone, into one hot buffer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/buffers/scheme.h"
#include "client/os/os.h"
#include "mock_servers/protocol.h"

enum {
    ROUNDS = 5,
    TAPE_FRAMES = 64,
    TURN_BYTES = 400 << 20, /* fed in one turn of one scheme */
    BLOCK_BYTES = 16 << 10,
    BLOCKS = 4,
};

struct load {
    uint32_t streams, size_min, size_max;
    size_t receive_bytes;
    uint8_t *tape; /* frames that all streams are sent, again and again from the start */
    size_t tape_bytes;
};

struct player {
    struct stream *stream;
    size_t at;
    struct os_parker *parker;
    _Atomic bool waits;
};

struct result {
    double best, sum; /* GB per CPU second */
    struct scheme_figures figures;
};

static void on_resume(void *context, struct stream *stream)
{
    struct player *player = stream->owner;
    (void)context;
    atomic_store(&player->waits, false);
    os_unpark(player->parker);
}

static void on_end(void *context, struct stream *stream)
{
    (void)context;
    (void)stream;
}

static double cpu_s(void)
{
    struct os_usage usage;
    os_usage_read(&usage);
    return (double)(usage.user_ns + usage.system_ns) / 1e9;
}

static void load_make(struct load *load, const struct protocol_marker *marker)
{
    load->tape = malloc((size_t)TAPE_FRAMES * load->size_max);
    if (load->tape == NULL)
        abort();
    for (uint32_t seq = 0; seq < TAPE_FRAMES; seq++) {
        const uint32_t length = protocol_frame_length(1, seq, load->size_min, load->size_max);
        protocol_frame_write(load->tape + load->tape_bytes, length, seq, 0, 1, marker);
        load->tape_bytes += length;
    }
}

/* Copies up to the tape's end: the numbers start again there. */
static size_t fill(const struct load *load, struct player *player, const struct cp_block *blocks,
                   unsigned count)
{
    size_t filled = 0, left = load->tape_bytes - player->at;
    if (left > load->receive_bytes)
        left = load->receive_bytes;
    for (unsigned i = 0; i < count && left > 0; i++) {
        const size_t bytes = left < blocks[i].bytes ? left : blocks[i].bytes;
        memcpy(blocks[i].data, load->tape + player->at + filled, bytes);
        filled += bytes;
        left -= bytes;
    }
    player->at = (player->at + filled) % load->tape_bytes;
    return filled;
}

static void play(const struct scheme *scheme, struct scheme_run *run, const struct load *load,
                 struct player *players, struct os_parker *parker)
{
    uint64_t fed = 0;
    while (fed < TURN_BYTES) {
        bool moved = false;
        for (uint32_t i = 0; i < load->streams; i++) {
            struct player *player = &players[i];
            struct cp_block blocks[CP_BLOCKS_MAX];
            if (atomic_load(&player->waits))
                continue;
            atomic_store(&player->waits, true);
            const unsigned count = scheme->offer(run, player->stream, blocks, BLOCKS);
            if (count == 0)
                continue;
            atomic_store(&player->waits, false);
            const size_t bytes = fill(load, player, blocks, count);
            if (scheme->received(run, player->stream, blocks, count, bytes) != FRAME_OK)
                abort();
            fed += bytes;
            moved = true;
        }
        if (!moved)
            os_park(parker, UINT64_MAX);
    }
}

static void turn(const struct scheme *scheme, const struct load *load,
                 const struct scheme_config *config, struct result *result)
{
    struct player *players = calloc(load->streams, sizeof *players);
    struct os_parker parker = {0};
    struct scheme_run *run;
    char why[300];
    if (players == NULL || scheme->open(config, &run, why, sizeof why) != 0)
        abort();
    for (uint32_t i = 0; i < load->streams; i++) {
        players[i].parker = &parker;
        players[i].stream = scheme->attach(run, &players[i], UINT64_MAX, UINT64_MAX);
        if (players[i].stream == NULL)
            abort();
    }
    const double before_s = cpu_s();
    play(scheme, run, load, players, &parker);
    for (uint32_t i = 0; i < load->streams; i++)
        scheme->detach(run, players[i].stream);
    scheme->close(run, &result->figures);
    const double rate = TURN_BYTES / 1e9 / (cpu_s() - before_s);
    result->sum += rate;
    if (rate > result->best)
        result->best = rate;
    free(players);
}

static double copy_turn(const struct load *load)
{
    const struct cp_block block = {malloc(load->receive_bytes), load->receive_bytes};
    struct player *players = calloc(load->streams, sizeof *players);
    if (block.data == NULL || players == NULL)
        abort();
    const double before_s = cpu_s();
    for (uint64_t fed = 0; fed < TURN_BYTES;)
        for (uint32_t i = 0; i < load->streams; i++)
            fed += fill(load, &players[i], &block, 1);
    const double rate = TURN_BYTES / 1e9 / (cpu_s() - before_s);
    free(players);
    free(block.data);
    return rate;
}

int main(int argc, char **argv)
{
    struct load load = {
        .streams = argc > 1 ? (uint32_t)atoi(argv[1]) : 200,
        .receive_bytes = argc > 2 ? (size_t)atoi(argv[2]) : BLOCKS * BLOCK_BYTES,
        .size_min = argc > 3 ? (uint32_t)atoi(argv[3]) : 64000,
        .size_max = argc > 4 ? (uint32_t)atoi(argv[4]) : 100000,
    };
    struct result results[16] = {0};
    double copy = 0;
    struct scheme_config config = {
        .block_bytes = BLOCK_BYTES,
        .blocks_per_receive = BLOCKS,
        .pool_batch_blocks = 64,
        .cap_bytes = UINT64_MAX,
        .streams_max = load.streams,
        .process = {.verify = VERIFY_NONE, .frame_bytes_max = load.size_max},
        .events = {on_resume, on_end, on_end, NULL},
    };
    config.process.marker = (struct protocol_marker){.bytes = "\r\n", .count = 2};
    marker_init(&config.marker, config.process.marker.bytes, 2);
    load_make(&load, &config.process.marker);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const double rate = copy_turn(&load);
        copy = rate > copy ? rate : copy;
        for (unsigned i = 0; scheme_list(i) != NULL; i++)
            turn(scheme_list(i), &load, &config, &results[i]);
    }
    printf("%-8s %10s %10s %12s %14s\n", "scheme", "best GB/s", "mean GB/s", "copies/byte",
           "peak bytes");
    printf("%-8s %10.2f\n", "copy", copy);
    for (unsigned i = 0; scheme_list(i) != NULL; i++)
        printf("%-8s %10.2f %10.2f %12.2f %14llu\n", scheme_list(i)->name, results[i].best,
               results[i].sum / ROUNDS,
               (double)results[i].figures.copied_bytes / (double)results[i].figures.bytes,
               (unsigned long long)results[i].figures.buffer_peak_bytes);
    free(load.tape);
    return 0;
}
