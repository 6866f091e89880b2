/* The command line of fanin-screens. */
#include "mock_servers/screens/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/rfb/protocol.h"
#include "mock_servers/screens/devices.h"
#include "mock_servers/screens/faults.h"

enum {
    PORT_MAX = 65535,
    NAME_BYTES = 256,
    WHY_BYTES = 256,
    LINE_BYTES = 512,
    FAULTS_BYTES = 4096,
    PAGE_BYTES = 12288,
};

#define HERE "127.0.0.1"

/* ---- parsers of our own ---- */

static const char *scene_name(unsigned index, const char **summary)
{
    const struct scene_kind *kind = scene_list(index);
    *summary = kind != NULL ? kind->summary : NULL;
    return kind != NULL ? kind->name : NULL;
}

static int option_scene(const struct option_spec *spec, const char *text, void *field, char *why,
                        size_t why_bytes)
{
    const char *name;
    if (values_name_parse(text, scene_name, &name, why, why_bytes) != 0)
        return -1;
    *(const struct scene_kind **)field = scene_named(name);
    return 0;
}

/* A device's name by its index, sources first; NULL after the last. */
static const char *device_name(unsigned index, const char **summary)
{
    unsigned sources = 0;
    while (source_list(sources) != NULL)
        sources++;
    const struct source_kind *source = index < sources ? source_list(index) : NULL;
    const struct device_kind *device = index < sources ? NULL : device_list(index - sources);
    if (source == NULL && device == NULL)
        return NULL;
    *summary = source != NULL ? source->summary : device->summary;
    return source != NULL ? source->name : device->name;
}

static int option_device(const struct option_spec *spec, const char *text, void *field, char *why,
                         size_t why_bytes)
{
    return values_name_parse(text, device_name, field, why, why_bytes);
}

static void device_find(struct screens_config *config)
{
    const struct source_kind *source;
    const struct device_kind *device;
    for (unsigned i = 0; (source = source_list(i)) != NULL; i++)
        if (strcmp(source->name, config->device_name) == 0)
            config->source = source;
    for (unsigned i = 0; (device = device_list(i)) != NULL; i++)
        if (strcmp(device->name, config->device_name) == 0)
            config->device = device;
}

static int option_size(const struct option_spec *spec, const char *text, void *field, char *why,
                       size_t why_bytes)
{
    struct picture_size *size = field;
    char end;
    if (strspn(text, "0123456789x") == strlen(text) &&
        sscanf(text, "%6ux%6u%c", &size->width, &size->height, &end) == 2 && size->width > 0 &&
        size->height > 0 && size->width <= PICTURE_SIDE_MAX && size->height <= PICTURE_SIDE_MAX)
        return 0;
    return why_write(why, why_bytes, "takes WIDTHxHEIGHT, such as 1280x800, each up to %d",
                     PICTURE_SIDE_MAX);
}

/* ---- the table ---- */

#define AT(field) offsetof(struct screens_config, field)

