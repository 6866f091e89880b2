/* Linux's screens of others: x11vnc beside an X server, and Xtigervnc, which is one. */
#include "mock_servers/screens/devices.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/screens/capture/xserver_linux.h"
#include "mock_servers/screens/desktop.h"

enum {
    WHY_BYTES = 512,
    START_S = 60,
    TICK_MS = 20,
    ASK_EVERY_MS = 100,
    ANSWER_S = 2, /* a device that was told to connect says how that went */
};

struct device {
    struct desktop *desktop;
    struct child server; /* beside the X server; not started: that is the device itself */
    struct child asker;  /* a program that tells the device to connect */
    struct xserver root; /* the same X server, to tell x11vnc so by its root window */
    unsigned viewers;    /* that are connected */
    bool is_asked;       /* to connect, at asked_ns; it has not said how that went */
    uint64_t asked_ns;
    bool has_ended;
};

struct device_program {
    server_command *desktop; /* NULL: Xvfb's */
    void (*server)(struct arguments *arguments, const struct screens_config *config,
                   unsigned number, const char *display);
    int (*connect)(struct device *device, const char *viewer, char *why, size_t why_bytes);
    /* What it says when a viewer has come, when one has left, when it could not connect; and on its
     * standard output when it listens. */
    const char *came, *left, *failed, *listens;
};

static struct child *speaker_of(struct device *device)
{
    return device->server.program[0] != '\0' ? &device->server : &device->desktop->server;
}

/* --listen without its port. */
static const char *host_of(const struct net_address *address, char text[NET_TEXT_BYTES])
{
    net_address_text(address, text);
    *strrchr(text, ':') = '\0';
    return text;
}

/* ---- x11vnc ---------------------------------------------------------------------------------- */

/* As it comes, but for -sb: after a minute without a change it looks at its screen every second or
 * two only, and our screens rest for longer than that while nobody is connected. */
static void x11vnc_default(struct arguments *arguments, const struct screens_config *config,
                           unsigned number, const char *display)
{
    char host[NET_TEXT_BYTES];
    arguments_add(arguments, "x11vnc");
    arguments_add(arguments, "-display");
    arguments_add(arguments, "%s", display);
    arguments_add(arguments, "-norc");
    arguments_add(arguments, "-no6");
    arguments_add(arguments, "-noipv6");
    arguments_add(arguments, "-forever");
    arguments_add(arguments, "-shared");
    arguments_add(arguments, "-sb");
    arguments_add(arguments, "0");
    arguments_add(arguments, "-rfbport");
    arguments_add(arguments, "%llu",
                  config->connect != NULL ? 0 : (long long)config->port + number);
    if (config->connect == NULL) {
        arguments_add(arguments, "-listen");
        arguments_add(arguments, "%s", host_of(&config->address, host));
    }
    if (config->view_only)
        arguments_add(arguments, "-viewonly");
    if (config->password_file != NULL) {
        arguments_add(arguments, "-passwdfile");
        arguments_add(arguments, "%s", config->password_file);
    } else
        arguments_add(arguments, "-nopw");
}

/* It looks more often, does not wait to collect changes, and does not doze. */
static void x11vnc_tuned(struct arguments *arguments, const struct screens_config *config,
                         unsigned number, const char *display)
{
    static const char *const options[] = {"-wait",  "2",           "-defer",  "1",
                                          "-nonap", "-nowait_bog", "-speeds", "lan"};
    x11vnc_default(arguments, config, number, display);
    for (unsigned i = 0; i < sizeof options / sizeof *options; i++)
        arguments_add(arguments, "%s", options[i]);
}

/* x11vnc reads this property of its X server's root window. */
static int x11vnc_connect(struct device *device, const char *viewer, char *why, size_t why_bytes)
{
    static const char name[] = "VNC_CONNECT";
    if (device->root.connection == NULL &&
        xserver_open(&device->root, device->desktop->display, why, why_bytes) != 0)
        return -1;
    xcb_connection_t *connection = device->root.connection;
    xcb_intern_atom_reply_t *atom = xcb_intern_atom_reply(
        connection, xcb_intern_atom(connection, false, sizeof name - 1, name), NULL);
    if (atom != NULL)
        xcb_change_property(connection, XCB_PROP_MODE_REPLACE, device->root.screen->root,
                            atom->atom, XCB_ATOM_STRING, 8, (uint32_t)strlen(viewer), viewer);
    free(atom);
    return xcb_flush(connection) > 0 ? 0 : -1;
}

/* ---- Xtigervnc ------------------------------------------------------------------------------- */

