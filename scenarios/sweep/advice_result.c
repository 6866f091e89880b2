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
#include "scenarios/sweep/advice.h"

#include <math.h>
#include <string.h>

#include "base/json_read.h"
#include "base/row.h"
#include "scenarios/sweep/search_space.h"

enum { FINALISTS_MAX = 16 };

#define RATE_KEPT_MIN 0.9 /* of the rate asked for: the ends of a short row take some of it */

struct finalist {
    char name[2]; /* "A" for the best by the first figure, then "B", ... */
    const struct cell *cell;
    const char *options; /* "--scheme=slices --workers=4": those that differ from the defaults */
    unsigned option_count;
    struct cell_rows rows; /* by block */
    double cost;           /* by the figure that was sorted by last */
};

struct judge {
    struct arena *arena;
    const struct comparison *comparison;
    const struct figure *const *figures; /* the criterion's */
    struct finalist finalists[FINALISTS_MAX];
    unsigned count;
    struct finalist *ranked[FINALISTS_MAX]; /* without failures, best first */
    unsigned ranked_count;
    struct finalist *chosen, *runner_up, *defaults; /* NULL: there is none */
    struct finalist *repeated; /* the defaults again, as a result of the search */
    const char *reasons;       /* sentences, one a line */
    const char *equals;        /* finalists as good as the chosen one by the first figure */
    const char *failures;      /* lines */
    const char *untried;       /* axes that there was no time for */
};

/* ---- finalists ---- */

/* Whether two rows state the same effect of a client's option: `engine = auto` may be the default's
 * engine. */
static bool rows_agree(struct arena *arena, const char *option, const char *one, const char *other)
{
    static const char *const keys[][2] = {{"block", "block_bytes"},
                                          {"blocks", "blocks_per_receive"},
                                          {"pool-cap", "pool_cap_bytes"},
                                          {"pool-batch", "pool_batch"}};
    const char *key = option;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(keys[i][0], option) == 0)
            key = keys[i][1];
    }
    one = json_find_copy(arena, one, key);
    other = json_find_copy(arena, other, key);
    return one != NULL && other != NULL && strcmp(one, other) == 0;
}

static void read_options(struct arena *arena, struct finalist *finalist,
                         const struct finalist *defaults)
{
    bool sound = finalist->rows.failure == NULL && defaults->rows.failure == NULL;
    for (unsigned i = 0; i < finalist->cell->pair_count; i++) {
        const struct pair *pair = &finalist->cell->pairs[i];
        if (cell_find(defaults->cell, pair->key) != NULL ||
            (sound &&
             rows_agree(arena, pair->key, finalist->rows.lines[0], defaults->rows.lines[0])))
            continue;
        finalist->options =
            text_join(arena, finalist->options, arena_text(arena, "--%s", pair->key), pair->value);
        finalist->option_count++;
    }
}

static void find_finalists(struct judge *judge)
{
    const struct cells *cells = judge->comparison->cells;
    for (unsigned i = 0; i < cells->count && judge->count < FINALISTS_MAX; i++) {
        const struct cell *cell = cells->items[i];
        struct cell_rows rows = cell_rows_read(judge->arena, judge->comparison, i);
        if (rows.failure != NULL)
            judge->failures =
                arena_text(judge->arena, "%sNo result: %s: %u of %u rows: %s\n", judge->failures,
                           cell->name, rows.bad, rows.count, rows.failure);
        if (rows.count == 0 || strcmp(cell->label, LABEL_SEARCH) == 0)
            continue;
        if (strcmp(cell->label, LABEL_DEFAULTS) == 0)
            judge->defaults = &judge->finalists[judge->count];
        judge->finalists[judge->count++] =
            (struct finalist){.cell = cell, .options = "", .rows = rows};
    }
}

static int read_finalists(struct judge *judge, struct error *error)
{
    find_finalists(judge);
    if (judge->count == 0)
        return error_set(error, NULL, "nothing to recommend: no finals were run");
    for (unsigned i = 0; i < judge->count; i++) {
        struct finalist *finalist = &judge->finalists[i];
        bool compared = judge->defaults != NULL && finalist != judge->defaults;
        if (compared)
            read_options(judge->arena, finalist, judge->defaults);
        if (finalist->rows.failure != NULL)
            continue;
        if (compared && finalist->option_count == 0)
            judge->repeated = finalist;
        else
            judge->ranked[judge->ranked_count++] = finalist;
    }
    if (judge->defaults != NULL && judge->defaults->rows.failure != NULL)
        judge->defaults = NULL;
    if (judge->ranked_count == 0)
        return error_set(error, NULL, "nothing to recommend: every finalist failed: %s",
                         judge->finalists[0].rows.failure);
    return 0;
}

static const char *options_text(const struct finalist *finalist)
{
    return *finalist->options == '\0' ? "the client's defaults" : finalist->options;
}

/* ---- comparing ---- */

