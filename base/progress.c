/* Progress on stderr. */
#include "base/progress.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t ns_per_s = 1000000000;
static const uint64_t redraw_every_ns = 100000000; /* on a terminal */
static const uint64_t line_every_ns = 5000000000;  /* elsewhere */

/* One less than the narrowest common terminal: a line that wraps could not be redrawn. */
enum { COLUMNS_MAX = 79 };

void progress_start(struct progress *progress, FILE *out, bool quiet, uint64_t now_ns)
{
    const char *type = getenv("TERM");
    bool dumb = type && strcmp(type, "dumb") == 0;
    *progress = (struct progress){.out = out,
                                  .terminal = !dumb && isatty(fileno(out)),
                                  .quiet = quiet,
                                  .started_ns = now_ns,
                                  .drawn_ns = now_ns};
}

static void wipe(struct progress *progress)
{
    if (progress->drawn_columns > 0)
        fprintf(progress->out, "\r%*s\r", progress->drawn_columns, "");
    progress->drawn_columns = 0;
}

static uint64_t estimate_left_ns(const struct progress *progress, uint64_t now_ns,
                                 double share_done)
{
    double elapsed_ns = (double)(now_ns - progress->started_ns);
    double left_ns = elapsed_ns * (1 - share_done) / share_done;
    return left_ns < (double)INT64_MAX ? (uint64_t)left_ns : UINT64_MAX;
}

static bool is_due(const struct progress *progress, uint64_t now_ns)
{
    if (!progress->terminal)
        return now_ns - progress->drawn_ns >= line_every_ns;
    return progress->drawn_columns == 0 || now_ns - progress->drawn_ns >= redraw_every_ns;
}

void progress_show(struct progress *progress, uint64_t now_ns, const char *what, double share_done,
                   uint64_t left_ns)
{
    assert(now_ns >= progress->started_ns);
    if (progress->quiet || !is_due(progress, now_ns))
        return;
    share_done = share_done > 0 ? share_done : 0;
    share_done = share_done < 1 ? share_done : 1;
    if (left_ns == UINT64_MAX && share_done > 0)
        left_ns = estimate_left_ns(progress, now_ns, share_done);
    char line[512], tail[64], left[32];
    snprintf(tail, sizeof(tail), "  %.0f%%%s%s%s", share_done * 100,
             left_ns == UINT64_MAX ? "" : "  ",
             left_ns == UINT64_MAX ? "" : progress_duration(left_ns, left),
             left_ns == UINT64_MAX ? "" : " left");
    int room = progress->terminal ? COLUMNS_MAX - (int)strlen(tail) : (int)sizeof(line) / 2;
    int columns = snprintf(line, sizeof(line), "%.*s%s", room, what, tail);
    if (progress->terminal)
        wipe(progress);
    fprintf(progress->out, "%s%s", line, progress->terminal ? "" : "\n");
    fflush(progress->out);
    progress->drawn_columns = progress->terminal ? columns : 0;
    progress->drawn_ns = now_ns;
}

void progress_say(struct progress *progress, const char *format, ...)
{
    if (progress->quiet)
        return;
    wipe(progress);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(progress->out, format, arguments);
    va_end(arguments);
    fputc('\n', progress->out);
    fflush(progress->out);
}

void progress_end(struct progress *progress)
{
    wipe(progress);
    fflush(progress->out);
}

const char *progress_duration(uint64_t duration_ns, char text[32])
{
    unsigned long long tenths = (duration_ns + ns_per_s / 20) / (ns_per_s / 10);
    unsigned long long seconds = (tenths + 5) / 10;
    if (tenths < 600)
        snprintf(text, 32, "%llu.%llu s", tenths / 10, tenths % 10);
    else if (seconds < 3600)
        snprintf(text, 32, "%llu min %llu s", seconds / 60, seconds % 60);
    else
        snprintf(text, 32, "%llu h %llu min", (seconds + 30) / 3600, (seconds + 30) / 60 % 60);
    return text;
}
