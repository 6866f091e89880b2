/* Appends lines of JSON to the journal. */
#include "client/monitor/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/json.h"
#include "base/os.h"

enum { TIME_BYTES = 40 };

struct journal {
    FILE *out;
    pthread_mutex_t lock;
    int error; /* of the first line that failed */
};

int journal_open(struct journal **opened, const char *path)
{
    *opened = NULL;
    if (path == NULL)
        return 0;
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL)
        return -ENOMEM;
    journal->out = fopen(path, "a");
    if (journal->out == NULL) {
        const int error = -errno;
        free(journal);
        return error;
    }
    pthread_mutex_init(&journal->lock, NULL);
    *opened = journal;
    return 0;
}

/* "2026-11-27T09:15:04.123Z" */
static void write_time(struct json *json)
{
    const uint64_t now_ns = os_wall_ns();
    const time_t seconds = (time_t)(now_ns / OS_NS_PER_S);
    char day[TIME_BYTES / 2 + 4], text[TIME_BYTES];
    const struct tm *utc = gmtime(&seconds); /* under the journal's lock */
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", utc);
    snprintf(text, sizeof text, "%s.%03uZ", day, (unsigned)(now_ns % OS_NS_PER_S / OS_NS_PER_MS));
    json_text(json, "time", text);
}

static void put_text(struct json *json, const char *key, const char *text)
{
    if (text != NULL)
        json_text(json, key, text);
}

void journal_write(struct journal *journal, const struct journal_line *line)
{
    struct json json;
    char size[32];
    if (journal == NULL)
        return;
    pthread_mutex_lock(&journal->lock);
    json_open(&json, journal->out);
    write_time(&json);
    put_text(&json, "event", line->event);
    if (line->screen >= 0)
        json_integer(&json, "screen", line->screen);
    put_text(&json, "name", line->name);
    put_text(&json, "from", line->from);
    snprintf(size, sizeof size, "%ux%u", line->width, line->height);
    put_text(&json, "size", line->width > 0 ? size : NULL);
    put_text(&json, "reason", line->reason);
    put_text(&json, "said", line->said);
    if (line->has_input) {
        json_count(&json, "keys", line->keys);
        json_count(&json, "pointers", line->pointers);
    }
    if (line->has_traffic) {
        json_count(&json, "updates", line->updates);
        json_count(&json, "bytes", line->bytes);
    }
    const int error = json_close(&json);
    if (error != 0 && journal->error == 0)
        journal->error = error;
    pthread_mutex_unlock(&journal->lock);
}

int journal_close(struct journal *journal)
{
    if (journal == NULL)
        return 0;
    int error = journal->error;
    if (fclose(journal->out) != 0 && error == 0)
        error = -errno;
    pthread_mutex_destroy(&journal->lock);
    free(journal);
    return error;
}