static void xtigervnc_command(struct arguments *arguments, const struct screens_config *config,
                              unsigned number)
{
    char host[NET_TEXT_BYTES];
    arguments_add(arguments, "Xtigervnc");
    arguments_add(arguments, "-geometry");
    arguments_add(arguments, "%ux%u", config->size.width, config->size.height);
    arguments_add(arguments, "-depth");
    arguments_add(arguments, "24");
    arguments_add(arguments, "-nolisten");
    arguments_add(arguments, "tcp");
    arguments_add(arguments, "-noreset");
    arguments_add(arguments, "-SecurityTypes=None");
    arguments_add(arguments, "-AlwaysShared");
    arguments_add(arguments, "-AcceptSetDesktopSize=0");
    arguments_add(arguments, "-AcceptKeyEvents=%d", !config->view_only);
    arguments_add(arguments, "-AcceptPointerEvents=%d", !config->view_only);
    arguments_add(arguments, "-rfbport=%lld",
                  config->connect != NULL ? -1 : (long long)config->port + number);
    if (config->connect == NULL)
        arguments_add(arguments, "-interface=%s", host_of(&config->address, host));
}

static int xtigervnc_connect(struct device *device, const char *viewer, char *why, size_t why_bytes)
{
    struct arguments arguments = {.count = 0};
    arguments_add(&arguments, "tigervncconfig");
    arguments_add(&arguments, "-display");
    arguments_add(&arguments, "%s", device->desktop->display);
    arguments_add(&arguments, "-connect");
    arguments_add(&arguments, "%s", viewer);
    child_stop(&device->asker);
    return child_start(&device->asker, arguments.argv, why, why_bytes);
}

/* ---- the list -------------------------------------------------------------------------------- */

static const struct device_program x11vnc = {
    NULL,      x11vnc_default, x11vnc_connect, "incr accepted_client", "client_count: ",
    " failed", "PORT="};
static const struct device_program tuned_x11vnc = {
    NULL,      x11vnc_tuned, x11vnc_connect, "incr accepted_client", "client_count: ",
    " failed", "PORT="};
static const struct device_program xtigervnc = {.desktop = xtigervnc_command,
                                                .connect = xtigervnc_connect,
                                                .came = "Connections: accepted",
                                                .left = "Connections: closed",
                                                .failed = "unable to connect"};

static const struct device_kind kinds[] = {
    {"x11vnc", "x11vnc with its defaults on an Xvfb with a painter, one for each screen", &x11vnc},
    {"x11vnc-tuned", "the same with x11vnc's options for short delays", &tuned_x11vnc},
    {"xtigervnc", "Xtigervnc with a painter, one for each screen", &xtigervnc},
};

const struct device_kind *device_list(unsigned index)
{
    return index < sizeof kinds / sizeof *kinds ? &kinds[index] : NULL;
}

int device_check(const struct screens_config *config, char *why, size_t why_bytes)
{
    const char *name = config->device->name;
    if (config->faults.count > 0)
        return why_write(why, why_bytes, "--fault: %s has no faults to inject; remove it", name);
    if (config->tls_certificate != NULL)
        return why_write(why, why_bytes, "--tls-certificate: --device %s has no TLS; remove it",
                         name);
    if (config->password_file != NULL && config->device->program->server == NULL)
        return why_write(why, why_bytes, "--password-file: --device %s has none; remove it", name);
    return 0;
}

/* ---- running --------------------------------------------------------------------------------- */

