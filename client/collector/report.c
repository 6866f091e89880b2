#include "client/collector/report.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "client/collector/summary.h"

static bool to_stdout(const struct collector_options *options)
{
    return options->json != NULL && strcmp(options->json, "-") == 0;
}

int report_open(struct report *report, const char *program, const struct collector_options *options)
{
    *report = (struct report){.program = program, .options = options};
    if (options->json == NULL || options->dry_run)
        return EXIT_DONE;
    report->json = to_stdout(options) ? stdout : fopen(options->json, "w");
    if (report->json != NULL)
        return EXIT_DONE;
    fprintf(stderr, "%s: --json: cannot write '%s': %s\n", program, options->json, strerror(errno));
    return EXIT_MACHINE_CANNOT;
}

void report_drop(struct report *report)
{
    if (report->json != NULL && report->json != stdout)
        fclose(report->json);
    report->json = NULL;
}

static int write_json(struct report *report, const struct row *row)
{
    int result = row_write(row, report->json);
    if (report->json != stdout && fclose(report->json) != 0 && result == 0)
        result = -errno;
    report->json = NULL;
    if (result != 0)
        fprintf(stderr, "%s: --json: cannot write '%s': %s\n", report->program,
                report->options->json, strerror(-result));
    return result;
}

int report_close(struct report *report, const struct row *row)
{
    static const int codes[] = {EXIT_DONE, EXIT_MEASURED_FAILURE, EXIT_MACHINE_CANNOT};
    const struct collector_options *options = report->options;
    bool written = report->json == NULL || write_json(report, row) == 0;
    bool summary =
        !options->quiet && !to_stdout(options) && !options->dry_run && row->status != ROW_SKIPPED;
    if (summary)
        summary_write(row, stdout);
    if (row->status != ROW_OK && !summary)
        fprintf(stderr, "%s: %s: %s\n", report->program,
                row->status == ROW_FAILED ? "failed" : "cannot run here", row->reason);
    if (summary && fflush(stdout) != 0) {
        fprintf(stderr, "%s: cannot write the summary: %s\n", report->program, strerror(errno));
        written = false;
    }
    if (!written && row->status == ROW_OK)
        return EXIT_MEASURED_FAILURE;
    return codes[row->status];
}
