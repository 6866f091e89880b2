/* fanin-screens: screens that are looked at, in one process. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "mock_servers/screens/capture/paint.h"
#include "mock_servers/screens/devices.h"
#include "mock_servers/screens/screen.h"
#include "mock_servers/startup.h"

enum { WHY_BYTES = 256, LINE_BYTES = 4352, OTHER_DESCRIPTORS = 64, DEVICE_DESCRIPTORS = 16 };

__attribute__((format(printf, 2, 3))) static int say(enum exit_code code, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "fanin-screens: %s\n", line);
    return (int)code;
}

/* One for each connection, one for each listener, and what the source takes; twice the connections
 * where they can be had: a viewer may come again before its last connection is closed. */
static int descriptors_reserve(const struct screens_config *config)
{
    const uint64_t count = config->count;
    const uint64_t each =
        1 + (config->source != NULL ? config->source->descriptors : DEVICE_DESCRIPTORS);
    const uint64_t listeners = config->connect == NULL ? count : 0;
    const uint64_t wanted = OTHER_DESCRIPTORS + listeners + count * each;
    uint64_t limit = 0;
    if (os_descriptors_reserve(wanted + count, &limit) == 0 ||
        os_descriptors_reserve(wanted, &limit) == 0)
        return EXIT_DONE;
    return say(EXIT_MACHINE_CANNOT,
               "--count %llu needs %llu descriptors, but the limit is %llu; as root: ulimit -Hn "
               "%llu && ulimit -n %llu, then start again",
               (unsigned long long)count, (unsigned long long)wanted, (unsigned long long)limit,
               (unsigned long long)wanted, (unsigned long long)wanted);
}

static int summary_print(const struct screens *screens)
{
    const struct screens_total *total = &screens->total;
    const struct source_frames frames = source_scene_frames();
    char more[WHY_BYTES] = "";
    if (total->refused_events > 0)
        snprintf(more, sizeof more, ", %llu events refused (--view-only)",
                 (unsigned long long)total->refused_events);
    if (frames.skipped > 0)
        snprintf(more + strlen(more), sizeof more - strlen(more),
                 ", %llu of %llu pictures left out (painting is slower than --scene-rate)",
                 (unsigned long long)frames.skipped,
                 (unsigned long long)(frames.skipped + frames.painted));
    if (screens->config->quiet)
        return EXIT_DONE;
    return say(EXIT_DONE,
               "%llu viewers: %llu updates, %llu bytes, %llu keys, %llu pointer events, %llu "
               "faults%s; %.3f s of CPU time",
               (unsigned long long)total->viewers, (unsigned long long)total->updates,
               (unsigned long long)total->bytes, (unsigned long long)total->keys,
               (unsigned long long)total->pointers, (unsigned long long)total->faults, more,
               (double)os_cpu_ns() / OS_NS_PER_S);
}

static int ready_write(const struct screens_config *config, int port)
{
    int result =
        config->ready_file != NULL ? startup_ready(config->ready_file, port, config->count) : 0;
    return result == 0 ? EXIT_DONE
                       : say(EXIT_MACHINE_CANNOT, "--ready-file: cannot write %s: %s",
                             config->ready_file, strerror(-result));
}

static int serve(struct screens *screens)
{
    int code = ready_write(screens->config, screens_port(screens));
    if (code != EXIT_DONE)
        return code;
    screens_run(screens);
    if (screens->config->ready_file != NULL)
        unlink(screens->config->ready_file);
    return summary_print(screens);
}

static int device_ready(const struct screens_config *config)
{
    return ready_write(config, (int)config->port);
}

static int devices_serve(const struct screens_config *config)
{
    int code = device_run(config, device_ready);
    if (config->ready_file != NULL)
        unlink(config->ready_file);
    return code;
}

static int paint(const struct screens_config *config)
{
    const struct paint_config painting = {.display = config->paint,
                                          .scene = config->scene,
                                          .rate = config->scene_rate,
                                          .width = config->size.width,
                                          .height = config->size.height,
                                          .seed = config->seed};
    char why[WHY_BYTES];
    os_interrupts_catch();
    return paint_run(&painting, why, sizeof why) == 0
               ? EXIT_DONE
               : say(EXIT_MACHINE_CANNOT, "--paint: %s", why);
}

static int run(const struct screens_config *config)
{
    char why[WHY_BYTES];
    if (descriptors_reserve(config) != EXIT_DONE)
        return EXIT_MACHINE_CANNOT;
    os_interrupts_catch();
    if (config->ready_file != NULL)
        unlink(config->ready_file); /* an earlier fleet's would say that this one is ready */
    if (config->device != NULL)
        return devices_serve(config);
    struct screens *screens = screens_open(config, why, sizeof why);
    if (screens == NULL)
        return say(EXIT_MACHINE_CANNOT, "%s", why);
    int code = serve(screens);
    screens_close(screens);
    return code;
}

int main(int argc, char **argv)
{
    struct screens_config config;
    os_writes_fail();
    int parsed = screens_options_read(argc, argv, &config);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    if (config.dry_run)
        return EXIT_DONE;
    return config.paint != NULL ? paint(&config) : run(&config);
}
