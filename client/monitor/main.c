/* fanin-monitor: shows many screens, on a completion port. */
#include <stdio.h>
#include <string.h>

#include "client/monitor/monitor.h"

static const struct program_help help = {
    .name = "fanin-monitor",
    .about =
        "Shows the screens of many machines by RFB, the protocol of VNC. Screens connect to it, "
        "or it connects to them (--connect). It receives and decodes on a completion port, "
        "shows each screen in a window, sends keys and pointer back with --control, and "
        "measures the delay of each change.",
    .examples =
        "  seven mock screens for ten seconds; the second command is the screens:\n"
        "  fanin-monitor --screens 7 --for 10s\n"
        "  fanin-screens --count 7 --connect 127.0.0.1\n"
        "\n"
        "  desktops that connect by x11vnc -connect HOST -rfbauth FILE, all in one window:\n"
        "  fanin-monitor --listen 0.0.0.0 --password-file secret --view grid --control\n"
        "\n"
        "  two VNC servers, at most 5 updates a second of each:\n"
        "  fanin-monitor --connect desk1,desk2:5901 --screens 2 --rate 5\n"
        "\n"
        "  a measurement of 200 screens without windows:\n"
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
    if (!options.dry_run && !row_json_check(help.name, options.json))
        return EXIT_MACHINE_CANNOT;
    os_interrupts_catch();
    monitor_row_init(&row, &options);
    monitor_run(&options, options.view == VIEW_NONE ? &glass_none : &glass_windows, &row);
    return monitor_row_finish(&row);
}
