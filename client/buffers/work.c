/* Spends the CPU time that an application would take for its records. */
#include "client/buffers/work.h"

#include <string.h>

#include "base/os.h"

enum {
    DEBT_NS = 20000,        /* paid from here on: two looks at the clock are a hundredth of it */
    TIMED_BYTES = 32 << 10, /* reading so many is timed itself, whatever is owed */
    STEP_ROUNDS = 512,      /* of a spin between two looks, some 0.5 us */
};

static uint64_t clock_of(const struct work_config *config)
{
    return config->clock_ns != NULL ? config->clock_ns() : os_work_ns();
}

static uint64_t sum_of(const uint8_t *piece, size_t bytes)
{
    uint64_t sum = 0, word;
    for (; bytes >= sizeof word; piece += sizeof word, bytes -= sizeof word) {
        memcpy(&word, piece, sizeof word);
        sum += word;
    }
    while (bytes > 0)
        sum += piece[--bytes];
    return sum;
}

/* Each round needs the one before, and the compiler cannot know the last. */
static uint64_t spin(uint64_t sum)
{
    for (unsigned i = 0; i < STEP_ROUNDS; i++)
        sum = (sum ^ i) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    return sum;
}

/* Reads the piece, and spins until the debt is paid. */
static void pay(struct work *work, const struct work_config *config, const uint8_t *piece,
                size_t bytes)
{
    const uint64_t start_ns = clock_of(config);
    if (bytes > 0)
        work->sum += sum_of(piece, bytes);
    double spent_ns = (double)(clock_of(config) - start_ns);
    while (spent_ns < work->debt_ns && !os_interrupted()) {
        work->sum = spin(work->sum);
        spent_ns = (double)(clock_of(config) - start_ns);
    }
    work->done_ns += spent_ns;
    work->given_up = work->given_up || spent_ns < work->debt_ns;
    work->debt_ns = work->given_up ? 0 : work->debt_ns - spent_ns;
}

/* Reading a few bytes takes less than the clock: it counts as much as was measured before. */
static void read_untimed(struct work *work, const struct work_config *config, const uint8_t *piece,
                         size_t bytes)
{
    const double read_ns = config->read_ns * (double)bytes;
    work->sum += sum_of(piece, bytes);
    work->debt_ns -= read_ns;
    work->done_ns += read_ns;
}

void work_bytes(struct work *work, const struct work_config *config, const uint8_t *piece,
                size_t bytes)
{
    const size_t read_bytes = config->kind == WORK_TOUCH ? bytes : 0;
    work->debt_ns += config->byte_ns * (double)bytes;
    if (work->debt_ns >= DEBT_NS || read_bytes >= TIMED_BYTES)
        pay(work, config, piece, read_bytes);
    else if (read_bytes > 0)
        read_untimed(work, config, piece, read_bytes);
}

void work_record(struct work *work, const struct work_config *config)
{
    work->debt_ns += config->record_ns;
    if (work->debt_ns >= DEBT_NS)
        pay(work, config, NULL, 0);
}

void work_settle(struct work *work, const struct work_config *config)
{
    if (work->debt_ns > 0)
        pay(work, config, NULL, 0);
}

void work_measure_read(struct work_config *config)
{
    enum { BYTES = 16 << 10, ROUNDS = 16, TRIES = 3 };
    static const uint8_t bytes[BYTES];
    volatile uint64_t sum = 0;
    config->read_ns = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        const uint64_t start_ns = clock_of(config);
        for (unsigned round = 0; round < ROUNDS; round++)
            sum += sum_of(bytes, BYTES - sum % 2);
        const double read_ns = (double)(clock_of(config) - start_ns) / ((double)BYTES * ROUNDS);
        if (i == 0 || read_ns < config->read_ns)
            config->read_ns = read_ns;
    }
}
