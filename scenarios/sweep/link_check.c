/* One link after the other, with nothing else of ours running:
 *
 *   fanin-lan OPTIONS --check --json FILE --> 0: LINK_OK
 *                                         --> 1: LINK_FAILED, rows run nevertheless
 *                                         --> 2: the sweep ends, links.conf is wrong
 *                                         --> 3, or it cannot be started: LINK_UNAVAILABLE */
#include "scenarios/sweep/link_check.h"

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/os.h"
#include "base/json_read.h"

#define CHECK_S_MAX     90
#define CHECK_NS_MAX    ((uint64_t)CHECK_S_MAX * OS_NS_PER_S)
#define CHECK_BYTES_MAX (1 << 16)

enum { EXIT_UNKNOWN = -1 };

struct link_check {
    struct arena *arena;
    struct link *link;
    struct progress *progress;
    const char *json_path, *table_path, *log_path;
    uint64_t began_ns;
    double left_s; /* from its begin to the sweep's end */
};

static void set_status(struct link *link, enum link_status status, const char *reason)
{
    link->status = status;
    link->reason = reason;
}

static uint64_t left_ns(const struct link_check *check, uint64_t spent_ns)
{
    double left = check->left_s * OS_NS_PER_S - (double)spent_ns;

    return left > 0 ? (uint64_t)left : 0;
}

static void tick(void *context)
{
    const struct link_check *check = context;
    struct arena arena = {0};
    uint64_t now_ns = os_now_ns();

    progress_show(check->progress, now_ns,
                  arena_text(&arena, "measuring link %s", check->link->name), 0,
                  left_ns(check, now_ns - check->began_ns));
    arena_free(&arena);
}

static bool says_ok(const char *object, const char *key)
{
    const char *flag = object == NULL ? NULL : json_find(object, key);

    return flag != NULL && strncmp(flag, "true", 4) == 0;
}

static const char *what_failed(const struct link_check *check)
{
    static const struct {
        const char *object, *key, *name;
    } parts[] = {
        {NULL, "rtt_ok", "round trip"},   {"up", "rate_ok", "rate up"},
        {"down", "rate_ok", "rate down"}, {"up", "loss_ok", "loss up"},
        {"down", "loss_ok", "loss down"},
    };
    const char *list = "", *measured = check->link->check;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *object =
            parts[i].object == NULL ? measured : json_find(measured, parts[i].object);

        if (!says_ok(object, parts[i].key))
            list =
                arena_text(check->arena, "%s%s%s", list, *list == '\0' ? "" : ", ", parts[i].name);
    }
    return arena_text(check->arena, "not as asked for: %s (see %s)", list, check->table_path);
}

static const char *last_words(const struct link_check *check, int exit_code)
{
    const char *line = command_last_line(check->arena, check->log_path);

    return *line != '\0' ? line
                         : arena_text(check->arena, "fanin-lan --check: %s",
                                      command_ending(check->arena, exit_code));
}

static int judge(struct link_check *check, int exit_code, struct error *error)
{
    struct link *link = check->link;
    size_t bytes;
    char *object = arena_file(check->arena, check->json_path, CHECK_BYTES_MAX, &bytes);
    bool sound = link_judge(check->arena, link, object);

    if (sound)
        object[strcspn(object, "\n")] = '\0';
    switch (exit_code) {
    case EXIT_DONE:
        set_status(link, sound ? LINK_OK : LINK_FAILED,
                   sound ? NULL : "fanin-lan --check left no result");
        return EXIT_DONE;
    case EXIT_MEASURED_FAILURE:
        set_status(link, LINK_FAILED, sound ? what_failed(check) : last_words(check, exit_code));
        return EXIT_DONE;
    case EXIT_WRONG_USE:
        error_set(error, &link->place, "%s", last_words(check, exit_code));
        return EXIT_WRONG_USE;
    case EXIT_UNKNOWN:
        set_status(
            link, LINK_FAILED,
            arena_text(check->arena, "fanin-lan --check did not end within %d s", CHECK_S_MAX));
        return EXIT_DONE;
    default:
        set_status(link, LINK_UNAVAILABLE, last_words(check, exit_code));
        return EXIT_DONE;
    }
}

static int check_one(struct link_check *check, struct error *error)
{
    struct command command = link_command(check->arena, check->link);
    struct os_process process;
    int exit_code = EXIT_UNKNOWN, code;

    check->began_ns = os_now_ns();
    command_add(check->arena, &command, "--check");
    command_add(check->arena, &command, arena_text(check->arena, "--json=%s", check->json_path));
    code = os_process_start(&process, command.argv, check->table_path, check->log_path);
    if (code != 0)
        set_status(
            check->link, LINK_UNAVAILABLE,
            arena_text(check->arena, "cannot start %s: %s", command.argv[0], strerror(-code)));
    else if (!command_await(&process, CHECK_NS_MAX, &exit_code, tick, check))
        exit_code = EXIT_UNKNOWN;
    if (os_interrupted() && exit_code == EXIT_UNKNOWN && code == 0)
        return EXIT_MEASURED_FAILURE;
    return code != 0 ? EXIT_DONE : judge(check, exit_code, error);
}

static void say(struct progress *progress, const struct link *link)
{
    if (link->status == LINK_FAILED)
        progress_say(progress, "warning: link %s: %s; its rows still run", link->name,
                     link->reason);
    if (link->status == LINK_UNAVAILABLE)
        progress_say(progress, "link %s is unavailable, its rows run on loopback: %s", link->name,
                     link->reason);
}

int links_check(struct arena *arena, const struct links *links, const char *directory,
                struct progress *progress, double later_s, struct error *error)
{
    for (unsigned i = 0; i < links->count; i++) {
        struct link *link = links->items[i];
        const char *log = arena_text(arena, "%s/log/link-%s", directory, link->name);
        struct link_check check = {
            .arena = arena,
            .link = link,
            .progress = progress,
            .left_s = links_check_seconds(links) + later_s,
            .json_path = arena_text(arena, "%s.json", log),
            .table_path = arena_text(arena, "%s.txt", log),
            .log_path = arena_text(arena, "%s.err", log),
        };
        int result;

        if (link->status != LINK_UNKNOWN)
            continue;
        remove(check.json_path);
        remove(check.table_path);
        result = check_one(&check, error);
        remove(check.json_path);
        remove(check.log_path);
        if (result != EXIT_DONE)
            return result;
        say(progress, link);
    }
    return EXIT_DONE;
}

double links_check_seconds(const struct links *links)
{
    double seconds = 0;

    for (unsigned i = 0; i < links->count; i++)
        seconds += links->items[i]->status == LINK_UNKNOWN ? LINK_CHECK_SECONDS : 0;
    return seconds;
}
