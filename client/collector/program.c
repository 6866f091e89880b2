/* Opens a program that collects (command line, servers, requests) and reports its row. */
#include "client/collector/program.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "client/collector/summary.h"

/* Standard streams, the engine's own, the fleet's STATS, a library's. */
enum { DESCRIPTORS_SPARE = 64 };

/* ---- open ------------------------------------------------------------------------------------ */

static bool to_stdout(const struct program *program)
{
    return program->options.json != NULL && strcmp(program->options.json, "-") == 0;
}

static void complain(const struct program *program, const char *what, int error)
{
    fprintf(stderr, "%s: --json: cannot write '%s': %s\n", program->text->name, what,
            strerror(error));
}

/* Before anything runs, so that a run is not lost to a wrong path. */
static int open_json(struct program *program)
{
    const struct collector_options *options = &program->options;
    if (options->json == NULL || options->dry_run)
        return PROGRAM_OPEN;
    program->json = to_stdout(program) ? stdout : fopen(options->json, "w");
    if (program->json != NULL)
        return PROGRAM_OPEN;
    complain(program, options->json, errno);
    return EXIT_MACHINE_CANNOT;
}

int program_open(struct program *program, const struct program_text *text, int argc, char **argv)
{
    char why[ROW_LINE_BYTES];
    program->text = text;
    int parsed = collector_options_read(text, argc, argv, &program->options);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    if (servers_read(&program->servers, &program->options, why, sizeof why) != 0 ||
        request_set_fill(&program->requests, &program->options, program->servers.count, why,
                         sizeof why) != 0)
        return program_refuse(program, why);
    struct row *row = &program->row;
    const struct request *first = request_of(&program->requests, 0);
    row_init(row, &program->options);
    row->servers = program->servers.count;
    row->idle_servers = row->servers - request_asked(&program->requests, program->servers.count);
    row->request = (struct row_bytes){first->text, first->bytes};
    net_address_text(&program->servers.addresses[0], row->target);
    int result = open_json(program);
    if (result != PROGRAM_OPEN)
        servers_free(&program->servers);
    return result;
}

bool program_reserve_descriptors(struct program *program)
{
    char why[ROW_LINE_BYTES];
    uint64_t limit = 0, wanted = program->servers.count + (uint64_t)DESCRIPTORS_SPARE;
    if (os_descriptors_reserve(wanted, &limit) == 0)
        return true;
    snprintf(why, sizeof why,
             "%u servers need %llu descriptors, the hard limit is %llu: raise it (ulimit -Hn %llu "
             "as root, or nofile in /etc/security/limits.conf) or ask for fewer --servers",
             program->servers.count, (unsigned long long)wanted, (unsigned long long)limit,
             (unsigned long long)wanted);
    row_skip(&program->row, why);
    return false;
}

/* ---- close ----------------------------------------------------------------------------------- */

int program_refuse(struct program *program, const char *why)
{
    fprintf(stderr, "%s: %s\n", program->text->name, why);
    if (program->json != NULL && program->json != stdout)
        fclose(program->json);
    servers_free(&program->servers);
    return EXIT_WRONG_USE;
}

static bool write_json(struct program *program)
{
    if (program->json == NULL)
        return true;
    int result = row_write(&program->row, program->json);
    if (program->json != stdout && fclose(program->json) != 0 && result == 0)
        result = -errno;
    if (result != 0)
        complain(program, program->options.json, -result);
    return result == 0;
}

int program_close(struct program *program)
{
    static const int codes[] = {EXIT_DONE, EXIT_MEASURED_FAILURE, EXIT_MACHINE_CANNOT};
    const struct collector_options *options = &program->options;
    const struct row *row = &program->row;
    bool written = write_json(program);
    bool summary =
        !options->quiet && !to_stdout(program) && !options->dry_run && row->status != ROW_SKIPPED;
    if (summary)
        summary_write(row, stdout);
    else if (row->status != ROW_OK)
        fprintf(stderr, "%s: %s: %s\n", program->text->name,
                row->status == ROW_FAILED ? "failed" : "cannot run here", row->reason);
    if (summary && fflush(stdout) != 0) {
        fprintf(stderr, "%s: cannot write the summary: %s\n", program->text->name, strerror(errno));
        written = false;
    }
    servers_free(&program->servers);
    return !written && row->status == ROW_OK ? EXIT_MEASURED_FAILURE : codes[row->status];
}
