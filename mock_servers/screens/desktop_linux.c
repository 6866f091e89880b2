/* X servers, started together, found by the number that each says; and their painters. */
#include "mock_servers/screens/desktop.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { START_S = 60, LOOK_EVERY_MS = 5, PROGRAM_BYTES = 4096 };

static struct {
    struct desktop *all;
    unsigned count;
    char painter[PROGRAM_BYTES]; /* this program's path */
    const struct screens_config *config;
} desktops;

/* ---- command lines --------------------------------------------------------------------------- */

void arguments_add(struct arguments *arguments, const char *format, ...)
{
    char *text = arguments->texts + arguments->used;
    const size_t room = sizeof arguments->texts - arguments->used;
    va_list values;
    va_start(values, format);
    const int bytes = vsnprintf(text, room, format, values);
    va_end(values);
    if (bytes < 0 || (size_t)bytes >= room || arguments->count + 1 >= DESKTOP_ARGUMENTS_MAX)
        abort(); /* a command line of ours that has no room in its struct */
    arguments->used += (size_t)bytes + 1;
    arguments->argv[arguments->count++] = text;
}

static void xvfb_command(struct arguments *arguments, const struct screens_config *config,
                         unsigned number)
{
    arguments_add(arguments, "Xvfb");
    arguments_add(arguments, "-screen");
    arguments_add(arguments, "0");
    arguments_add(arguments, "%ux%ux24", config->size.width, config->size.height);
    arguments_add(arguments, "-nolisten");
    arguments_add(arguments, "tcp");
    arguments_add(arguments, "-noreset");
}

static void painter_command(struct arguments *arguments, unsigned number, const char *display)
{
    const struct screens_config *config = desktops.config;
    arguments->argv[arguments->count++] = desktops.painter;
    arguments_add(arguments, "--paint=%s", display);
    arguments_add(arguments, "--scene=%s", config->scene->name);
    arguments_add(arguments, "--scene-rate=%.9g", config->scene_rate);
    arguments_add(arguments, "--size=%ux%u", config->size.width, config->size.height);
    arguments_add(arguments, "--seed=%llu", (unsigned long long)config->seed + number);
}

/* ---- starting -------------------------------------------------------------------------------- */

static int server_start(struct desktop *desktop, const struct screens_config *config,
                        unsigned number, server_command *server, char *why, size_t why_bytes)
{
    struct arguments arguments = {.count = 0};
    server(&arguments, config, number);
    arguments_add(&arguments, "-displayfd");
    arguments_add(&arguments, "1");
    return child_start(&desktop->server, arguments.argv, why, why_bytes);
}

/* The server's first line is its number, once it can be connected to. */
static int server_await(struct desktop *desktop, uint64_t deadline_ns, char *why, size_t why_bytes)
{
    char line[CHILD_LINE_BYTES];
    while (!child_output(&desktop->server, line)) {
        if (child_ended(&desktop->server)) {
            child_why(&desktop->server, why, why_bytes);
            return -1;
        }
        if (os_interrupted() || os_now_ns() > deadline_ns)
            return why_write(why, why_bytes, "%s did not start within %d seconds",
                             desktop->server.program, START_S);
        os_sleep_ns((uint64_t)LOOK_EVERY_MS * OS_NS_PER_MS);
    }
    snprintf(desktop->display, sizeof desktop->display, ":%lu", strtoul(line, NULL, 10));
    return 0;
}

static int all_start(const struct screens_config *config, server_command *server, char *why,
                     size_t why_bytes)
{
    const uint64_t deadline_ns = os_deadline_ns((uint64_t)START_S * OS_NS_PER_S);
    int result = 0;
    for (unsigned i = 0; result == 0 && i < desktops.count; i++)
        result = server_start(&desktops.all[i], config, i, server, why, why_bytes);
    for (unsigned i = 0; result == 0 && i < desktops.count; i++)
        result = server_await(&desktops.all[i], deadline_ns, why, why_bytes);
    return result;
}

int desktops_start(const struct screens_config *config, server_command *server, char *why,
                   size_t why_bytes)
{
    const size_t room = sizeof desktops.painter;
    if (os_program_directory(desktops.painter, room) != 0)
        return why_write(why, why_bytes, "cannot tell where this program is");
    strncat(desktops.painter, "/fanin-screens", room - strlen(desktops.painter) - 1);
    desktops.config = config;
    desktops.count = (unsigned)config->count;
    desktops.all = calloc(desktops.count, sizeof *desktops.all);
    if (desktops.all == NULL)
        return why_write(why, why_bytes, "no memory for %u screens", desktops.count);
    const int result = all_start(config, server != NULL ? server : xvfb_command, why, why_bytes);
    if (result != 0)
        desktops_stop();
    return result;
}

/* Painters first, so that none sees its server go. */
void desktops_stop(void)
{
    for (unsigned i = 0; i < desktops.count; i++) {
        child_stop(&desktops.all[i].painter);
        child_stop(&desktops.all[i].server);
    }
    free(desktops.all);
    desktops.all = NULL;
    desktops.count = 0;
}

struct desktop *desktop_of(unsigned number)
{
    return &desktops.all[number];
}

int desktop_watched(struct desktop *desktop, char *why, size_t why_bytes)
{
    struct arguments arguments = {.count = 0};
    painter_command(&arguments, (unsigned)(desktop - desktops.all), desktop->display);
    return child_start(&desktop->painter, arguments.argv, why, why_bytes);
}

void desktop_unwatched(struct desktop *desktop)
{
    child_stop(&desktop->painter);
}

bool desktop_ended(struct desktop *desktop, char *why, size_t why_bytes)
{
    char line[CHILD_LINE_BYTES];
    struct child *children[] = {&desktop->server, &desktop->painter};
    for (unsigned i = 0; i < 2 && children[i]->program[0] != '\0'; i++) {
        const bool is_read = children[i] == &desktop->server && desktop->is_read;
        while (!is_read && child_log(children[i], line))
            continue; /* so that it never waits for us */
        if (child_ended(children[i])) {
            child_why(children[i], why, why_bytes);
            return true;
        }
    }
    return false;
}
