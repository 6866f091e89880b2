/* Which screen is asked next: time is the test's own. */
#include "base/tests/test.h"
#include "client/monitor/credit.h"

#define MS UINT64_C(1000000)

static struct credit credit;

static int close_credit(void **state)
{
    credit_close(&credit);
    return 0;
}

static void open_credit(unsigned screens, unsigned ahead, double rate, double budget)
{
    assert_true(credit_open(&credit, screens, ahead, rate, budget));
    for (unsigned i = 0; i < screens; i++)
        credit_join(&credit, i);
}

static int next_at(uint64_t now_ns)
{
    uint64_t wait_ns;
    return credit_next(&credit, now_ns, &wait_ns);
}

static void answer(unsigned screen, uint64_t bits, uint64_t now_ns)
{
    credit_answered(&credit, screen, bits, true, now_ns);
}

TEST(each_screen_is_asked_once_until_it_answers, NULL, close_credit)
{
    open_credit(3, 1, 0, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(next_at(10 * MS), i);
    assert_int_equal(next_at(20 * MS), -1);
    answer(1, 1000, 20 * MS);
    assert_int_equal(next_at(21 * MS), 1);
    assert_int_equal(next_at(21 * MS), -1);
}

TEST(ahead_is_how_many_requests_are_out, NULL, close_credit)
{
    open_credit(1, 3, 0, 0);
    assert_int_equal(next_at(9 * MS), 0); /* its turn, until the link is known to be free */
    answer(0, 1000, 10 * MS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(next_at(10 * MS), 0);
    assert_int_equal(next_at(10 * MS), -1);
}

TEST(a_hidden_screen_is_not_asked, NULL, close_credit)
{
    open_credit(2, 1, 0, 0);
    credit_show(&credit, 0, false);
    assert_int_equal(next_at(10 * MS), 1);
    assert_int_equal(next_at(10 * MS), -1);
    credit_show(&credit, 0, true);
    assert_int_equal(next_at(10 * MS), 0);
}

TEST(a_visible_screen_is_asked_at_the_rate_and_the_focused_one_always, NULL, close_credit)
{
    uint64_t wait_ns;
    open_credit(2, 1, 10, 0);
    credit_focus(&credit, 1);
    assert_int_equal(next_at(10 * MS), 1); /* first */
    assert_int_equal(next_at(10 * MS), 0);
    answer(0, 1, 10 * MS);
    answer(1, 1, 10 * MS);
    assert_int_equal(next_at(11 * MS), 1);
    assert_int_equal(credit_next(&credit, 60 * MS, &wait_ns), -1);
    assert_int_equal(wait_ns, 50 * MS);
    assert_int_equal(next_at(110 * MS), 0);
}

TEST(all_together_stay_under_the_budget, NULL, close_credit)
{
    enum { SCREENS = 20, BITS = 100000, SECONDS = 20 };
    const double budget = 10e6;
    uint64_t bits = 0, asked[SCREENS] = {0};
    open_credit(SCREENS, 1, 0, budget);
    for (uint64_t now_ns = MS; now_ns < SECONDS * 1000 * MS; now_ns += MS)
        for (int next; (next = next_at(now_ns)) >= 0;) {
            asked[next]++;
            bits += BITS;
            answer((unsigned)next, BITS, now_ns);
        }
    assert_true((double)bits < budget * SECONDS * 1.01);
    assert_true((double)bits > budget * SECONDS * 0.9);
    for (int i = 1; i < SCREENS; i++) /* who has waited longest comes first */
        assert_true(asked[i] + 2 >= asked[0] && asked[0] + 2 >= asked[i]);
}

TEST(under_a_budget_the_focused_screen_comes_first, NULL, close_credit)
{
    uint64_t focused = 0, others = 0;
    open_credit(10, 1, 0, 1e6);
    credit_focus(&credit, 7);
    for (uint64_t now_ns = MS; now_ns < 10000 * MS; now_ns += MS)
        for (int next; (next = next_at(now_ns)) >= 0;) {
            *(next == 7 ? &focused : &others) += 1;
            answer((unsigned)next, 50000, now_ns);
        }
    assert_true(focused > 100);
    assert_int_equal(others, 0);
}

TEST(a_debt_of_large_updates_is_waited_for, NULL, close_credit)
{
    uint64_t wait_ns;
    open_credit(2, 1, 0, 1e6);
    assert_int_equal(next_at(MS), 0);
    answer(0, 3000000, MS);
    assert_int_equal(credit_next(&credit, 2 * MS, &wait_ns), -1);
    assert_true(wait_ns > 2000 * MS && wait_ns < 3100 * MS);
    assert_true(next_at(2 * MS + wait_ns + MS) >= 0);
}

TEST(a_screen_that_has_gone_is_not_asked, NULL, close_credit)
{
    open_credit(1, 1, 0, 0);
    credit_leave(&credit, 0);
    assert_int_equal(next_at(10 * MS), -1);
    credit_join(&credit, 0);
    assert_int_equal(next_at(20 * MS), 0);
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* Screens, and how they answer: all behind one wire, or each behind its own. */
enum { SIM_MAX = 200 };

static struct simulation {
    uint64_t path_ns, wire_ns, own_ns; /* to the first byte, of an update on the wire, of its own */
    uint64_t now_ns, free_ns, idle_ns; /* the wire's */
    uint64_t begins_ns[SIM_MAX], ends_ns[SIM_MAX]; /* 0: was not asked */
    unsigned updates[SIM_MAX], count, asked;
} sim;

static void sim_ask(void)
{
    for (int next; (next = next_at(sim.now_ns)) >= 0; sim.asked++) {
        const uint64_t comes_ns = sim.now_ns + sim.path_ns;
        if (sim.free_ns < comes_ns) {
            sim.idle_ns += sim.free_ns > 0 ? comes_ns - sim.free_ns : 0;
            sim.free_ns = comes_ns;
        }
        sim.begins_ns[next] = sim.free_ns;
        sim.free_ns += sim.wire_ns;
        sim.ends_ns[next] = sim.free_ns + sim.own_ns;
    }
}

static void sim_step(void)
{
    sim.now_ns += MS / 4;
    for (unsigned i = 0; i < sim.count; i++) {
        if (sim.begins_ns[i] > 0 && sim.begins_ns[i] <= sim.now_ns) {
            credit_begun(&credit, i, sim.now_ns);
            sim.begins_ns[i] = 0;
        }
        if (sim.ends_ns[i] > 0 && sim.ends_ns[i] <= sim.now_ns) {
            sim.ends_ns[i] = 0;
            sim.asked--;
            sim.updates[i]++;
            answer(i, 1000, sim.now_ns);
            sim_ask();
        }
    }
    sim_ask();
}

static void simulate(unsigned count, uint64_t path_ns, uint64_t wire_ns, uint64_t own_ns)
{
    open_credit(count, 1, 0, 0);
    sim = (struct simulation){
        .path_ns = path_ns, .wire_ns = wire_ns, .own_ns = own_ns, .now_ns = MS, .count = count};
    for (unsigned i = 0; i < 40000; i++)
        sim_step();
}

TEST(behind_a_full_link_screens_take_turns, NULL, close_credit)
{
    simulate(SIM_MAX, MS, MS, 0);
    assert_true(credit.is_full);
    assert_true(sim.asked >= 10 && sim.asked <= 80); /* of 200 */
    assert_true(sim.idle_ns < 100 * MS);             /* of 10 s */
    for (unsigned i = 1; i < SIM_MAX; i++)
        assert_true(sim.updates[i] + 2 >= sim.updates[0] && sim.updates[0] + 2 >= sim.updates[i]);
}

TEST(a_link_that_becomes_full_is_noticed_and_left_again, NULL, close_credit)
{
    simulate(SIM_MAX, MS, 0, 3 * MS); /* no queue */
    assert_false(credit.is_full);
    assert_int_equal(sim.asked, SIM_MAX);
    sim.wire_ns = MS;
    for (unsigned i = 0; i < 40000; i++)
        sim_step();
    assert_true(credit.is_full && sim.asked <= 80);
    sim.wire_ns = 0;
    for (unsigned i = 0; i < 40000; i++)
        sim_step();
    assert_false(credit.is_full);
    assert_int_equal(sim.asked, SIM_MAX);
}

/* Pauses at ever other moments of what is on its way. */
TEST(a_pause_of_the_machine_is_no_full_link, NULL, close_credit)
{
    simulate(SIM_MAX, 20 * MS, 0, 3 * MS);
    for (unsigned steps = 900; steps < 1500; steps += 13) {
        sim.now_ns += 100 * MS;
        for (unsigned i = 0; i < steps; i++) {
            sim_step();
            assert_false(credit.is_full);
        }
    }
}

/* Their updates are slow each by itself, and their first bytes are not. */
TEST(screens_on_slow_links_of_their_own_are_all_asked, NULL, close_credit)
{
    simulate(SIM_MAX, 30 * MS, 0, 300 * MS);
    assert_int_equal(sim.asked, SIM_MAX);
}

TEST(a_path_that_becomes_longer_is_not_a_full_link, NULL, close_credit)
{
    simulate(SIM_MAX, MS, 0, MS);
    sim.path_ns = 200 * MS;
    for (unsigned i = 0; i < 80000; i++)
        sim_step();
    assert_false(credit.is_full);
    assert_int_equal(sim.asked, SIM_MAX);
}

/* Eight that have a turn each and stop in the middle. */
TEST(turns_that_do_not_end_keep_nobody_from_theirs, NULL, close_credit)
{
    uint64_t now_ns = 10 * MS;
    int next, asked = 0;
    open_credit(20, 1, 0, 0);
    while (next_at(now_ns) >= 0)
        asked++;
    assert_true(asked < 20);
    for (now_ns += MS; asked < 20 && now_ns < 10000 * MS; now_ns += MS)
        while ((next = next_at(now_ns)) >= 0)
            asked++;
    assert_int_equal(asked, 20);
}

TEST(the_focused_screen_needs_no_turn, NULL, close_credit)
{
    open_credit(20, 1, 0, 0);
    while (next_at(10 * MS) >= 0)
        continue;
    credit_focus(&credit, 19);
    assert_int_equal(next_at(11 * MS), 19);
    assert_false(credit.screens[19].is_certain);
    assert_int_equal(next_at(11 * MS), -1);
}

TEST(a_screen_without_news_gives_its_turn_to_another, NULL, close_credit)
{
    int last = -1;
    open_credit(20, 1, 0, 0);
    for (int next; (next = next_at(10 * MS)) >= 0; last = next)
        assert_true(credit.screens[next].is_certain);
    credit_answered(&credit, 0, 100, false, 11 * MS);
    assert_int_equal(next_at(11 * MS), 0); /* at once, and may be silent */
    assert_false(credit.screens[0].is_certain);
    assert_int_equal(next_at(11 * MS), last + 1);
    assert_true(credit.screens[last + 1].is_certain);
    assert_int_equal(next_at(11 * MS), -1);
}
