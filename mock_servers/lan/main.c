/* fanin-lan: the paper's LAN on one machine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "mock_servers/lan/check.h"
#include "mock_servers/lan/options.h"

/* ---- result files --------------------------------------------------------------------------- */

/* Opened before anything is measured. Success with *file NULL if no name was given. */
static bool file_open(FILE **file, const char *option, const char *name)
{
    *file = NULL;
    if (name == NULL)
        return true;
    *file = strcmp(name, "-") == 0 ? stdout : fopen(name, "we");
    if (*file == NULL)
        message_print("--%s: cannot write %s: %s", option, name, strerror(errno));
    return *file != NULL;
}

static int file_close(FILE *file, const char *option, int result)
{
    if (file != stdout && fclose(file) != 0 && result == 0)
        result = -errno;
    if (result < 0)
        message_print("--%s: cannot write: %s", option, strerror(-result));
    return result;
}

/* ---- a session ------------------------------------------------------------------------------ */

static void counts_write(struct json *json, const char *direction, const struct link_counts *counts)
{
    json_object_open(json, direction);
    json_count(json, "frames", counts->frames);
    json_count(json, "bytes", counts->bytes);
    json_count(json, "lost", counts->fates[SHAPER_LOST]);
    json_count(json, "overflowed", counts->fates[SHAPER_OVERFLOWED]);
    json_count(json, "cut", counts->fates[SHAPER_CUT]);
    json_count(json, "missed", counts->missed);
    json_object_close(json);
}

static int stats_write(FILE *file, struct link *link, const struct session_results *results)
{
    struct link_figures figures;
    struct json json;

    link_read(link, &figures);
    json_open(&json, file);
    json_text(&json, "link", link_name(link));
    json_flag(&json, "realtime", figures.realtime);
    json_integer(&json, "exit_code", results->exit_code);
    json_number(&json, "wall_ms", results->wall_ms);
    json_number(&json, "near_cpu_s", results->near_cpu_s);
    json_number(&json, "far_cpu_s", results->far_cpu_s);
    if (figures.counted)
        json_number(&json, "link_cpu_s", (double)figures.cpu_ns / OS_NS_PER_S);
    else
        json_null(&json, "link_cpu_s");
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        if (figures.counted)
            counts_write(&json, link_direction_names[i], &figures.counts[i]);
        else
            json_null(&json, link_direction_names[i]);
    }
    return json_close(&json);
}

static int commands_run(const struct lan_options *options, struct link *link,
                        const struct namespaces *namespaces)
{
    struct session_results results;
    FILE *file;

    if (!file_open(&file, "stats", options->stats))
        return EXIT_MACHINE_CANNOT;
    session_run(&results, &options->session, link, namespaces);
    if (file != NULL && file_close(file, "stats", stats_write(file, link, &results)) < 0 &&
        results.exit_code == EXIT_DONE)
        return EXIT_MACHINE_CANNOT;
    return results.exit_code;
}

/* ---- a check -------------------------------------------------------------------------------- */

static int link_check(const struct lan_options *options, struct link *link,
                      const struct namespaces *namespaces)
{
    struct check check;
    const char *what = "anything";
    FILE *file;

    if (!file_open(&file, "json", options->json))
        return EXIT_MACHINE_CANNOT;
    int result = link_start(link);
    if (result == 0)
        result = check_run(&check, link, &options->request, namespaces, &what);
    if (result < 0) {
        message_print("cannot measure %s: %s", what, strerror(-result));
        return EXIT_MEASURED_FAILURE;
    }
    /* The table goes to standard error where standard output is the line's. */
    check_print(&check, file == stdout ? stderr : stdout);
    if (file != NULL && file_close(file, "json", check_write(&check, file)) < 0)
        return EXIT_MACHINE_CANNOT;
    if (check.ok)
        return EXIT_DONE;
    message_print("the link is not as asked for (see above)");
    return EXIT_MEASURED_FAILURE;
}

/* ---- both ----------------------------------------------------------------------------------- */

static int run(const struct lan_options *options)
{
    struct namespaces namespaces;
    struct failure failure;
    int code = EXIT_MACHINE_CANNOT;

    if (namespaces_open(&namespaces, &failure) < 0) {
        message_print("%s", failure.text);
        return code;
    }
    struct link *link = link_open(options->link, &options->request, &namespaces, &failure);
    if (link == NULL)
        message_print("cannot make the link: %s", failure.text);
    else if (options->check)
        code = link_check(options, link, &namespaces);
    else
        code = commands_run(options, link, &namespaces);
    link_close(link);
    namespaces_close(&namespaces);
    return code;
}

int main(int argc, char **argv)
{
    struct lan_options options;

    int parsed = lan_options_read(&options, argc, argv);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    session_prepare();
    if (options.join_pid > 0)
        return session_join(&options.session, (int)options.join_pid);
    return run(&options);
}
