/* Judges the finals of a search.
 *
 * Each block holds one row of each finalist, run within seconds of each other. Two finalists are
 * compared by their ratio in each block, so that slow drifts of the machine cancel out:
 *
 *   equal      the ratio's interval lies within the margin
 *   different  it does not contain 1
 *   unclear    anything else
 *
 * Whatever is equal to the best or unclear stays in the race, and the next figure decides. */
#include "scenarios/sweep/advice_result.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/json_read.h"
#include "scenarios/sweep/confidence.h"
#include "scenarios/sweep/search_space.h"

enum { FINALISTS_MAX = 16 };

#define RATE_KEPT_MIN 0.9 /* of the rate asked for: the ends of a short row take some of it */

struct finalist {
    char name[2]; /* "A" for the best by the first figure, then "B", ... */
    const struct cell *cell;
    const char *options; /* "--scheme=slices --workers=4": those that differ from the defaults */
    unsigned option_count;
    const char **lines; /* its rows by block */
    unsigned blocks;
    const char *failure; /* of the first row that is not a result; NULL: all are */
};

struct judge {
    struct arena *arena;
    const struct advice_question *question;
    struct finalist finalists[FINALISTS_MAX];
    unsigned count;
    struct finalist *ranked[FINALISTS_MAX]; /* without failures, best first */
    unsigned ranked_count;
    struct finalist *chosen, *runner_up, *defaults; /* NULL: there is none */
    struct finalist *repeated; /* the defaults again, as a result of the search */
    const char *reasons;       /* sentences, one a line */
    const char *equals;        /* finalists as good as the chosen one by the first figure */
};

/* ---- finalists ---- */

/* Options of the client whose effect a row states: `engine = auto` may be the default's engine. */
static const char *row_key(const char *option)
{
    static const char *const keys[][2] = {{"block", "block_bytes"},
                                          {"blocks", "blocks_per_receive"},
                                          {"pool-cap", "pool_cap_bytes"},
                                          {"pool-batch", "pool_batch"}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(keys[i][0], option) == 0)
            return keys[i][1];
    }
    return option;
}

static bool is_default(struct arena *arena, const char *option, const char *line,
                       const char *default_line)
{
    const char *value = json_find_copy(arena, line, row_key(option));
    const char *other = json_find_copy(arena, default_line, row_key(option));

    return value != NULL && other != NULL && strcmp(value, other) == 0;
}

static void read_options(struct arena *arena, struct finalist *finalist,
                         const struct finalist *defaults)
{
    const char *text = "";

    for (unsigned i = 0; i < finalist->cell->pair_count; i++) {
        const struct pair *pair = &finalist->cell->pairs[i];

        if (cell_find(defaults->cell, pair->key) != NULL ||
            (finalist->failure == NULL && defaults->failure == NULL &&
             is_default(arena, pair->key, finalist->lines[0], defaults->lines[0])))
            continue;
        text = arena_text(arena, "%s%s--%s=%s", text, *text == '\0' ? "" : " ", pair->key,
                          pair->value);
        finalist->option_count++;
    }
    finalist->options = text;
}

static void read_finalist(struct judge *judge, unsigned cell)
{
    const struct advice_question *question = judge->question;
    struct finalist *finalist = &judge->finalists[judge->count];

    *finalist = (struct finalist){.cell = question->cells->items[cell], .options = ""};
    for (unsigned i = 0; i < question->rows->count; i++) {
        const char *line = question->rows->lines[i];

        if (question->plan->rows[i].cell_index != cell)
            continue;
        finalist->lines =
            arena_grow(judge->arena, finalist->lines, finalist->blocks, sizeof(char *));
        finalist->lines[finalist->blocks++] = line;
        if (finalist->failure == NULL)
            finalist->failure = row_failure(judge->arena, line, question->criterion->figures[0]);
    }
    if (finalist->blocks != 0)
        judge->count++;
}

