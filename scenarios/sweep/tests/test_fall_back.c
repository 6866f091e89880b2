/* Cells and their shares of a processor, and which of them run where a share or a link cannot be
 * had. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include "scenarios/sweep/cpu_share.h"
#include "scenarios/sweep/link.h"

struct plan_fixture {
    struct arena arena;
    struct cells cells;
    struct cpu_shares shares;
    struct error error;
};

static void plan_shares(struct plan_fixture *plan, const char *keys)
{
    struct overrides none = {0};
    *plan = (struct plan_fixture){0};
    struct scenario *scenario = scenario_parse(&plan->arena, "t.conf", keys, &plan->error);
    assert_non_null(scenario);
    assert_int_equal(cells_expand(&plan->arena, scenario, &none, NULL, &plan->cells, &plan->error),
                     0);
    assert_int_equal(cpu_shares_plan(&plan->arena, &plan->cells, &plan->shares, &plan->error), 0);
}

TEST(cells_of_one_share_have_one)
{
    struct plan_fixture plan;
    plan_shares(&plan, "servers = 1\ncpu-share = 6%, 6.0%, 100%, 5.87%\ncpu-period = 40ms, 20ms\n");
    struct cell **cells = plan.cells.items;
    assert_int_equal(plan.cells.count, 8);
    assert_int_equal(plan.shares.count, 4);
    assert_non_null(cells[0]->cpu_share);
    assert_ptr_equal(cells[0]->cpu_share, cells[2]->cpu_share);
    assert_null(cells[4]->cpu_share);
    assert_int_equal(cells[0]->cpu_share->quota.quota_us, 2400);
    assert_int_equal(cells[1]->cpu_share->quota.quota_us, 1200);
    assert_int_equal(cells[6]->cpu_share->quota.quota_us, 2348);
    assert_int_equal(cells[6]->cpu_share->quota.period_us, 40000);
    assert_int_equal(cpu_shares_plan(&plan.arena, &plan.cells, &plan.shares, &plan.error), 0);
    assert_int_equal(plan.shares.count, 4);
    arena_free(&plan.arena);
}

TEST(a_share_that_is_searched_for_is_not_listed)
{
    struct plan_fixture plan;
    plan_shares(&plan, "servers = 1\ncpu-share = 6%\n");
    struct cell cell = *plan.cells.items[0];
    cell.cpu_share_asked = 0.09;
    struct cpu_share *share = cpu_share_of(&plan.arena, &plan.shares, &cell, &plan.error);
    assert_non_null(share);
    assert_int_equal(share->quota.quota_us, 3600);
    assert_ptr_equal(share->group, &plan.shares.group);
    assert_int_equal(plan.shares.count, 1);
    cell.cpu_share_asked = 0.02;
    assert_null(cpu_share_of(&plan.arena, &plan.shares, &cell, &plan.error));
    assert_contains(plan.error.text, "t.conf:2: cpu-share = 2% of");
    arena_free(&plan.arena);
}

static void lose(struct plan_fixture *plan, unsigned share)
{
    plan->shares.items[share]->status = CPU_SHARE_UNAVAILABLE;
    plan->shares.items[share]->reason = "none here";
    cpu_shares_fall_back(&plan->cells);
    cells_skip_twins(&plan->arena, &plan->cells);
}

TEST(cells_that_fall_back_to_full_speed_run_once)
{
    struct plan_fixture plan;
    plan_shares(&plan, "servers = 1\n[one]\ncpu-share = 6%, 100%, 7%\n[two]\ncpu-share = 6%, 7%\n"
                       "[three]\nlabel = A, B\ncpu-share = 6%\n");
    struct cell **cells = plan.cells.items;
    lose(&plan, 0);
    assert_string_equal(cells[0]->skip_reason,
                        "cpu-share 6% is unavailable; at full speed this cell would duplicate "
                        "cpu-share = 100%: none here");
    assert_null(cells[1]->skip_reason);
    assert_non_null(cells[2]->cpu_share);
    assert_null(cells[3]->cpu_share);
    assert_string_equal(cells[3]->cpu_share_reason, "none here");
    for (unsigned i = 1; i < plan.cells.count; i++)
        assert_null(cells[i]->skip_reason);
    lose(&plan, 1);
    assert_non_null(cells[2]->skip_reason);
    assert_null(cells[3]->skip_reason);
    assert_contains(cells[4]->skip_reason, "would duplicate cpu-share = 6%");
    arena_free(&plan.arena);
}

/* Of cells that differ in link and share, and have neither, one runs, in whatever order they
 * stand. */
TEST(cells_without_link_and_share_run_once)
{
    static const char *const orders[] = {"a, loopback", "loopback, a"};
    for (unsigned i = 0; i < 2; i++) {
        struct plan_fixture plan;
        struct link link = {.name = "a", .status = LINK_UNAVAILABLE, .reason = "no link"};
        unsigned run = 0;
        char text[80];
        snprintf(text, sizeof text, "servers = 1\nlink = %s\ncpu-share = 6%%, 7%%\n", orders[i]);
        plan_shares(&plan, text);
        for (unsigned k = 0; k < plan.cells.count; k++) {
            struct cell *cell = plan.cells.items[k];
            cell->link = strcmp(cell->link_asked, "a") == 0 ? &link : NULL;
        }
        links_fall_back(&plan.cells);
        cells_skip_twins(&plan.arena, &plan.cells);
        lose(&plan, 0);
        lose(&plan, 1);
        for (unsigned k = 0; k < plan.cells.count; k++)
            run += plan.cells.items[k]->skip_reason == NULL;
        assert_int_equal(run, 1);
        arena_free(&plan.arena);
    }
}

TEST(a_period_of_full_speed_is_one_cell)
{
    struct plan_fixture plan;
    plan_shares(&plan, "servers = 1\ncpu-share = 6%, 100%\ncpu-period = 20ms, 40ms\n");
    cells_skip_twins(&plan.arena, &plan.cells);
    for (unsigned i = 0; i < 3; i++)
        assert_null(plan.cells.items[i]->skip_reason);
    assert_string_equal(plan.cells.items[3]->skip_reason,
                        "cpu-period = 40ms changes nothing at full speed: this cell would "
                        "duplicate cpu-period = 20ms");
    arena_free(&plan.arena);
}
