/* fanin-lan: the paper's LAN on one machine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/json.h"
#include "base/os.h"
#include "mock_servers/lan/check.h"
#include "mock_servers/lan/namespace.h"
#include "mock_servers/lan/options.h"

static int stats_write(FILE *file, struct link *link, int exit_code,
                       const struct session_results *results)
{
    struct link_figures figures;
    struct json json;
    link_read(link, &figures);
    json_open(&json, file);
    json_text(&json, "link", link_name(link));
    json_flag(&json, "realtime", figures.realtime);
    json_integer(&json, "exit_code", exit_code);
    json_number(&json, "wall_ms", results->wall_ms);
    json_number(&json, "near_cpu_s", results->near_cpu_s);
    json_number(&json, "far_cpu_s", results->far_cpu_s);
    if (figures.counted)
        json_number(&json, "link_cpu_s", (double)figures.cpu_ns / OS_NS_PER_S);
    else
        json_null(&json, "link_cpu_s");
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        const struct link_counts *counts = &figures.counts[i];
        if (!figures.counted) {
            json_null(&json, link_direction_names[i]);
            continue;
        }
        json_object_open(&json, link_direction_names[i]);
        json_count(&json, "frames", counts->frames);
        json_count(&json, "bytes", counts->bytes);
        json_count(&json, "lost", counts->fates[SHAPER_LOST]);
        json_count(&json, "overflowed", counts->fates[SHAPER_OVERFLOWED]);
        json_count(&json, "cut", counts->fates[SHAPER_CUT]);
        json_count(&json, "missed", counts->missed);
        json_object_close(&json);
    }
    return json_close(&json);
}

/* Both commands, and their figures to the file `stats` if it is not NULL. */
static int commands_run(const struct session_config *config, struct link *link, const char *stats)
{
    struct session_results results = {0};
    struct draft draft;
    int code = session_run(config, link, &results);
    int written = stats == NULL ? 0 : draft_open(&draft, stats);
    if (stats != NULL && written == 0)
        written = draft_close(&draft, stats_write(draft.out, link, code, &results));
    if (written < 0)
        message_print("--stats: cannot write: %s", strerror(-written));
    return written < 0 && code == EXIT_DONE ? EXIT_MACHINE_CANNOT : code;
}

static int run(const struct lan_options *options)
{
    const char *option = options->check ? "json" : "stats";
    const char *name = options->check ? options->json : options->stats;
    if (!namespaces_open()) {
        message_print("%s", lan_reason());
        return EXIT_MACHINE_CANNOT;
    }
    struct link *link = link_open(options->link, options->paths);
    if (link == NULL) {
        message_print("cannot make the link: %s", lan_reason());
        return EXIT_MACHINE_CANNOT;
    }
    /* Before anything is measured. */
    int unwritable = name == NULL ? 0 : draft_check(name);
    if (unwritable != 0) {
        message_print("--%s: cannot write %s: %s", option, name, strerror(-unwritable));
        return EXIT_MACHINE_CANNOT;
    }
    return options->check ? check_run(link, options->paths, name)
                          : commands_run(&options->session, link, name);
}

int main(int argc, char **argv)
{
    struct lan_options options;
    struct session_results unused;
    os_writes_fail();
    int parsed = lan_options_read(&options, argc, argv);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    session_prepare();
    if (options.join_pid == 0)
        return run(&options);
    if (!namespaces_join((int)options.join_pid)) {
        message_print("--join %d: %s", (int)options.join_pid, lan_reason());
        return EXIT_MACHINE_CANNOT;
    }
    /* Without exit handlers: a leak sanitizer cannot trace from another process namespace. */
    _exit(session_run(&options.session, NULL, &unused));
}