static int read_finalists(struct judge *judge, struct error *error)
{
    const struct cells *cells = judge->question->cells;

    for (unsigned i = 0; i < cells->count && judge->count < FINALISTS_MAX; i++) {
        if (strcmp(cells->items[i]->label, LABEL_SEARCH) != 0)
            read_finalist(judge, i);
    }
    if (judge->count == 0)
        return error_set(error, NULL, "nothing to recommend: no finals were run");
    for (unsigned i = 0; i < judge->count; i++) {
        if (strcmp(judge->finalists[i].cell->label, LABEL_DEFAULTS) == 0)
            judge->defaults = &judge->finalists[i];
    }
    for (unsigned i = 0; i < judge->count; i++) {
        struct finalist *finalist = &judge->finalists[i];

        if (judge->defaults != NULL && finalist != judge->defaults)
            read_options(judge->arena, finalist, judge->defaults);
        if (finalist != judge->defaults && finalist->option_count == 0 &&
            finalist->failure == NULL && judge->defaults != NULL)
            judge->repeated = finalist;
        else if (finalist->failure == NULL)
            judge->ranked[judge->ranked_count++] = finalist;
    }
    if (judge->defaults != NULL && judge->defaults->failure != NULL)
        judge->defaults = NULL;
    if (judge->ranked_count == 0)
        return error_set(error, NULL, "nothing to recommend: every finalist failed: %s",
                         judge->finalists[0].failure);
    return 0;
}

static const char *options_text(const struct finalist *finalist)
{
    return *finalist->options == '\0' ? "the client's defaults" : finalist->options;
}

/* ---- comparing ---- */

static double median_of(struct arena *arena, const struct finalist *finalist,
                        const struct figure *figure)
{
    struct samples samples = {0};

    for (unsigned i = 0; i < finalist->blocks; i++) {
        double value = figure_value(finalist->lines[i], figure);

        if (!isnan(value))
            samples_add(arena, &samples, value);
    }
    return interval_of(&samples).median;
}

/* One finalist's figure over another's. */
static struct interval ratio_of(struct arena *arena, const struct finalist *one,
                                const struct finalist *other, const struct figure *figure)
{
    struct samples samples = {0};

    for (unsigned i = 0; i < one->blocks && i < other->blocks; i++) {
        double ratio = figure_value(one->lines[i], figure) / figure_value(other->lines[i], figure);

        if (!isnan(ratio))
            samples_add(arena, &samples, ratio);
    }
    return interval_of(&samples);
}

static bool is_equal(const struct interval *ratio, double margin)
{
    return ratio->low >= 1 / (1 + margin) && ratio->high <= 1 + margin;
}

/* With too few blocks for an interval the estimate has to do. */
static bool is_different(const struct interval *ratio, double margin)
{
    if (isnan(ratio->low))
        return !(ratio->median >= 1 / (1 + margin) && ratio->median <= 1 + margin);
    return ratio->low > 1 || ratio->high < 1;
}

static bool is_as_good(const struct interval *ratio, double margin)
{
    return is_equal(ratio, margin) || !is_different(ratio, margin);
}

static const char *ratio_text(struct arena *arena, const struct interval *ratio, double margin)
{
    if (ratio->n == 0)
        return "unknown";
    if (isnan(ratio->low))
        return arena_text(arena, "%.3gx (%u blocks are too few for an interval)", ratio->median,
                          ratio->n);
    return arena_text(arena, "%.3gx (%.3g to %.3g, %u blocks), %s", ratio->median, ratio->low,
                      ratio->high, ratio->n,
                      is_equal(ratio, margin)       ? "equal within the margin"
                      : is_different(ratio, margin) ? "different"
                                                    : "unclear");
}

/* ---- choosing ---- */

static void sort_by(struct judge *judge, struct finalist **finalists, unsigned count,
                    const struct figure *figure)
{
    double costs[FINALISTS_MAX];

    for (unsigned i = 0; i < count; i++) {
        struct finalist *finalist = finalists[i];
        double median = median_of(judge->arena, finalist, figure);
        double cost = isnan(median) ? INFINITY : figure->more_is_better ? 1 / median : median;
        unsigned at = i;

        for (; at > 0 && costs[at - 1] > cost; at--) {
            costs[at] = costs[at - 1];
            finalists[at] = finalists[at - 1];
        }
        costs[at] = cost;
        finalists[at] = finalist;
    }
}

static void add_reason(struct judge *judge, const char *reason)
{
    judge->reasons = arena_text(judge->arena, "%s%s%s", judge->reasons,
                                *judge->reasons == '\0' ? "" : "\n", reason);
}

/* Leaves those of `race` that nothing sets apart from the best by the figure, the best first.
 * Returns how many. */
