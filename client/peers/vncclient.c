/* fanin-peer-vncclient: what fanin-monitor is compared with: the same job, options and row, by
 * libvncclient, which receives blockingly: a thread for each screen.
 *
 *   main      accepts or connects, watches the time, asks for the ends
 *   worker    of one screen: handshake, updates, stamps, audit
 *   window    keys and pointer (with windows) */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rfb/rfbclient.h>

#include "base/os.h"
#include "base/rfb/protocol.h"
#include "base/rfb/stamp.h"
#include "client/peers/vncclient.h"

static char tag; /* its address names our data in a client */

static struct screen *screen_of(rfbClient *client)
{
    return rfbClientGetClientData(client, &tag);
}

/* ---- hooks of libvncclient, on the screen's thread ------------------------------------------- */

static rfbBool make_picture(rfbClient *client)
{
    struct screen *screen = screen_of(client);
    struct peer *peer = screen->peer;
    const unsigned width = (unsigned)client->width, height = (unsigned)client->height;
    if (width == 0 || height == 0 || (uint64_t)width * height > peer->options->pixels_max ||
        peer->glass_kind->show(peer->glass, screen->index, width, height,
                               client->desktopName != NULL ? client->desktopName : "",
                               &screen->picture) != 0 ||
        screen->picture.stride != width) /* libvncclient knows no stride */
        return FALSE;
    screen->dirty.count = 0;
    client->frameBuffer = (uint8_t *)screen->picture.pixels;
    return TRUE;
}

static void got_rectangle(rfbClient *client, int x, int y, int width, int height)
{
    struct screen *screen = screen_of(client);
    const struct rfb_box box = {(unsigned)x, (unsigned)y, (unsigned)width, (unsigned)height};
    atomic_fetch_add_explicit(&screen->rectangles, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&screen->pixels, (uint64_t)box.width * box.height,
                              memory_order_relaxed);
    damage_add(&screen->dirty, box);
}

static void got_update(rfbClient *client)
{
    struct screen *screen = screen_of(client);
    struct peer *peer = screen->peer;
    uint64_t stamp_us;
    if (screen->dirty.count > 0) {
        if (atomic_fetch_add_explicit(&screen->updates, 1, memory_order_relaxed) == 0)
            atomic_store(&screen->picture_ns, os_now_ns());
        peer->glass_kind->put(peer->glass, screen->index, &screen->dirty);
    }
    screen->dirty.count = 0;
    if (!stamp_read(&screen->picture, STAMP_TIME, &stamp_us))
        return;
    /* The first one was painted before anybody had asked; others were due before the watch. */
    const uint64_t watch_us = atomic_load(&peer->watch_us);
    if (screen->delays.last_stamp == 0 || watch_us == 0 || stamp_us < watch_us)
        screen->delays.last_stamp = stamp_us;
    delays_add(&screen->delays, stamp_us, os_now_ns() / 1000);
}

static void got_text(rfbClient *client, const char *text, int bytes)
{
    struct screen *screen = screen_of(client);
    unsigned long long picture, keys, pointers, updates;
    char line[256];
    if (bytes <= 0 || (size_t)bytes >= sizeof line || screen->audit != AUDIT_ASKED)
        return;
    memcpy(line, text, (size_t)bytes);
    line[bytes] = '\0';
    if (sscanf(line, RFB_AUDIT_SAID " picture=%llx keys=%llu pointers=%llu updates=%llu", &picture,
               &keys, &pointers, &updates) != 4)
        return;
    screen->seen = keys + pointers;
    screen->audit = picture == rfb_picture_digest(&screen->picture) &&
                            keys == atomic_load(&screen->keys) &&
                            pointers == atomic_load(&screen->pointers)
                        ? AUDIT_PASSED
                        : AUDIT_FAILED;
}

static char *give_password(rfbClient *client)
{
    return strdup(screen_of(client)->peer->password);
}

static void say_nothing(const char *format, ...)
{
}

/* ---- a screen's thread ----------------------------------------------------------------------- */

/* libvncclient's names of encodings, with blanks between them. */
static const char *encodings_of(const struct monitor_options *options, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s", options->encodings);
    for (char *at = text; (at = strchr(at, ',')) != NULL;)
        *at = ' ';
    return text;
}

static void describe_client(rfbClient *client, struct screen *screen, const char *encodings)
{
    const struct monitor_options *options = screen->peer->options;
    rfbClientSetClientData(client, &tag, screen);
    client->format.redShift = 16; /* 0x00RRGGBB */
    client->format.greenShift = 8;
    client->format.blueShift = 0;
    client->MallocFrameBuffer = make_picture;
    client->GotFrameBufferUpdate = got_rectangle;
    client->FinishedFrameBufferUpdate = got_update;
    client->GotXCutText = got_text;
    client->GetPassword = give_password;
    client->canHandleNewFBSize = TRUE;
    client->appData.shareDesktop = TRUE;
    client->appData.viewOnly = !options->control;
    client->appData.encodingsString = encodings;
    client->appData.useRemoteCursor = FALSE;
    client->appData.enableJPEG = options->quality < QUALITY_LOSSLESS;
    if (client->appData.enableJPEG)
        client->appData.qualityLevel = (int)options->quality;
    client->listenSpecified = TRUE; /* the socket is connected */
    client->sock = (int)screen->handle;
}