/* Of one finalist's figure in each block, or of its ratio over the figure of `other`. */
static struct interval interval_of_figure(const struct judge *judge, const struct finalist *one,
                                          const struct finalist *other, const struct figure *figure)
{
    struct samples samples = {0};
    for (unsigned i = 0; i < one->rows.count && (other == NULL || i < other->rows.count); i++) {
        double value = figure_value(one->rows.lines[i], figure);
        if (other != NULL)
            value /= figure_value(other->rows.lines[i], figure);
        if (!isnan(value))
            samples_add(judge->arena, &samples, value);
    }
    return interval_of(&samples);
}

struct contrast {
    struct interval ratio;
    bool equal, different;
    const char *text;
};

/* With too few blocks for an interval the estimate has to do. */
static struct contrast contrast_of(const struct judge *judge, const struct finalist *one,
                                   const struct finalist *other, const struct figure *figure)
{
    struct interval ratio = interval_of_figure(judge, one, other, figure);
    double most = 1 + judge->comparison->margin, least = 1 / most;
    struct contrast contrast = {.ratio = ratio, .text = "unknown"};
    if (ratio.n != 0 && isnan(ratio.low)) {
        contrast.different = ratio.median < least || ratio.median > most;
        contrast.text = arena_text(judge->arena, "%.3gx (%u blocks are too few for an interval)",
                                   ratio.median, ratio.n);
    } else if (ratio.n != 0) {
        contrast.equal = ratio.low >= least && ratio.high <= most;
        contrast.different = !contrast.equal && (ratio.low > 1 || ratio.high < 1);
        contrast.text = arena_text(judge->arena, "%.3gx (%.3g to %.3g, %u blocks), %s",
                                   ratio.median, ratio.low, ratio.high, ratio.n,
                                   contrast.equal       ? "equal within the margin"
                                   : contrast.different ? "different"
                                                        : "unclear");
    }
    return contrast;
}

/* ---- choosing ---- */

static void sort_by(const struct judge *judge, struct finalist **finalists, unsigned count,
                    const struct figure *figure)
{
    for (unsigned i = 0; i < count; i++) {
        struct finalist *finalist = finalists[i];
        unsigned at = i;
        finalist->cost =
            figure_cost(interval_of_figure(judge, finalist, NULL, figure).median, figure);
        for (; at > 0 && finalists[at - 1]->cost > finalist->cost; at--)
            finalists[at] = finalists[at - 1];
        finalists[at] = finalist;
    }
}

/* Leaves those of `race` that nothing sets apart from the best by the figure, the best first.
 * Returns how many. */
static unsigned keep_best(struct judge *judge, struct finalist **race, unsigned count,
                          const struct figure *figure)
{
    const char *others = "";
    unsigned kept = 1;
    sort_by(judge, race, count, figure);
    for (unsigned i = 1; i < count; i++) {
        struct contrast contrast = contrast_of(judge, race[i], race[0], figure);
        if (contrast.ratio.n == 0 || contrast.different)
            continue;
        others = arena_text(judge->arena, "%s; %s %s", others, race[i]->name, contrast.text);
        race[kept++] = race[i];
    }
    judge->reasons = arena_join(judge->arena, judge->reasons, "\n",
                                arena_text(judge->arena, "Of %u, best in %s: %s%s.", count,
                                           figure->name, race[0]->name, others));
    return kept;
}

static void choose(struct judge *judge)
{
    struct finalist *race[FINALISTS_MAX];
    unsigned count = judge->ranked_count;
    sort_by(judge, judge->ranked, count, judge->figures[0]);
    for (unsigned i = 0; i < count; i++)
        judge->ranked[i]->name[0] = (char)('A' + i);
    memcpy(race, judge->ranked, count * sizeof *race);
    for (unsigned i = 0; judge->figures[i] != NULL && count > 1; i++) {
        count = keep_best(judge, race, count, judge->figures[i]);
        for (unsigned k = 0; i == 0 && count > 1 && k < count; k++)
            judge->equals = arena_join(judge->arena, judge->equals, "; ", options_text(race[k]));
    }
    judge->chosen = race[0];
    for (unsigned i = 1; i < count; i++) {
        if (race[i]->option_count < judge->chosen->option_count)
            judge->chosen = race[i];
    }
    if (count > 1)
        judge->reasons =
            arena_text(judge->arena, "%s\nNothing else tells them apart; the fewest options: %s.",
                       judge->reasons, judge->chosen->name);
    for (unsigned i = judge->ranked_count; i-- > 0;) {
        struct finalist *other = judge->ranked[i];
        if (other != judge->chosen && (judge->runner_up == NULL || other != judge->defaults))
            judge->runner_up = other;
    }
}

/* ---- what is said ---- */

static const char *command_of(const struct judge *judge)
{
    return arena_text(judge->arena, "fanin-client%s%s", *judge->chosen->options == '\0' ? "" : " ",
                      judge->chosen->options);
}