static const struct option_spec options[] = {
    {.name = "Screens", .help = NULL},
    {"count", "N", "1", "number of screens", options_count, AT(count), 1, SCREENS_COUNT_MAX, NULL},
    {"size", "WxH", "1280x800", "size of their pictures", option_size, AT(size), 0, 0, NULL},
    {"device", "KIND", "scene", "where the pictures come from; the kinds are listed below",
     option_device, AT(device_name), 0, 0, NULL},
    {"display", "DISPLAY", NULL,
     "the X server that --device x11 captures, such as :0, for all screens\n"
     "(default: an Xvfb for each screen, with a painter while a viewer is\n"
     "connected). A server that hangs stops all screens of this process\n"
     "until it answers",
     options_string, AT(display), 0, 0, NULL},
    {"paint", "DISPLAY", NULL,
     "no screens: paint --scene with stamps in a window of this X server\n"
     "until SIGTERM or Ctrl-C",
     options_string, AT(paint), 0, 0, NULL},
    {"scene", "NAME", "type", "what the screens show; the scenes are listed below", option_scene,
     AT(scene), 0, 0, NULL},
    {"scene-rate", "R", NULL, "changes per second (default: the scene's own; 0: none)",
     options_rate, AT(scene_rate), 0, 1000, NULL},
    {"seed", "S", "1", "seed of the pictures", options_count, AT(seed), 0, 0, NULL},
    {"pictures", "N", "64",
     "limit of different pictures: screen i shares the picture of screen\n"
     "i modulo N until it receives a key or the pointer. A picture with a\n"
     "viewer takes 4 bytes a pixel: 4 MB for 1280x800",
     options_count, AT(pictures), 1, SCREENS_COUNT_MAX, NULL},
    {"view-only", NULL, NULL, "ignore keys and pointer, and count them", options_flag,
     AT(view_only), 0, 0, NULL},
    {.name = "Connections", .help = NULL},
    {"listen", "ADDR", HERE,
     "wait for viewers: screen i listens on ADDR, port BASE + i. near: the\n"
     "address in $FANIN_NEAR, as fanin-lan sets it, else " HERE,
     options_string, AT(listen), 0, 0, NULL},
    {"connect", "ADDR[:PORT]", NULL,
     "connect to a viewer that listens (near: as above). Screen 0 tries\n"
     "every 100 ms; once it is connected, all others connect at once. When\n"
     "the viewer has gone, this starts again",
     options_string, AT(connect), 0, 0, NULL},
    {"port", "BASE", NULL,
     "port of screen 0 (default: 5900; 0: a free one, with --count 1; the\n"
     "ready file says which), or of --connect's viewer (default: 5500)",
     options_count, AT(port), 0, PORT_MAX, NULL},
    {"ready-file", "FILE", NULL,
     "write this file (pid, first port, count) when all screens are ready;\n"
     "remove it at the end",
     options_string, AT(ready_file), 0, 0, NULL},
    {.name = "Security", .help = NULL},
    {"password-file", "FILE", NULL,
     "the first line is the password, at most 8 characters. It stops\n"
     "mistakes, not attackers",
     options_string, AT(password_file), 0, 0, NULL},
    {"tls-certificate", "FILE", NULL,
     "PEM file: offer TLS only (VeNCrypt X509Vnc with a password, X509None\n"
     "without)",
     options_string, AT(tls_certificate), 0, 0, NULL},
    {"tls-key", "FILE", NULL, "PEM file: the key of --tls-certificate", options_string, AT(tls_key),
     0, 0, NULL},
    {"allow-anyone", NULL, NULL,
     "listen beyond this machine without a password: any host that reaches\n"
     "the ports can look",
     options_flag, AT(allow_anyone), 0, 0, NULL},
    {.name = "Faults", .help = NULL},
    {"fault", "KIND[:SHARE[:ARG]]", NULL,
     "give SHARE of the screens (a number, or a percentage such as 2%;\n"
     "default: all) a fault, evenly spread; repeatable, or separated by\n"
     "commas; the kinds are listed below",
     screen_faults_option, AT(faults), 0, 0, NULL},
    {.name = "Output", .help = NULL},
    {"quiet", NULL, NULL, "print neither lines about single screens nor the summary", options_flag,
     AT(quiet), 0, 0, NULL},
    {"dry-run", NULL, NULL, "check the options, open no port, and end", options_flag, AT(dry_run),
     0, 0, NULL},
    {.name = NULL},
};

/* ---- --help ---- */

__attribute__((format(printf, 2, 3))) static void append(char text[PAGE_BYTES], const char *format,
                                                         ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, PAGE_BYTES - used, format, arguments);
    va_end(arguments);
}

static void epilogue_write(char text[PAGE_BYTES])
{
    char faults[FAULTS_BYTES];
    const struct scene_kind *scene;
    const char *device, *summary;
    faults_describe(&screen_faults, faults, sizeof faults);
    text[0] = '\0';
    append(text, "Scenes:\n");
    for (unsigned i = 0; (scene = scene_list(i)) != NULL; i++)
        append(text, "  %s\n      %s (%g/s)\n", scene->name, scene->summary, scene->rate);
    append(text, "\nDevices:\n");
    for (unsigned i = 0; (device = device_name(i, &summary)) != NULL; i++)
        append(text, "  %s\n      %s\n", device, summary);
    append(
        text,
        "\nFaults (after the handshake: each connection sends one good update first):\n%s\n"
        "Examples:\n"
        "  seven screens for any VNC viewer, on ports 5900 to 5906:\n"
        "  fanin-screens --count 7 --scene scroll\n"
        "\n"
        "  a hundred that connect to a listening viewer, two of which freeze:\n"
        "  fanin-screens --count 100 --connect 127.0.0.1:5500 --fault freeze:2\n"
        "\n"
        "  this desktop, for a viewer that listens elsewhere:\n"
        "  fanin-screens --device x11 --display :0 --view-only --connect viewer.example\n"
        "\n"
        "Runs until SIGTERM or Ctrl-C. Exit codes: 0 done; 1 a program behind a screen (x11vnc,\n"
        "Xvfb) ended early; 2 wrong use; 3 the machine cannot.\n",
        faults);
}

/* ---- options that do not fit together ---- */

/* Writes one line to standard error. */
__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "fanin-screens: %s\n", line);
    return OPTIONS_WRONG;
}

static const char *near_address(const char *name)
{
    const char *set = getenv("FANIN_NEAR");
    if (strcmp(name, "near") != 0)
        return name;
    return set != NULL && *set != '\0' ? set : HERE;
}

