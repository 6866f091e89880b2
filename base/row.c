/* Writes the values of a row whose null JSON's own writer does not know, its summary, and both
 * where a program ends. */
#include "base/row.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/draft.h"
#include "base/options.h"
#include "base/os.h"

void row_put_status(struct json *json, const char *key, enum row_status status)
{
    static const char *const names[] = {"ok", "failed", "skipped"};
    json_text(json, key, names[status]);
}

void row_put_bytes(struct json *json, const char *key, struct row_bytes bytes)
{
    if (bytes.data == NULL)
        json_null(json, key);
    else
        json_bytes(json, key, bytes.data, bytes.bytes);
}

void row_put_integer(struct json *json, const char *key, int64_t value)
{
    if (value == INT64_MIN)
        json_null(json, key);
    else
        json_integer(json, key, value);
}

void row_put_count(struct json *json, const char *key, uint64_t value)
{
    if (value == ROW_UNKNOWN)
        json_null(json, key);
    else
        json_count(json, key, value);
}

void row_put_tally(struct json *json, const char *key, const struct row_tally *tally)
{
    json_object_open(json, key);
    for (unsigned i = 0; i < tally->used; i++)
        json_count(json, tally->items[i].name, tally->items[i].count);
    json_object_close(json);
}

void row_tally_add(struct row_tally *tally, const char *name)
{
    unsigned i = 0;
    while (i < tally->used && strcmp(tally->items[i].name, name) != 0)
        i++;
    assert(i < ROW_TALLY_NAMES);
    if (i == tally->used)
        tally->items[tally->used++].name = name;
    tally->items[i].count++;
}

void row_tally_text(const struct row_tally *tally, const char *before, char text[ROW_LINE_BYTES])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < tally->used && used < ROW_LINE_BYTES; i++)
        used +=
            (size_t)snprintf(text + used, ROW_LINE_BYTES - used, "%s%" PRIu64 " %s",
                             i == 0 ? before : ", ", tally->items[i].count, tally->items[i].name);
}

/* ---- the machine ----------------------------------------------------------------------------- */

struct facts {
    char host[128], os[128], kernel[128];
};

static void note_fact(void *context, const char *name, const char *value)
{
    struct facts *facts = context;
    if (strcmp(name, "host") == 0)
        snprintf(facts->host, sizeof facts->host, "%s", value);
    else if (strcmp(name, "os") == 0)
        snprintf(facts->os, sizeof facts->os, "%s", value);
    else if (strcmp(name, "kernel") == 0)
        snprintf(facts->kernel, sizeof facts->kernel, "%s", value);
}

void row_machine(char host[ROW_LINE_BYTES], char os[ROW_LINE_BYTES])
{
    struct facts facts = {.host = "", .os = "", .kernel = ""};
    os_machine_describe(note_fact, &facts);
    snprintf(host, ROW_LINE_BYTES, "%s", facts.host);
    snprintf(os, ROW_LINE_BYTES, "%s %s", facts.os, facts.kernel);
}

/* ---- the summary ----------------------------------------------------------------------------- */

/* Units whose values are shown in steps of 1000, beginning with `factor` times the value. */
static const struct scale {
    const char *unit;
    double factor;
    const char *shown[7];
} scales[] = {
    {"bytes", 1, {"B", "kB", "MB", "GB", "TB", "PB"}},
    {"kB", 1024, {"B", "kB", "MB", "GB", "TB", "PB"}},
    {"bytes/s", 1, {"B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s"}},
    {"us", 1, {"us", "ms", "s"}},
    {"ms", 1e3, {"us", "ms", "s"}},
    {"s", 1e6, {"us", "ms", "s"}},
};

