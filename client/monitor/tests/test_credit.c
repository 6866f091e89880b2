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

TEST(each_screen_is_asked_once_until_it_answers, NULL, close_credit)
{
    open_credit(3, 1, 0, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(next_at(10 * MS), i);
    assert_int_equal(next_at(20 * MS), -1);
    credit_answered(&credit, 1, 1000);
    assert_int_equal(next_at(21 * MS), 1);
    assert_int_equal(next_at(21 * MS), -1);
}

TEST(ahead_is_how_many_requests_are_out, NULL, close_credit)
{
    open_credit(1, 3, 0, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(next_at(10 * MS), 0);
    assert_int_equal(next_at(10 * MS), -1);
}

TEST(a_hidden_screen_is_not_asked, NULL, close_credit)
{
    open_credit(2, 1, 0, 0);
    credit.screens[0].hidden = true;
    assert_int_equal(next_at(10 * MS), 1);
    assert_int_equal(next_at(10 * MS), -1);
    credit.screens[0].hidden = false;
    assert_int_equal(next_at(10 * MS), 0);
}

TEST(a_visible_screen_is_asked_at_the_rate_and_the_focused_one_always, NULL, close_credit)
{
    uint64_t wait_ns;
    open_credit(2, 1, 10, 0);
    credit.screens[1].focused = true;
    assert_int_equal(next_at(10 * MS), 1); /* first */
    assert_int_equal(next_at(10 * MS), 0);
    credit_answered(&credit, 0, 1);
    credit_answered(&credit, 1, 1);
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
            credit_answered(&credit, (unsigned)next, BITS);
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
    credit.screens[7].focused = true;
    for (uint64_t now_ns = MS; now_ns < 10000 * MS; now_ns += MS)
        for (int next; (next = next_at(now_ns)) >= 0;) {
            *(next == 7 ? &focused : &others) += 1;
            credit_answered(&credit, (unsigned)next, 50000);
        }
    assert_true(focused > 100);
    assert_int_equal(others, 0);
}

TEST(a_debt_of_large_updates_is_waited_for, NULL, close_credit)
{
    uint64_t wait_ns;
    open_credit(2, 1, 0, 1e6);
    assert_int_equal(next_at(MS), 0);
    credit_answered(&credit, 0, 3000000);
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
