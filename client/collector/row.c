/* A client's row: its first values and its JSON, both made from base/row_keys.h. */
#include "client/collector/row.h"

#include <math.h>
#include <string.h>

#include "base/os.h"

#ifndef FANIN_COMMIT
#define FANIN_COMMIT "unknown"
#endif

/* An option's value in the row: a choice is its name there. */
#define USED_text(options, key)   (options)->key
#define USED_count(options, key)  (options)->key
#define USED_number(options, key) (options)->key
#define USED_flag(options, key)   (options)->key
#define USED_choice(options, key) option_##key##_names[(options)->key]

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

void row_init(struct row *row, const struct collector_options *options)
{
    *row = (struct row){
        .options = options,
#define ROW_OPTION(kind, key, unit, null, meaning) .key = USED_##kind(options, key),
#define ROW_RESULT(kind, key, unit, null, meaning) .key = ROW_NULL_##kind,
#include "base/row_keys.h"
    };
    struct facts facts = {.host = "", .os = "", .kernel = ""};
    os_machine_describe(note_fact, &facts);
    snprintf(row->host, sizeof row->host, "%s", facts.host);
    snprintf(row->os, sizeof row->os, "%s %s", facts.os, facts.kernel);
    row->version = FANIN_VERSION " " FANIN_COMMIT;
    if (strcmp(options->engine, "auto") == 0)
        row->engine = NULL;
    row->login = options->login.given ? options->login.user : NULL;
    row->end_marker = (struct row_bytes){options->end_marker.data, options->end_marker.bytes};
    row->bottleneck = "";
    snprintf(row->audit, sizeof row->audit, "none: nothing ran");
}

void row_skip(struct row *row, const char *reason)
{
    row->status = ROW_SKIPPED;
    snprintf(row->reason, sizeof row->reason, "%s", reason);
}

int row_write(const struct row *row, FILE *out)
{
    struct json json;
    json_open(&json, out);
#define ROW_OPTION(kind, key, unit, null, meaning) row_put_##kind(&json, #key, row->key);
#define ROW_RESULT(kind, key, unit, null, meaning) row_put_##kind(&json, #key, row->key);
#include "base/row_keys.h"
    return json_close(&json);
}
