/* Tapes: made by slices, shared, kept after use, never taken from under a user, and what happens
 * when the system has no room for one. */

#include <signal.h>
#include <string.h>

#include "base/tests/limit.h"
#include "mock_servers/tape.h"

enum { TAPE_BYTES = 3 << 20 };

static struct scratch scratch;

static struct protocol_go go_of_seed(uint64_t seed)
{
    return (struct protocol_go){.frames = 3,
                                .size_min = TAPE_BYTES / 3,
                                .size_max = TAPE_BYTES / 3,
                                .seed = seed,
                                .marker = {"\r\n", 2}};
}

static struct tape *take(struct tapes *tapes, uint64_t seed)
{
    struct protocol_go go = go_of_seed(seed);
    char why[256];
    return tapes_take(tapes, &go, why, sizeof why);
}

static unsigned make_all(struct tapes *tapes)
{
    unsigned slices = 1;
    while (tapes_make(tapes))
        slices++;
    return slices;
}

TEST(test_made_by_slices)
{
    struct tapes *tapes = tapes_open(10 * TAPE_BYTES, &scratch);
    assert_false(tapes_make(tapes));
    struct tape *tape = take(tapes, 1);
    assert_non_null(tape);
    assert_true(tape->bytes == TAPE_BYTES);
    assert_int_equal(make_all(tapes), 3);
    assert_false(tape->failed);
    assert_ptr_equal(take(tapes, 1), tape);
    assert_false(tapes_make(tapes)); /* not made a second time */
    tapes_give(tapes, tape);
    tapes_give(tapes, tape);
    tapes_give(tapes, NULL);
    tapes_close(tapes);
}

TEST(test_a_refusal_names_the_limit)
{
    char why[256] = "";
    struct protocol_go go = go_of_seed(1);
    struct tapes *tapes = tapes_open(TAPE_BYTES, &scratch);
    struct rlimit before = limit_lower(RLIMIT_NOFILE, 3);
    const struct tape *tape = tapes_take(tapes, &go, why, sizeof why);
    setrlimit(RLIMIT_NOFILE, &before);
    tapes_close(tapes);
    assert_null(tape);
    assert_non_null(strstr(why, "memory or descriptor for this tape: the limit of descriptors of a "
                                "process is 3: "));
}

TEST(test_a_tape_in_use_stays)
{
    struct tapes *tapes = tapes_open(2 * TAPE_BYTES, &scratch);
    struct tape *one = take(tapes, 1), *two = take(tapes, 2);
    make_all(tapes);
    tapes_give(tapes, one);
    tapes_give(tapes, two);
    assert_ptr_equal(take(tapes, 1), one); /* idle, and used again */
    struct tape *three = take(tapes, 3);   /* in the place of 2 */
    assert_non_null(three);
    assert_null(take(tapes, 4)); /* 1 and 3 are in use, 3 not even made */
    tapes_give(tapes, three);
    assert_null(take(tapes, 4));
    make_all(tapes);
    struct tape *four = take(tapes, 4);
    assert_non_null(four);
    make_all(tapes);
    assert_true(!one->failed && one->bytes == TAPE_BYTES);
    tapes_give(tapes, one);
    tapes_give(tapes, four);
    tapes_close(tapes);
}

static void files_limit(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(test_no_room_in_the_system)
{
    struct tapes *tapes = tapes_open(10 * TAPE_BYTES, &scratch);
    signal(SIGXFSZ, SIG_IGN);
    files_limit(TAPE_BYTES / 2);
    assert_null(take(tapes, 1));
    files_limit(RLIM_INFINITY);
    struct tape *tape = take(tapes, 1);
    assert_non_null(tape);
    files_limit(TAPE_BYTES / 2);
    make_all(tapes);
    files_limit(RLIM_INFINITY);
    assert_true(tape->failed);
    struct tape *again = take(tapes, 1); /* a new one; the failed one is not found any more */
    assert_ptr_not_equal(again, tape);
    make_all(tapes);
    assert_false(again->failed);
    tapes_give(tapes, tape);
    tapes_give(tapes, again);
    tapes_close(tapes);
}