static void print_table(const struct judge *judge)
{
    printf("finals");
    for (unsigned k = 0; judge->figures[k] != NULL; k++)
        printf("  %14s", judge->figures[k]->key);
    puts("  blocks  options");
    for (unsigned i = 0; i < judge->ranked_count; i++) {
        const struct finalist *finalist = judge->ranked[i];
        printf("%-6s", finalist->name);
        for (unsigned k = 0; judge->figures[k] != NULL; k++)
            printf("  %14.4g", interval_of_figure(judge, finalist, NULL, judge->figures[k]).median);
        printf("  %6u  %s\n", finalist->rows.count, options_text(finalist));
    }
}

static void print_against(const struct judge *judge, const char *what, const struct finalist *other)
{
    if (other == NULL || other == judge->chosen)
        return;
    printf("Against %s, %s:", what, other->name);
    for (unsigned i = 0; judge->figures[i] != NULL; i++)
        printf("%s %s %s", i == 0 ? "" : ";", judge->figures[i]->name,
               contrast_of(judge, judge->chosen, other, judge->figures[i]).text);
    puts(".");
}

/* Whether the advice can be trusted. */
static void print_doubts(const struct judge *judge)
{
    static const struct figure rate = {.key = "rate"}, kept = {.key = "frames_per_s"};
    const struct figure *first = judge->figures[0];
    double asked = figure_value(judge->chosen->rows.lines[0], &rate);
    double got = interval_of_figure(judge, judge->chosen, NULL, &kept).median;
    if (judge->defaults == NULL) {
        puts("The client's defaults failed, so there is no comparison with them.");
    } else if (judge->defaults != judge->chosen) {
        struct contrast contrast = contrast_of(judge, judge->chosen, judge->defaults, first);
        if (isnan(contrast.ratio.low) || (!contrast.equal && !contrast.different))
            printf("A better %s than the defaults' is not shown. More blocks (--repeat, --budget) "
                   "or a quieter machine (--check) would tell.\n",
                   first->name);
    }
    if (got < RATE_KEPT_MIN * asked)
        printf("It does not keep up: %.0f of %.0f frames a second, so latency grows with time.\n",
               got, asked);
    if (judge->repeated != NULL && judge->defaults != NULL)
        printf("The search found the defaults again. The two differ by chance alone: %s %s.\n",
               first->name, contrast_of(judge, judge->repeated, judge->defaults, first).text);
}

static void print_advice(const struct judge *judge)
{
    print_table(judge);
    printf("\nRecommended: %s (medians above; %s counts first).\n", judge->chosen->name,
           judge->figures[0]->name);
    if (*judge->reasons != '\0')
        puts(judge->reasons);
    print_against(judge, "the runner-up", judge->runner_up);
    if (judge->defaults != judge->runner_up)
        print_against(judge, "the client's defaults", judge->defaults);
    print_doubts(judge);
    fputs(judge->failures, stdout);
    if (*judge->untried != '\0')
        printf("Not tried for lack of time: %s.\n", judge->untried);
    printf("\n  %s\n", command_of(judge));
}

static void write_ratio(struct json *json, const struct judge *judge, const char *key,
                        const struct finalist *other)
{
    if (other == NULL || other == judge->chosen) {
        json_null(json, key);
        return;
    }
    struct interval ratio = contrast_of(judge, judge->chosen, other, judge->figures[0]).ratio;
    json_object_open(json, key);
    json_text(json, "options", other->options);
    json_number(json, "ratio", ratio.median);
    json_number(json, "low", ratio.low);
    json_number(json, "high", ratio.high);
    json_count(json, "blocks", ratio.n);
    json_object_close(json);
}

static void write_advice(struct json *json, const void *context)
{
    const struct judge *judge = context;
    json_count(json, "schema", ROW_SCHEMA);
    json_text(json, "figure", judge->figures[0]->key);
    json_number(json, "margin", judge->comparison->margin);
    json_text(json, "command", command_of(judge));
    json_text(json, "reasons", judge->reasons);
    json_text(json, "equals", judge->equals);
    write_ratio(json, judge, "against_runner_up", judge->runner_up);
    write_ratio(json, judge, "against_defaults", judge->defaults);
    json_text(json, "failures", judge->failures);
    json_text(json, "untried", judge->untried);
}

int advice_judge(struct arena *arena, const struct comparison *comparison, const char *untried,
                 const char *directory, bool quiet, struct error *error)
{
    struct judge judge = {.arena = arena, .comparison = comparison, .untried = untried};
    judge.figures = comparison->criterion->figures;
    judge.reasons = judge.equals = judge.failures = "";
    if (read_finalists(&judge, error) != 0)
        return -1;
    choose(&judge);
    const char *path = arena_text(arena, "%s/advice.json", directory);
    int code = json_write_file(path, write_advice, &judge);
    if (code != 0)
        return error_system(error, NULL, code, "cannot write %s", path);
    if (!quiet)
        print_advice(&judge);
    return 0;
}
