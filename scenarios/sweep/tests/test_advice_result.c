/* The recommendation of a search, from rows that are written down. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include "scenarios/sweep/advice.h"
#include "scenarios/sweep/search_space.h"

enum { CANDIDATES_MAX = 3, BLOCKS_MAX = 8 };

/* A finalist's latency in block k is p99, and `swing` times that in every second block;
 * negative: its rows fail. */
struct candidate {
    const char *scheme; /* NULL: the client's defaults, scheme chain */
    double p99, swing, cpu_s, memory;
};

static const struct {
    struct candidate candidates[CANDIDATES_MAX];
    const char *options, *said; /* options NULL: `said` is the error */
    const char *criterion;      /* NULL: latency */
    unsigned blocks;
} cases[] = {
    /* The better one, by an interval and, with few blocks, by the estimate. */
    {{{NULL, 1000, 1, 1, 9}, {"slices", 500, 1, 1, 9}, {"ring", 700, 1, 1, 9}},
     " --scheme=slices",
     .said = "\"ratio\":0.5,\"low\":0.5,\"high\":0.5",
     .blocks = 7},
    {{{NULL, 500, 1, 1, 9}, {"slices", 300, 1, 1, 90}},
     " --scheme=slices",
     .said = "\"low\":null",
     .blocks = 3},
    /* Of equals CPU time decides, then memory, then the number of options. */
    {{{NULL, 900, 1, 1, 9}, {"slices", 500, 1, 0.3, 90}, {"ring", 500, 1, 0.5, 9}},
     " --scheme=slices",
     .said = "best in CPU time",
     .blocks = 7},
    {{{NULL, 900, 1, 1, 9}, {"slices", 500, 1, 1, 90}, {"ring", 505, 1, 1, 9}},
     " --scheme=ring",
     .said = "equal within the margin",
     .blocks = 7},
    {{{NULL, 500, 1, 1, 9}, {"slices", 500, 1, 1, 9}},
     "",
     .said = "the fewest options",
     .blocks = 7},
    /* A difference that can be chance is not worth memory. */
    {{{NULL, 500, 1, 1, 9}, {"slices", 450, 2, 1, 90}}, "", .said = "unclear", .blocks = 8},
    {{{NULL, 500, 1, 1, 9}, {"slices", 450, 1, 1, 8}},
     " --scheme=slices",
     .said = "peak_rss_kb",
     .criterion = "memory",
     .blocks = 7},
    /* The search found the defaults again. */
    {{{NULL, 500, 1, 1, 9}, {"chain", 500, 1, 1, 9}, {"ring", 900, 1, 1, 9}},
     "",
     .said = NULL,
     .blocks = 7},
    /* Failures. */
    {{{NULL, 900, 1, 1, 9}, {"slices", -100, 1, 1, 9}}, "", .said = "", .blocks = 7},
    {{{NULL, -900, 1, 1, 9}, {"slices", 900, 1, 1, 9}},
     " --scheme=slices",
     .said = NULL,
     .blocks = 7},
    {{{NULL, -900, 1, 1, 9}, {"slices", -9, 1, 1, 9}},
     NULL,
     .said = "nothing to recommend: every finalist failed: failed: no route",
     .blocks = 7},
    {{{NULL, 900, 1, 1, 9}}, NULL, .said = "nothing to recommend: no finals were run", .blocks = 0},
};

static const char *row(struct arena *arena, const struct candidate *candidate, unsigned block)
{
    return arena_text(arena,
                      "{\"status\":\"%s\",\"reason\":\"no route\",\"scheme\":\"%s\","
                      "\"latency_us_p99\":%g,\"cpu_s\":%g,\"peak_rss_kb\":%g}",
                      candidate->p99 > 0 ? "ok" : "failed",
                      candidate->scheme == NULL ? "chain" : candidate->scheme,
                      candidate->p99 * (block % 2 == 0 ? candidate->swing : 1), candidate->cpu_s,
                      candidate->memory);
}

static int judge(struct fixture *fixture, unsigned index, struct error *error)
{
    struct cell cells[CANDIDATES_MAX] = {0}, *items[CANDIDATES_MAX];
    struct pair pairs[CANDIDATES_MAX];
    struct plan_row planned[CANDIDATES_MAX * BLOCKS_MAX];
    const char *lines[CANDIDATES_MAX * BLOCKS_MAX];
    struct plan plan = {.rows = planned};
    struct rows rows = {.lines = lines};
    struct cells all = {.items = items};
    const char *criterion = cases[index].criterion == NULL ? "latency" : cases[index].criterion;
    struct comparison comparison = {.criterion = criterion_find(criterion, true),
                                    .margin = 0.05,
                                    .cells = &all,
                                    .plan = &plan,
                                    .rows = &rows};
    for (unsigned i = 0; i < CANDIDATES_MAX && cases[index].candidates[i].p99 != 0; i++) {
        const struct candidate *candidate = &cases[index].candidates[i];
        pairs[i] = (struct pair){.key = "scheme", .value = candidate->scheme};
        cells[i] = (struct cell){.name = "x",
                                 .label = candidate->scheme == NULL ? LABEL_DEFAULTS : LABEL_FINAL,
                                 .pairs = &pairs[i],
                                 .pair_count = candidate->scheme != NULL};
        items[all.count++] = &cells[i];
        for (unsigned k = 0; k < cases[index].blocks; k++) {
            planned[rows.count] = (struct plan_row){.cell = &cells[i], .cell_index = i};
            lines[rows.count++] = row(&fixture->arena, candidate, k);
        }
    }
    plan.count = rows.count;
    return advice_judge(&fixture->arena, &comparison, "", fixture->folder, true, error);
}

SWEEP_TEST(the_best_is_recommended_with_reasons)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {.text = ""};
        int result = judge(fixture, i, &error);
        const char *object = read_file(fixture, "advice.json");
        if (cases[i].options == NULL) {
            assert_int_equal(result, -1);
            assert_string_equal(error.text, cases[i].said);
            continue;
        }
        if (result != 0)
            fail_msg("case %u: %s", i, error.text);
        assert_true(json_is_object(object));
        assert_text(fixture, object, "command",
                    arena_text(&fixture->arena, "fanin-client%s", cases[i].options));
        if (cases[i].said != NULL && strstr(object, cases[i].said) == NULL)
            fail_msg("case %u: \"%s\" is not in %s", i, cases[i].said, object);
    }
}