static unsigned keep_best(struct judge *judge, struct finalist **race, unsigned count,
                          const struct figure *figure)
{
    struct arena *arena = judge->arena;
    double margin = judge->question->margin;
    const char *others = "";
    unsigned kept = 1;

    sort_by(judge, race, count, figure);
    for (unsigned i = 1; i < count; i++) {
        struct interval ratio = ratio_of(arena, race[i], race[0], figure);

        if (ratio.n == 0 || !is_as_good(&ratio, margin))
            continue;
        others = arena_text(arena, "%s; %s %s", others, race[i]->name,
                            ratio_text(arena, &ratio, margin));
        race[kept++] = race[i];
    }
    if (count > 1)
        add_reason(judge, arena_text(arena, "Of %u, best in %s: %s%s.", count, figure->name,
                                     race[0]->name, others));
    return kept;
}

static void choose(struct judge *judge)
{
    const struct figure *const *figures = judge->question->criterion->figures;
    struct finalist *race[FINALISTS_MAX];
    unsigned count = judge->ranked_count;

    sort_by(judge, judge->ranked, count, figures[0]);
    for (unsigned i = 0; i < count; i++)
        judge->ranked[i]->name[0] = (char)('A' + i);
    memcpy(race, judge->ranked, count * sizeof *race);
    for (unsigned i = 0; figures[i] != NULL && count > 1; i++) {
        count = keep_best(judge, race, count, figures[i]);
        for (unsigned k = 0; i == 0 && count > 1 && k < count; k++)
            judge->equals = arena_text(judge->arena, "%s%s%s", judge->equals, k == 0 ? "" : "; ",
                                       options_text(race[k]));
    }
    judge->chosen = race[0];
    for (unsigned i = 1; i < count; i++) {
        if (race[i]->option_count < judge->chosen->option_count)
            judge->chosen = race[i];
    }
    if (count > 1)
        add_reason(judge, arena_text(judge->arena,
                                     "Nothing else tells them apart; the fewest options: %s.",
                                     judge->chosen->name));
    for (unsigned i = judge->ranked_count; i-- > 0;) {
        struct finalist *other = judge->ranked[i];

        if (other != judge->chosen && (judge->runner_up == NULL || other != judge->defaults))
            judge->runner_up = other;
    }
}

/* ---- what is said ---- */

static const struct figure *criterion_figure(const struct judge *judge)
{
    return judge->question->criterion->figures[0];
}

static void print_table(const struct judge *judge)
{
    const struct figure *const *figures = judge->question->criterion->figures;

    printf("finals");
    for (unsigned k = 0; figures[k] != NULL; k++)
        printf("  %14s", figures[k]->key);
    puts("  blocks  options");
    for (unsigned i = 0; i < judge->ranked_count; i++) {
        const struct finalist *finalist = judge->ranked[i];

        printf("%-6s", finalist->name);
        for (unsigned k = 0; figures[k] != NULL; k++)
            printf("  %14.4g", median_of(judge->arena, finalist, figures[k]));
        printf("  %6u  %s\n", finalist->blocks, options_text(finalist));
    }
}

static void print_against(const struct judge *judge, const char *what, const struct finalist *other)
{
    const struct figure *const *figures = judge->question->criterion->figures;

    printf("Against %s, %s:", what, other->name);
    for (unsigned i = 0; figures[i] != NULL; i++) {
        struct interval ratio = ratio_of(judge->arena, judge->chosen, other, figures[i]);

        printf("%s %s %s", i == 0 ? "" : ";", figures[i]->name,
               ratio_text(judge->arena, &ratio, judge->question->margin));
    }
    puts(".");
}

/* Whether the advice can be trusted. */
static void print_doubts(const struct judge *judge)
{
    static const struct figure rate = {.key = "rate"}, kept = {.key = "frames_per_s"};
    double asked = figure_value(judge->chosen->lines[0], &rate);
    double got = median_of(judge->arena, judge->chosen, &kept);

    if (judge->defaults == NULL) {
        puts("The client's defaults failed, so there is no comparison with them.");
    } else if (judge->defaults != judge->chosen) {
        struct interval ratio =
            ratio_of(judge->arena, judge->chosen, judge->defaults, criterion_figure(judge));

        if (isnan(ratio.low) || (!is_equal(&ratio, judge->question->margin) &&
                                 !is_different(&ratio, judge->question->margin)))
            printf("A better %s than the defaults' is not shown. More blocks (--repeat, --budget) "
                   "or a quieter machine (--check) would tell.\n",
                   criterion_figure(judge)->name);
    }
    if (got < RATE_KEPT_MIN * asked)
        printf("It does not keep up: %.0f of %.0f frames a second, so latency grows with time.\n",
               got, asked);
    if (judge->repeated != NULL && judge->defaults != NULL) {
        struct interval ratio =
            ratio_of(judge->arena, judge->repeated, judge->defaults, criterion_figure(judge));

        printf("The search found the defaults again. The two differ by chance alone: %s %s.\n",
               criterion_figure(judge)->name,
               ratio_text(judge->arena, &ratio, judge->question->margin));
    }
}

