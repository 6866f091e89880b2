/* How long an audit waits, and for how many at a time: the link and time are the test's own. */
#include <math.h>

#include "base/tests/test.h"
#include "client/monitor/monitor.h"

#define MS       UINT64_C(1000000)
#define LOOK_NS  (20 * MS)
#define BEGAN_NS (1000 * MS)

enum { SCREENS = 200, PICTURE_BYTES = 512 * 256 * 4, MINUTES_MAX = 20 };

/* A link that is shared equally by all who were asked and have something to send. */
static struct shared_link {
    struct audit_wait wait;
    unsigned asked, turns_most;
    uint64_t asked_ns[SCREENS];
    double left[SCREENS];    /* bytes of its answer; INFINITY: it sends nothing */
    uint64_t first_mute_ns;  /* so long the first sends nothing */
    uint64_t interrupted_ns; /* then Ctrl-C; 0: never */
} audit;

static int begin(void **state)
{
    audit = (struct shared_link){.asked = 0};
    for (unsigned i = 0; i < SCREENS; i++)
        audit.left[i] = PICTURE_BYTES;
    return 0;
}

static unsigned answers(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < audit.asked; i++)
        count += audit.left[i] <= 0;
    return count;
}

static bool sends(unsigned screen, uint64_t now_ns)
{
    const bool is_mute = screen == 0 && now_ns < BEGAN_NS + audit.first_mute_ns;
    return audit.left[screen] > 0 && audit.left[screen] < INFINITY && !is_mute;
}

static void send_to_all(struct audit_wait *seen, double bytes)
{
    unsigned senders = 0;
    for (unsigned i = 0; i < audit.asked; i++)
        senders += sends(i, seen->now_ns);
    for (unsigned i = 0; i < audit.asked && senders > 0; i++)
        if (sends(i, seen->now_ns))
            audit.left[i] -= bytes / senders;
    seen->bytes += senders > 0 ? (uint64_t)bytes : 0;
}

static void look(struct audit_wait *seen)
{
    seen->left = SCREENS - answers();
    seen->moves = audit.asked + answers();
    seen->is_hurried = audit.interrupted_ns != 0 && seen->now_ns >= BEGAN_NS + audit.interrupted_ns;
    seen->turns = 0;
    for (unsigned i = 0; i < audit.asked; i++)
        seen->turns += audit.left[i] > 0 && seen->now_ns - audit.asked_ns[i] < AUDIT_TURN_NS;
    if (seen->turns > audit.turns_most)
        audit.turns_most = seen->turns;
    audit_wait_look(&audit.wait, seen);
}

/* Returns how long it took. */
static uint64_t run(double bits_a_second)
{
    struct audit_wait seen = {.now_ns = BEGAN_NS};
    for (look(&seen); !audit_wait_is_over(&audit.wait); look(&seen)) {
        for (unsigned room = audit_wait_room(&audit.wait); room > 0 && audit.asked < SCREENS;
             room--)
            audit.asked_ns[audit.asked++] = seen.now_ns;
        assert_true(seen.now_ns < (uint64_t)MINUTES_MAX * 60000 * MS);
        seen.now_ns += LOOK_NS;
        send_to_all(&seen, bits_a_second / 8 * LOOK_NS / 1e9);
    }
    return seen.now_ns - BEGAN_NS;
}

TEST(over_a_slow_link_all_answer_in_turn, begin, NULL)
{
    assert_in_range(run(20e6), 40000 * MS, 45000 * MS); /* 42 s of pictures */
    assert_int_equal(answers(), SCREENS);
    assert_int_equal(audit.turns_most, AUDIT_TURNS);
}

/* 16 pictures take longer than a turn. */
TEST(over_a_slower_link_they_answer_too, begin, NULL)
{
    assert_in_range(run(2e6), 415000 * MS, 425000 * MS);
    assert_int_equal(answers(), SCREENS);
}

TEST(who_was_unheard_on_a_full_link_is_awaited_as_long_again, begin, NULL)
{
    audit.first_mute_ns = 60000 * MS;
    assert_in_range(run(20e6), 60000 * MS, 61000 * MS);
    assert_int_equal(answers(), SCREENS);
}

TEST(who_does_not_answer_holds_up_nobody, begin, NULL)
{
    enum { STILL = 40 };
    for (unsigned i = 0; i < STILL; i++)
        audit.left[i] = INFINITY;
    /* The others are still for half a second for each 16, and then as long again. */
    assert_in_range(run(1e9), 5000 * MS, 2 * 500 * (SCREENS / AUDIT_TURNS + 2) * MS);
    assert_int_equal(answers(), SCREENS - STILL);
}

TEST(if_nobody_answers_it_is_soon_over, begin, NULL)
{
    for (unsigned i = 0; i < SCREENS; i++)
        audit.left[i] = INFINITY;
    assert_in_range(run(1e9), 5000 * MS, 5100 * MS);
    assert_int_equal(audit.asked, SCREENS);
}

TEST(who_sends_for_ever_is_left_after_a_while, begin, NULL)
{
    enum { ENDLESS = AUDIT_TURNS };
    for (unsigned i = 0; i < ENDLESS; i++)
        audit.left[i] = 1e18;
    assert_in_range(run(100e6), 60000 * MS, 100000 * MS);
    assert_int_equal(answers(), SCREENS - ENDLESS);
}

TEST(ctrl_c_leaves_it_ten_seconds, begin, NULL)
{
    audit.interrupted_ns = 15000 * MS;
    assert_in_range(run(20e6), 25000 * MS, 25100 * MS);
    assert_in_range(answers(), SCREENS / 3, SCREENS - 1);
}
