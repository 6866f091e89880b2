/* Work with frames: what it costs, and on whose time. */
#include <math.h>

#include "client/buffers/tests/scheme_stage.h"

enum { FRAME_BYTES = 300, CLOCK_STEP_NS = 100 };

/* A clock that goes on by a step with each look at it. */
static unsigned clock_looks;
static uint64_t clock_step_ns;

static uint64_t clock_ns(void)
{
    return ++clock_looks * clock_step_ns;
}

static struct work_config cost(enum work_kind kind, double byte_ns, double record_ns)
{
    clock_looks = 0;
    clock_step_ns = CLOCK_STEP_NS;
    return (struct work_config){
        .kind = kind, .byte_ns = byte_ns, .record_ns = record_ns, .clock_ns = clock_ns};
}

/* ---- the debt ------------------------------------------------------------------------------- */

TEST(test_a_small_cost_is_paid_on_average_without_a_look_a_record)
{
    enum { RECORDS = 10000, RECORD_NS = 50, UNPAID = 399 };
    const struct work_config config = cost(WORK_SPIN, 0, RECORD_NS);
    struct work work = {0};
    for (unsigned i = 0; i < UNPAID; i++)
        work_record(&work, &config);
    assert_int_equal(clock_looks, 0);
    for (unsigned i = UNPAID; i < RECORDS; i++)
        work_record(&work, &config);
    work_settle(&work, &config);
    assert_true(work.done_ns >= RECORDS * RECORD_NS);
    assert_true(work.done_ns <= RECORDS * RECORD_NS + CLOCK_STEP_NS);
}

TEST(test_what_is_paid_too_much_is_kept)
{
    enum { RECORDS = 100, RECORD_NS = 30000 };
    const struct work_config config = cost(WORK_SPIN, 0, RECORD_NS);
    struct work work = {0};
    clock_step_ns = 7 * (uint64_t)CLOCK_STEP_NS;
    for (unsigned i = 0; i < RECORDS; i++)
        work_record(&work, &config);
    assert_true(fabs(work.done_ns + work.debt_ns - RECORDS * RECORD_NS) < 1);
    assert_true(fabs(work.debt_ns) <= (double)clock_step_ns);
}

TEST(test_touching_reads_each_byte)
{
    const struct work_config config = cost(WORK_TOUCH, 0, 0);
    uint8_t piece[67] = {0};
    for (size_t i = 0; i < sizeof piece; i++) {
        struct work work = {0};
        piece[i] = 1;
        work_bytes(&work, &config, piece, sizeof piece);
        piece[i] = 0;
        assert_true(work.sum != 0);
    }
}

TEST(test_reading_is_part_of_the_cost)
{
    struct work_config config = cost(WORK_TOUCH, 5, 0);
    static uint8_t large[100000];
    struct work work = {0};
    config.read_ns = 2;
    work_bytes(&work, &config, large, FRAME_BYTES);
    assert_int_equal(clock_looks, 0);
    assert_true(work.done_ns == 2 * FRAME_BYTES && work.debt_ns == 3 * FRAME_BYTES);
    /* Reading alone takes longer than asked: what was spent says so. */
    config.byte_ns = 0;
    work = (struct work){0};
    work_bytes(&work, &config, large, sizeof large);
    assert_int_equal(clock_looks, 2);
    assert_true(work.done_ns == CLOCK_STEP_NS && work.debt_ns == -CLOCK_STEP_NS);
}

TEST(test_the_speed_of_reading_is_measured)
{
    struct work_config config = cost(WORK_TOUCH, 5, 0);
    work_measure_read(&config);
    assert_true(config.read_ns > 0);
    config.clock_ns = NULL;
    work_measure_read(&config);
    assert_true(config.read_ns >= 0 && config.read_ns < 1000);
}

/* ---- a processor ----------------------------------------------------------------------------- */

static double debt_of(size_t first_piece, bool changed)
{
    struct process_config config = {.frame_bytes_max = FRAME_BYTES, .marker = marker_text("\r\n")};
    struct budget budget;
    struct processor processor;
    static const struct stream_goal endless = {.frames = UINT64_MAX, .bytes = UINT64_MAX};
    struct stream stream = {.goal = &endless};
    struct incremental_check *check = NULL;
    uint8_t frame[FRAME_BYTES];
    config.work = cost(WORK_SPIN, 1, 7);
    budget_init(&budget, UINT64_MAX);
    processor_init(&processor, &config, &budget);
    protocol_frame_write(frame, FRAME_BYTES, 0, 0, 1, &config.marker);
    frame[100] ^= changed;
    if (first_piece > 0)
        incremental_check_feed(&check, &processor, &stream, frame, first_piece, false);
    const enum frame_error error = incremental_check_feed(
        &check, &processor, &stream, frame + first_piece, FRAME_BYTES - first_piece, true);
    assert_int_equal(error, changed ? FRAME_BAD_CHECK : FRAME_OK);
    incremental_check_drop(&check);
    processor_end(&processor);
    return processor.work.debt_ns;
}

TEST(test_a_frame_costs_the_same_in_pieces)
{
    for (size_t piece = 0; piece < FRAME_BYTES; piece++)
        assert_true(debt_of(piece, false) == FRAME_BYTES + 7);
}

TEST(test_a_wrong_frame_costs_nothing_where_it_is_known_in_time)
{
    assert_true(debt_of(0, true) == 0);
    assert_true(debt_of(200, true) == FRAME_BYTES);
}

/* ---- schemes --------------------------------------------------------------------------------- */

/* The CPU time of a run's work, and of the process meanwhile. */
static void run_work(struct stage *stage, double *work_ns, double *process_ns)
{
    enum { STREAMS = 3, FRAMES = 20, BYTES = 5000 };
    static struct feed feeds[STREAMS];
    const uint64_t before_ns = os_cpu_ns();
    stage_open(stage);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_open(&feeds[i], stage, FRAMES, BYTES, BYTES, i);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_close(&feeds[i]);
    stage_close(stage);
    const struct work_config *config = &stage->config.process.work;
    const double asked_ns =
        config->byte_ns * (double)stage->figures.bytes + config->record_ns * STREAMS * FRAMES;
    *process_ns = (double)(os_cpu_ns() - before_ns) / asked_ns;
    *work_ns = stage->figures.work_ns / asked_ns;
}

/* Where the machine is busy, a thread's last payment may be too long by the time that the machine
 * took from it. */
SCHEME_TEST(test_work_takes_the_time_asked_for)
{
    static const enum work_kind kinds[] = {WORK_TOUCH, WORK_SPIN};
    enum { TRIES = 20 };
    for (unsigned i = 0; i < 2; i++) {
        struct stage stage;
        double work_ns = 0, process_ns;
        unsigned tries = 0;
        stage_set(&stage, scheme, early, "\r\n", 4096, 5000);
        stage.config.process.work = (struct work_config){
            .kind = kinds[i], .byte_ns = 5, .record_ns = stage_frames(&stage) ? 10000 : 0};
        do {
            run_work(&stage, &work_ns, &process_ns);
            assert_true(work_ns >= 0.999 && process_ns >= 0.999);
        } while (work_ns > 1.05 && ++tries < TRIES);
        assert_true(work_ns <= 1.05);
    }
}

SCHEME_TEST(test_no_work_is_none)
{
    struct stage stage;
    stage_set(&stage, scheme, early, "\r\n", 4096, 300);
    stage_run(&stage, 5, 300, 300);
    assert_true(stage.figures.work_ns == 0);
}