/* Loopback, or a link of fanin-lan, which nobody else is on. */
static bool is_local(const char *host)
{
    static const char *const links[] = {"FANIN_NEAR", "FANIN_FAR"};
    for (unsigned i = 0; i < sizeof links / sizeof *links; i++) {
        const char *set = getenv(links[i]);
        if (set != NULL && strcmp(set, host) == 0)
            return true;
    }
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static int read_listen(struct screens_config *config)
{
    const char *host = near_address(config->listen);
    if (!net_numeric(host, 0, &config->address))
        return wrong("--listen takes an address such as " HERE ", or near: \"%s\" is none", host);
    if (!config->allow_anyone && config->password_file == NULL && !is_local(host))
        return wrong("--listen %s: others than this machine reach it: give --password-file, or say "
                     "--allow-anyone",
                     config->listen);
    if (config->port == UINT64_MAX)
        config->port = RFB_PORT;
    if (config->port == 0 && config->count > 1)
        return wrong("--port 0 works with --count 1 only");
    if (config->port + config->count - 1 > PORT_MAX)
        return wrong("--port: %llu screens from port %llu on would need ports above %d; choose a "
                     "lower port",
                     (unsigned long long)config->count, (unsigned long long)config->port, PORT_MAX);
    return OPTIONS_OK;
}

/* HOST, HOST:PORT, [V6]:PORT. False: it is none. */
static bool split(const char *text, char host[NAME_BYTES], uint64_t *port)
{
    const bool is_quoted = text[0] == '[';
    const char *end = is_quoted ? strchr(text, ']') : strrchr(text, ':');
    if (is_quoted && end == NULL)
        return false;
    if (!is_quoted && end != NULL && strchr(text, ':') != end)
        end = NULL; /* a plain IPv6 address */
    const char *begin = text + is_quoted, *colon = is_quoted ? end + 1 : end;
    size_t bytes = end != NULL ? (size_t)(end - begin) : strlen(begin);
    if (bytes == 0 || bytes >= NAME_BYTES)
        return false;
    memcpy(host, begin, bytes);
    host[bytes] = '\0';
    if (colon == NULL || *colon == '\0')
        return true;
    char *rest;
    *port = strtoull(colon + 1, &rest, 10);
    return *colon == ':' && colon[1] >= '0' && colon[1] <= '9' && *rest == '\0' && *port > 0 &&
           *port <= PORT_MAX;
}

static int read_connect(struct screens_config *config)
{
    char name[NAME_BYTES], why[WHY_BYTES] = "";
    struct net_address *found;
    uint64_t port = config->port == UINT64_MAX ? RFB_LISTEN_PORT : config->port;
    if (!split(config->connect, name, &port) || port == 0)
        return wrong("--connect takes ADDR or ADDR:PORT of a viewer that listens, such as " HERE
                     ":%d",
                     RFB_LISTEN_PORT);
    config->port = port;
    const char *host = near_address(name);
    if (net_numeric(host, (uint16_t)port, &config->address))
        return OPTIONS_OK;
    if (net_resolve(host, &found, why, sizeof why) == 0)
        return wrong("--connect: cannot resolve '%s': %s", host, why);
    config->address = net_address_at(&found[0], 0, (uint16_t)port);
    free(found);
    return OPTIONS_OK;
}

static bool has_fault(const struct screens_config *config, const char *name)
{
    bool has = false;
    for (unsigned i = 0; i < config->faults.count; i++)
        has |= fault_is(&config->faults.items[i], name);
    return has;
}

static int read_security(struct screens_config *config)
{
    char why[WHY_BYTES];
    if ((config->tls_certificate == NULL) != (config->tls_key == NULL))
        return wrong("--tls-certificate and --tls-key need each other");
    if (config->password_file != NULL &&
        !secret_read(config->password_file, config->password, why, sizeof why))
        return wrong("--password-file: %s", why);
    return OPTIONS_OK;
}

static int check(struct screens_config *config)
{
    char why[WHY_BYTES];
    device_find(config);
    if (read_security(config) != OPTIONS_OK)
        return OPTIONS_WRONG;
    if (faults_spread(&config->faults, config->count, NULL, why, sizeof why) < 0)
        return wrong("%s", why);
    if (has_fault(config, "resize") && config->source != NULL && config->source->resize == NULL)
        return wrong("--fault resize: --device %s cannot change its size", config->device_name);
    if (config->device != NULL && device_check(config, why, sizeof why) != 0)
        return wrong("%s", why);
    if (config->display != NULL && strcmp(config->device_name, "x11") != 0)
        return wrong("--display is of --device x11; remove it");
    if (config->scene_rate < 0)
        config->scene_rate = config->scene->rate;
    return config->connect != NULL ? read_connect(config) : read_listen(config);
}

int screens_options_read(int argc, char **argv, struct screens_config *config)
{
    char epilogue[PAGE_BYTES];
    int operand;
    epilogue_write(epilogue);
    const struct option_set set = {
        .program = "fanin-screens",
        .synopsis = "[--count N] [options]",
        .about = "Simulates screens: serves changing pictures by RFB, the protocol of VNC, to "
                 "fanin-monitor or any other viewer. A screen paints only while a viewer is "
                 "connected.",
        .epilogue = epilogue,
        .options = options,
    };
    *config = (struct screens_config){.port = UINT64_MAX, .scene_rate = -1};
    int parsed = options_parse(&set, argc, argv, config, &operand);
    return parsed == OPTIONS_OK ? check(config) : parsed;
}
