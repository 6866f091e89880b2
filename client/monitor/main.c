/* fanin-monitor: shows many screens, on a completion port. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/draft.h"
#include "client/monitor/monitor.h"

static const struct program_help help = {
    .name = "fanin-monitor",
    .about = "Shows the screens of many machines at the same time: they connect to it (or it to "
             "them) by RFB, the protocol of VNC, and it receives and decodes them on a completion "
             "port, shows each in a window, takes keys and pointer back with --control, and "
             "reports how late changes came.",
    .examples =
        "  fanin-monitor --screens 7 --for 10s &\n"
        "  fanin-screens --count 7 --connect 127.0.0.1:5500 --scene type\n"
        "  fanin-monitor --listen 0.0.0.0:5500 --password-file secret --view grid --control \\\n"
        "                --journal screens.jsonl        (x11vnc -connect_or_exit HOST:5500)\n"
        "  fanin-monitor --connect desk1:5900,desk2:5900 --rate 5 --budget 50mbit\n"
        "  fanin-monitor --screens 200 --view none --for 30s --json row.json\n",
};

int main(int argc, char **argv)
{
    static struct monitor_options options;
    static struct monitor_row row;
    os_writes_fail();
    const int parsed = monitor_options_read(&help, argc, argv, &options);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    /* Before anything runs, so that a run is not lost to a wrong path. */
    const int unwritable = options.json == NULL || options.dry_run ? 0 : draft_check(options.json);
    if (unwritable != 0) {
        fprintf(stderr, "%s: --json: cannot write '%s': %s\n", help.name, options.json,
                strerror(-unwritable));
        return EXIT_MACHINE_CANNOT;
    }
    os_interrupts_catch();
    monitor_row_init(&row, &options);
    monitor_run(&options, options.view == VIEW_NONE ? &glass_none : &glass_windows, &row);
    return monitor_row_finish(&row);
}