bool row_show_number(double value, const char *unit, char text[ROW_LINE_BYTES])
{
    bool whole = value == floor(value);
    for (unsigned i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        const struct scale *scale = &scales[i];
        if (strcmp(scale->unit, unit) != 0)
            continue;
        unsigned step = 0;
        for (value *= scale->factor; value >= 999.5 && scale->shown[step + 1] != NULL; step++)
            value /= 1000;
        unit = scale->shown[step];
        whole = step == 0;
        break;
    }
    snprintf(text, ROW_LINE_BYTES, "%.*f%s%s", whole || value >= 100 ? 0 : 2, value,
             unit[0] != '\0' ? " " : "", unit);
    return !isnan(value);
}

bool row_show_count(uint64_t value, const char *unit, char text[ROW_LINE_BYTES])
{
    return row_show_number(value == ROW_UNKNOWN ? NAN : (double)value, unit, text);
}

bool row_show_text(const char *value, const char *unit, char text[ROW_LINE_BYTES])
{
    snprintf(text, ROW_LINE_BYTES, "%s", value != NULL ? value : "");
    return text[0] != '\0';
}

/* False: it does not apply to this row. */
static bool line_write(const struct row_line *line, row_show *show, const void *row, FILE *out)
{
    char text[4 * ROW_LINE_BYTES], key[64], value[ROW_LINE_BYTES];
    int used = snprintf(text, sizeof text, "%-12s", line->name);
    for (const char *at = line->text; *at != '\0';) {
        size_t bytes = strcspn(at, "{[}]");
        const bool is_key = at > line->text && (at[-1] == '{' || at[-1] == '[');
        snprintf(is_key ? key : value, is_key ? sizeof key : sizeof value, "%.*s", (int)bytes, at);
        if (is_key && (!show(row, key, value) || (at[-1] == '[' && value[0] == '0')))
            return false;
        used += snprintf(text + used, sizeof text - (size_t)used, "%s", value);
        at += bytes + (at[bytes] != '\0');
    }
    fprintf(out, "%s\n", text);
    return true;
}

void row_lines_write(const struct row_line *lines, unsigned count, const char *left_out,
                     row_show *show, const void *row, FILE *out)
{
    const char *written = "";
    for (unsigned i = 0; i < count; i++)
        if (strcmp(lines[i].name, written) != 0 &&
            (left_out == NULL || strcmp(lines[i].name, left_out) != 0) &&
            line_write(&lines[i], show, row, out))
            written = lines[i].name;
}

/* ---- how a program leaves its row ------------------------------------------------------------ */

static bool json_written(const char *program, const char *json, int result)
{
    if (result != 0)
        fprintf(stderr, "%s: --json: cannot write '%s': %s\n", program, json, strerror(-result));
    return result == 0;
}

bool row_json_check(const char *program, const char *json)
{
    return json == NULL || json_written(program, json, draft_check(json));
}

static bool row_leave(const struct row_end *end)
{
    struct draft draft;
    int result = draft_open(&draft, end->json);
    if (result == 0)
        result = draft_close(&draft, end->write(end->row, draft.out));
    return json_written(end->program, end->json, result);
}

/* A reader that has seen enough, such as head, is no failure. */
static bool summary_written(const struct row_end *end)
{
    end->summarize(end->row, stdout);
    if (fflush(stdout) == 0 || errno == EPIPE)
        return true;
    fprintf(stderr, "%s: cannot write the summary: %s\n", end->program, strerror(errno));
    return false;
}

int row_end(const struct row_end *end)
{
    static const int codes[] = {EXIT_DONE, EXIT_MEASURED_FAILURE, EXIT_MACHINE_CANNOT};
    const bool on_stdout = end->json != NULL && strcmp(end->json, "-") == 0;
    bool written = end->json == NULL || row_leave(end);
    if (!end->quiet && !on_stdout && end->status != ROW_SKIPPED)
        written = summary_written(end) && written;
    else if (end->status != ROW_OK)
        fprintf(stderr, "%s: %s: %s\n", end->program,
                end->status == ROW_FAILED ? "failed" : "cannot run here", end->reason);
    return written ? codes[end->status] : EXIT_MACHINE_CANNOT;
}