static void ask(struct screen *screen)
{
    if (strncmp(screen->client->desktopName, RFB_AUDIT_NAME, sizeof RFB_AUDIT_NAME - 1) != 0)
        return;
    screen->audit = AUDIT_ASKED;
    pthread_mutex_lock(&screen->sending);
    SendClientCutText(screen->client, (char *)RFB_AUDIT_ASK, sizeof RFB_AUDIT_ASK - 1);
    SendIncrementalFramebufferUpdateRequest(screen->client);
    pthread_mutex_unlock(&screen->sending);
}

static bool is_readable(struct screen *screen)
{
    struct pollfd ready = {.fd = (int)screen->handle, .events = POLLIN};
    return screen->client->buffered > 0 || poll(&ready, 1, OS_SLICE_MS) > 0;
}

static void receive_all(struct screen *screen)
{
    bool asked = false;
    while (!atomic_load(&screen->peer->stopping)) {
        if (atomic_load(&screen->peer->auditing) && !asked) {
            asked = true;
            ask(screen);
        }
        if (asked && screen->audit != AUDIT_ASKED)
            return;
        if (is_readable(screen) && !HandleRFBServerMessage(screen->client))
            return;
    }
}

void *vncscreen_run(void *argument)
{
    struct screen *screen = argument;
    char encodings[256];
    rfbClient *client = rfbGetClient(8, 3, 4);
    if (client != NULL) {
        describe_client(client, screen,
                        encodings_of(screen->peer->options, encodings, sizeof encodings));
        if (rfbInitClient(client, NULL, NULL)) { /* else it is freed, and its socket closed */
            screen->client = client;
            atomic_store(&screen->ready_ns, os_now_ns());
            atomic_store(&screen->ready, true);
            receive_all(screen);
        }
    }
    atomic_store(&screen->over, true);
    return NULL;
}

void vncscreen_end(struct screen *screen)
{
    screen->client->frameBuffer = NULL; /* the window's */
    rfbClientCleanup(screen->client);
    screen->client = NULL;
}

/* ---- input, on the window's thread ----------------------------------------------------------- */

static struct screen *controlled(struct peer *peer, unsigned index)
{
    struct screen *screen = &peer->screens[index];
    const bool takes = peer->options->control && atomic_load(&screen->ready) &&
                       !atomic_load(&screen->over) && !atomic_load(&peer->auditing);
    return takes ? screen : NULL;
}

static void send_key(void *context, unsigned index, uint32_t keysym, bool down)
{
    struct screen *screen = controlled(context, index);
    if (screen == NULL)
        return;
    pthread_mutex_lock(&screen->sending);
    SendKeyEvent(screen->client, keysym, down);
    pthread_mutex_unlock(&screen->sending);
    atomic_fetch_add(&screen->keys, 1);
}

static void send_pointer(void *context, unsigned index, unsigned x, unsigned y, uint8_t buttons)
{
    struct screen *screen = controlled(context, index);
    if (screen == NULL)
        return;
    pthread_mutex_lock(&screen->sending);
    SendPointerEvent(screen->client, (int)x, (int)y, buttons);
    pthread_mutex_unlock(&screen->sending);
    atomic_fetch_add(&screen->pointers, 1);
}

static void ignore_screen(void *context, unsigned index)
{
}

static void ignore_visible(void *context, unsigned index, bool visible)
{
}

static void close_by_hand(void *context, unsigned index)
{
    struct peer *peer = context;
    if (peer->screens[index].handle >= 0)
        shutdown((int)peer->screens[index].handle, SHUT_RDWR);
}

static void glass_lost(void *context, const char *why)
{
    atomic_store(&((struct peer *)context)->glass_lost, true);
}

const struct glass_hooks vncscreen_hooks = {
    .key = send_key,
    .pointer = send_pointer,
    .unfocused = ignore_screen,
    .focused = ignore_screen,
    .visible = ignore_visible,
    .closed = close_by_hand,
    .lost = glass_lost,
};

static const struct program_help help = {
    .name = "fanin-peer-vncclient",
    .about = "The peer that fanin-monitor is compared with: the same options and the same row, but "
             "it receives with libvncclient, one thread for each screen. It has no completion "
             "port.",
    .examples = "  fanin-peer-vncclient --screens 7 --for 10s\n"
                "  fanin-peer-vncclient --connect desk1:5900,desk2:5900 --view none --for 10s\n",
};

int main(int argc, char **argv)
{
    static struct monitor_options options = {.viewer = VIEWER_VNCCLIENT};
    static struct monitor_row row;
    os_writes_fail();
    const int parsed = monitor_options_read(&help, argc, argv, &options);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    if (!options.dry_run && !row_json_check(help.name, options.json))
        return EXIT_MACHINE_CANNOT;
    struct peer peer = {
        .options = &options, .row = &row, .count = (unsigned)options.screens, .listener = -1};
    rfbClientLog = rfbClientErr = say_nothing;
    os_interrupts_catch();
    monitor_row_init(&row, &options);
    row.gate = "none";
    row.workers = row.concurrency = options.screens;
    if (options.security == SECURITY_TLS)
        monitor_row_skip(&row, "--security tls: this peer takes none or password");
    else if (!options.dry_run)
        vncpeer_run(&peer);
    vncpeer_close(&peer);
    return monitor_row_finish(&row);
}