struct run {
    const struct screens_config *config;
    const struct device_program *program;
    struct device *devices;
    unsigned count, ended;
    char viewer[NET_TEXT_BYTES];
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("fanin-screens: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static void device_stop(struct device *device)
{
    child_stop(&device->asker);
    child_stop(&device->server);
    child_stop(&device->desktop->painter);
    child_stop(&device->desktop->server);
    xserver_close(&device->root);
}

static int servers_start(struct run *run, char *why, size_t why_bytes)
{
    for (unsigned i = 0; run->program->server != NULL && i < run->count; i++) {
        struct arguments arguments = {.count = 0};
        run->program->server(&arguments, run->config, i, run->devices[i].desktop->display);
        if (child_start(&run->devices[i].server, arguments.argv, why, why_bytes) != 0)
            return -1;
    }
    return 0;
}

/* An X server that is a device listens before it says its number. x11vnc says so itself. */
static int servers_await(struct run *run, char *why, size_t why_bytes)
{
    const uint64_t deadline_ns = os_deadline_ns((uint64_t)START_S * OS_NS_PER_S);
    char line[CHILD_LINE_BYTES] = "";
    const bool says_so = run->program->listens != NULL && run->config->connect == NULL;
    for (unsigned i = 0; says_so && i < run->count; i++) {
        struct child *server = &run->devices[i].server;
        while (!child_output(server, line) || strstr(line, run->program->listens) == NULL) {
            while (child_log(server, line))
                continue;
            if (child_ended(server)) {
                child_why(server, why, why_bytes);
                return -1;
            }
            if (os_interrupted() || os_now_ns() > deadline_ns)
                return why_write(why, why_bytes, "%s did not listen within %d seconds",
                                 server->program, START_S);
            os_sleep_ns((uint64_t)TICK_MS * OS_NS_PER_MS);
        }
    }
    return 0;
}

/* Of the viewers that come and go. 0, or -1 with `why`: there is no painter for them. */
static int device_listen(const struct run *run, struct device *device, char *why, size_t why_bytes)
{
    char line[CHILD_LINE_BYTES];
    const unsigned before = device->viewers;
    while (child_log(speaker_of(device), line)) {
        const bool came = strstr(line, run->program->came) != NULL;
        const bool left = strstr(line, run->program->left) != NULL;
        device->viewers += came;
        device->viewers -= left && device->viewers > 0;
        if (came || strstr(line, run->program->failed) != NULL)
            device->is_asked = false;
    }
    if (before > 0 && device->viewers == 0)
        desktop_unwatched(device->desktop);
    return before == 0 && device->viewers > 0 ? desktop_watched(device->desktop, why, why_bytes)
                                              : 0;
}

/* Screen 0 tries until a viewer is there; then all others connect at once, and again after it has
 * gone. */
static void device_connect(struct run *run, struct device *device)
{
    char why[WHY_BYTES];
    const uint64_t now_ns = os_now_ns(), since_ns = now_ns - device->asked_ns;
    if (since_ns > (uint64_t)ANSWER_S * OS_NS_PER_S)
        device->is_asked = false;
    if (device->viewers > 0 || device->is_asked ||
        since_ns < (uint64_t)ASK_EVERY_MS * OS_NS_PER_MS ||
        (device != run->devices && run->devices[0].viewers == 0))
        return;
    device->asked_ns = now_ns;
    device->is_asked = run->program->connect(device, run->viewer, why, sizeof why) == 0;
}

static bool device_ended(struct device *device, char *why, size_t why_bytes)
{
    if (device->server.program[0] != '\0' && child_ended(&device->server)) {
        child_why(&device->server, why, why_bytes);
        return true;
    }
    return desktop_ended(device->desktop, why, why_bytes);
}

static void device_tick(struct run *run, struct device *device)
{
    char why[WHY_BYTES];
    if (device_listen(run, device, why, sizeof why) != 0 || device_ended(device, why, sizeof why)) {
        say("screen %u: %s", (unsigned)(device - run->devices), why);
        device->has_ended = true;
        run->ended++;
        device_stop(device);
    } else if (run->config->connect != NULL)
        device_connect(run, device);
}

static void devices_serve(struct run *run)
{
    while (!os_interrupted() && run->ended < run->count) {
        for (unsigned i = 0; i < run->count; i++)
            if (!run->devices[i].has_ended)
                device_tick(run, &run->devices[i]);
        os_sleep_ns((uint64_t)TICK_MS * OS_NS_PER_MS);
    }
}

static int devices_start(struct run *run, char *why, size_t why_bytes)
{
    run->devices = calloc(run->count, sizeof *run->devices);
    if (run->devices == NULL)
        return why_write(why, why_bytes, "no memory for %u screens", run->count);
    if (desktops_start(run->config, run->program->desktop, why, why_bytes) != 0)
        return -1;
    for (unsigned i = 0; i < run->count; i++) {
        run->devices[i].desktop = desktop_of(i);
        run->devices[i].desktop->is_read = run->program->server == NULL;
    }
    const int result = servers_start(run, why, why_bytes);
    return result == 0 ? servers_await(run, why, why_bytes) : result;
}

int device_run(const struct screens_config *config,
               int (*ready)(const struct screens_config *config))
{
    struct run run = {
        .config = config, .program = config->device->program, .count = (unsigned)config->count};
    char why[WHY_BYTES];
    int code = EXIT_MACHINE_CANNOT;
    net_address_text(&config->address, run.viewer);
    if (devices_start(&run, why, sizeof why) != 0) {
        if (os_interrupted())
            code = EXIT_DONE;
        else
            say("--device %s: %s", config->device->name, why);
    } else {
        code = ready(config);
        if (code == EXIT_DONE)
            devices_serve(&run);
        if (run.ended > 0)
            code = EXIT_MEASURED_FAILURE;
        if (!config->quiet)
            say("%u screens of %s, %u of which ended early", run.count, config->device->name,
                run.ended);
    }
    for (unsigned i = 0; run.devices != NULL && i < run.count; i++)
        if (run.devices[i].desktop != NULL)
            device_stop(&run.devices[i]);
    desktops_stop();
    free(run.devices);
    return code;
}
