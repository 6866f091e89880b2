/* How long an audit waits, and for how many at a time: the link and time are the test's own. */
#include <math.h>

#include "base/tests/test.h"
#include "client/monitor/monitor.h"

#define MS       UINT64_C(1000000)
#define LOOK     (20 * MS)
#define BEGAN_NS (1000 * MS)

enum { SCREENS = 200, PICTURE_BYTES = 512 * 256 * 4, MINUTES_MAX = 10 };

/* A link that is shared equally by all who owe an answer. */
static struct shared_link {
    struct audit_wait wait;
    unsigned next, owed_most;
    double left[SCREENS];   /* bytes of its answer */
    uint64_t first_mute_ns; /* so long the first sends nothing */
} audit;

static int begin(void **state)
{
    audit = (struct shared_link){.wait = {.began_ns = 0}};
    for (unsigned i = 0; i < SCREENS; i++)
        audit.left[i] = PICTURE_BYTES;
    return 0;
}

static bool owes(unsigned screen)
{
    return screen < audit.next && audit.left[screen] > 0;
}

static bool sends(unsigned screen, const struct audit_wait *seen)
{
    const bool is_mute = screen == 0 && seen->now_ns < BEGAN_NS + audit.first_mute_ns;
    return owes(screen) && audit.left[screen] < INFINITY && !is_mute;
}

static void send_to_all(struct audit_wait *seen, double bytes)
{
    unsigned owed = 0;
    for (unsigned i = 0; i < audit.next; i++)
        owed += sends(i, seen);
    for (unsigned i = 0; i < audit.next && owed > 0; i++)
        if (sends(i, seen))
            audit.left[i] -= bytes / owed;
    seen->bytes += owed > 0 ? (uint64_t)bytes : 0;
}

/* Returns how long it took; audit.wait.answers is how many have answered. */
static uint64_t run(double bits_a_second)
{
    struct audit_wait seen = {.now_ns = BEGAN_NS};
    for (;;) {
        seen.owed = seen.answers = 0;
        for (unsigned i = 0; i < audit.next; i++) {
            seen.owed += owes(i);
            seen.answers += !owes(i);
        }
        audit_wait_look(&audit.wait, &seen);
        if (audit_wait_is_over(&audit.wait) || (audit.next == SCREENS && seen.owed == 0))
            return seen.now_ns - BEGAN_NS;
        if (seen.owed > audit.owed_most)
            audit.owed_most = seen.owed;
        for (unsigned room = audit_wait_room(&audit.wait); room > 0 && audit.next < SCREENS; room--)
            audit.next++;
        assert_true(seen.now_ns < (uint64_t)MINUTES_MAX * 60000 * MS);
        seen.now_ns += LOOK;
        send_to_all(&seen, bits_a_second / 8 * LOOK / 1e9);
    }
}

TEST(over_a_slow_link_all_answer_in_turn, begin, NULL)
{
    const uint64_t took_ns = run(20e6);
    assert_int_equal(audit.wait.answers, SCREENS);
    assert_in_range(took_ns, 40000 * MS, 45000 * MS); /* 42 s of pictures */
    assert_int_equal(audit.owed_most, AUDIT_TURNS);
}

TEST(who_was_unheard_on_a_full_link_is_awaited_as_long_again, begin, NULL)
{
    audit.first_mute_ns = 60000 * MS;
    assert_in_range(run(20e6), 60000 * MS, 61000 * MS);
    assert_int_equal(audit.wait.answers, SCREENS);
}

TEST(who_does_not_answer_holds_up_nobody, begin, NULL)
{
    enum { STILL = 40 };
    for (unsigned i = 0; i < STILL; i++)
        audit.left[i] = INFINITY;
    const uint64_t took_ns = run(1e9);
    assert_int_equal(audit.wait.answers, SCREENS - STILL);
    /* The others are still for half a second for each 16, and then as long again. */
    assert_in_range(took_ns, 5000 * MS, 2 * 500 * (SCREENS / AUDIT_TURNS + 2) * MS);
}

TEST(if_nobody_answers_it_is_soon_over, begin, NULL)
{
    for (unsigned i = 0; i < SCREENS; i++)
        audit.left[i] = INFINITY;
    assert_in_range(run(1e9), 5000 * MS, 5100 * MS);
    assert_int_equal(audit.next, SCREENS);
}

TEST(who_sends_for_ever_is_left_after_a_while, begin, NULL)
{
    enum { ENDLESS = 7 };
    audit.left[ENDLESS] = 1e18;
    assert_in_range(run(100e6), 30000 * MS, 40000 * MS);
    assert_int_equal(audit.wait.answers, SCREENS - 1);
}