static const char *failures_of(const struct judge *judge)
{
    const struct advice_question *question = judge->question;
    const char *text = "";

    for (unsigned cell = 0; cell < question->cells->count; cell++) {
        unsigned rows = 0, bad = 0;
        const char *first = NULL;

        for (unsigned i = 0; i < question->rows->count; i++) {
            const char *failure;

            if (question->plan->rows[i].cell_index != cell)
                continue;
            rows++;
            failure = row_failure(judge->arena, question->rows->lines[i], criterion_figure(judge));
            bad += failure != NULL;
            first = first == NULL ? failure : first;
        }
        if (bad != 0)
            text = arena_text(judge->arena, "%sNo result: %s: %u of %u rows: %s\n", text,
                              question->cells->items[cell]->name, bad, rows, first);
    }
    return text;
}

static const char *command_of(const struct judge *judge)
{
    return arena_text(judge->arena, "fanin-client%s%s", *judge->chosen->options == '\0' ? "" : " ",
                      judge->chosen->options);
}

static void print_advice(const struct judge *judge)
{
    print_table(judge);
    printf("\nRecommended: %s (medians above; %s counts first).\n", judge->chosen->name,
           criterion_figure(judge)->name);
    if (*judge->reasons != '\0')
        puts(judge->reasons);
    if (judge->runner_up != NULL)
        print_against(judge, "the runner-up", judge->runner_up);
    if (judge->defaults != NULL && judge->defaults != judge->chosen &&
        judge->defaults != judge->runner_up)
        print_against(judge, "the client's defaults", judge->defaults);
    print_doubts(judge);
    fputs(failures_of(judge), stdout);
    if (*judge->question->untried != '\0')
        printf("Not tried for lack of time: %s.\n", judge->question->untried);
    printf("\n  %s\n", command_of(judge));
}

/* ---- advice.json ---- */

static void write_ratio(struct json *json, const struct judge *judge, const char *key,
                        const struct finalist *other)
{
    struct interval ratio;

    if (other == NULL || other == judge->chosen) {
        json_null(json, key);
        return;
    }
    ratio = ratio_of(judge->arena, judge->chosen, other, criterion_figure(judge));
    json_object_open(json, key);
    json_text(json, "options", other->options);
    json_number(json, "ratio", ratio.median);
    json_number(json, "low", ratio.low);
    json_number(json, "high", ratio.high);
    json_count(json, "blocks", ratio.n);
    json_object_close(json);
}

static void write_advice(struct json *json, const struct judge *judge)
{
    json_count(json, "schema", 2);
    json_text(json, "figure", criterion_figure(judge)->key);
    json_number(json, "margin", judge->question->margin);
    json_text(json, "command", command_of(judge));
    json_text(json, "reasons", judge->reasons);
    json_text(json, "equals", judge->equals);
    write_ratio(json, judge, "against_runner_up", judge->runner_up);
    write_ratio(json, judge, "against_defaults", judge->defaults);
    json_text(json, "failures", failures_of(judge));
    json_text(json, "untried", judge->question->untried);
}

int advice_judge(struct arena *arena, const struct advice_question *question, const char *directory,
                 bool quiet, struct error *error)
{
    struct judge judge = {.arena = arena, .question = question, .reasons = "", .equals = ""};
    const char *path = arena_text(arena, "%s/advice.json", directory);
    struct json json;
    FILE *file;
    int code;

    assert(question->criterion != NULL);
    if (read_finalists(&judge, error) != 0)
        return -1;
    choose(&judge);
    file = fopen(path, "wb");
    if (file == NULL)
        return error_set(error, NULL, "cannot write %s: %s", path, strerror(errno));
    json_open(&json, file);
    write_advice(&json, &judge);
    code = json_close(&json);
    if (fclose(file) != 0 || code != 0)
        return error_set(error, NULL, "cannot write %s: %s", path,
                         strerror(code != 0 ? -code : errno));
    if (!quiet)
        print_advice(&judge);
    return 0;
}
