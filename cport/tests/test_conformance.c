/* The conformance suite: each behaviour of a completion port that the portable API exposes, by its
 * number in the project's list of Windows' behaviours (1 to 61; S1 to S9 are the vectors of its
 * concurrency algorithm), on every engine that runs here. The table in cport/README.md says what
 * each engine does; this program fails where the table differs from what it saw.
 *
 *   test_conformance [--engine NAME] [--table FILE] [--matrix]      prints TAP, or the table itself
 *
 * Plain C without a test library, so that it also runs where there is none. */
#include <stdio.h>

#include "cport/tests/conformance/stage.h"
#include "cport/tests/conformance/vectors.h"

struct behaviour {
    const char *number, *name;
    void (*run)(struct stage *stage);
    unsigned limit;
    enum setup setup;
};

static const struct behaviour behaviours[] = {
#define X(number, name, function, limit, setup) {number, name, function, limit, setup},
    BEHAVIOURS(X)
#undef X
};

enum {
    FUNCTIONS = sizeof behaviours / sizeof behaviours[0],
    ROWS = FUNCTIONS + VECTORS,
    SAW_BYTES = 256,
};

/* The table's rows: first the functions, then the vectors. */
static const char *number_of(unsigned row)
{
    return row < FUNCTIONS ? behaviours[row].number : vectors[row - FUNCTIONS].number;
}

static const char *name_of(unsigned row)
{
    return row < FUNCTIONS ? behaviours[row].name : vectors[row - FUNCTIONS].name;
}

/* "holds", "skip: why", or "differs: what". */
static void observe(const char *engine, unsigned row, char *saw)
{
    struct stage stage = {.engine = engine};
    const struct vector *vector = row < FUNCTIONS ? NULL : &vectors[row - FUNCTIONS];
    const char *problem =
        vector ? conformance_open(&stage, vector->limit, ALONE)
               : conformance_open(&stage, behaviours[row].limit, behaviours[row].setup);
    if (!problem && vector)
        problem = vector_run(vector, stage.port, stage.far_port);
    else if (!problem)
        behaviours[row].run(&stage);
    conformance_close(&stage);
    if (stage.problem)
        problem = stage.problem;
    if (!problem)
        snprintf(saw, SAW_BYTES, "holds");
    else if (strncmp(problem, "skip: ", 6) == 0)
        snprintf(saw, SAW_BYTES, "%s", problem);
    else
        snprintf(saw, SAW_BYTES, "differs: %.200s", problem);
}

/* ---- the table ----------------------------------------------------------------------------- */

/* The cell of a Markdown table's line, trimmed, into `text`; false: the line has no such cell. */
static bool cell(const char *line, unsigned column, char *text, size_t text_bytes)
{
    const char *start = line;
    for (unsigned skip = 0; skip <= column; skip++) {
        start = strchr(start, '|');
        if (!start++)
            return false;
    }
    const char *end = strchr(start, '|');
    if (!end)
        return false;
    while (start < end && *start == ' ')
        start++;
    while (end > start && end[-1] == ' ')
        end--;
    snprintf(text, text_bytes, "%.*s", (int)(end - start), start);
    return true;
}

/* The column of a table's head that names the engine; 0: none. */
static unsigned column_of(const char *line, const char *engine)
{
    char head[64];
    for (unsigned column = 2; cell(line, column, head, sizeof head); column++)
        if (strcmp(head, engine) == 0)
            return column;
    return 0;
}

/* What the table promises of a behaviour: "holds" or "differs: ..."; "" if it says nothing. */
static void promised(const char *table, const char *engine, const char *number, char *text,
                     size_t text_bytes)
{
    char line[1024], head[64];
    unsigned column = 0;
    FILE *file = fopen(table, "r");
    text[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        if (!cell(line, 0, head, sizeof head))
            continue;
        if (strcmp(head, "no.") == 0)
            column = column_of(line, engine);
        else if (column > 0 && strcmp(head, number) == 0)
            cell(line, column, text, text_bytes);
    }
    if (file)
        fclose(file);
}

/* ---- running ------------------------------------------------------------------------------- */

static unsigned test_number;

/* The format that the suites with a test library print, too. */
static bool report(const char *engine, unsigned row, const char *saw, const char *promise)
{
    test_number++;
    bool skipped = strncmp(saw, "skip", 4) == 0;
    bool same = strncmp(saw, promise, strncmp(promise, "differs", 7) == 0 ? 7 : strlen(saw)) == 0;
    /* The table's iocp is Wine's; Windows itself may show more. */
    same |= strcmp(promise, "not shown") == 0 && strcmp(saw, "holds") == 0;
    if (skipped)
        printf("skip: %s\nnot ok %u # SKIP %s_%s\n", saw + 6, test_number, engine, number_of(row));
    else if (same)
        printf("ok %u - %s [%s]: %s\n", test_number, name_of(row), engine, saw);
    else
        printf("not ok %u - %s [%s]: %s; the table says \"%s\"\n", test_number, name_of(row),
               engine, saw, promise);
    fflush(stdout);
    return skipped || same;
}

static unsigned run_engine(const char *engine, const char *table)
{
    unsigned failures = 0;
    for (unsigned row = 0; row < ROWS; row++) {
        char saw[SAW_BYTES], promise[SAW_BYTES];
        observe(engine, row, saw);
        promised(table, engine, number_of(row), promise, sizeof promise);
        failures += !report(engine, row, saw, promise);
    }
    return failures;
}

static void print_matrix(void)
{
    printf("| no. | behaviour |");
    for (unsigned index = 0; cp_engine_list(index, NULL); index++)
        printf(" %s |", cp_engine_list(index, NULL));
    printf("\n");
    for (unsigned row = 0; row < ROWS; row++) {
        printf("| %s | %s |", number_of(row), name_of(row));
        for (unsigned engine = 0; cp_engine_list(engine, NULL); engine++) {
            char saw[SAW_BYTES];
            observe(cp_engine_list(engine, NULL), row, saw);
            printf(" %s |", saw);
        }
        printf("\n");
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    const char *only = NULL, *table = "cport/README.md";
    unsigned failures = 0, planned = 0;
    char why[256];
    for (int index = 1; index < argc; index++) {
        if (strcmp(argv[index], "--matrix") == 0) {
            print_matrix();
            return 0;
        }
        if (strcmp(argv[index], "--engine") == 0 && index + 1 < argc)
            only = argv[++index];
        else if (strcmp(argv[index], "--table") == 0 && index + 1 < argc)
            table = argv[++index];
    }
    const char *engine;
    for (unsigned index = 0; (engine = cp_engine_list(index, NULL)); index++)
        if (!only || strcmp(only, engine) == 0)
            planned += runs_here(engine, why, sizeof why) ? ROWS : 1;
    printf("1..%u\n", planned);
    for (unsigned index = 0; (engine = cp_engine_list(index, NULL)); index++) {
        if (only && strcmp(only, engine) != 0)
            continue;
        if (runs_here(engine, why, sizeof why))
            failures += run_engine(engine, table);
        else
            printf("skip: %s\nnot ok %u # SKIP %s\n", why, ++test_number, engine);
    }
    return failures > 0;
}
