/* The CPU time of decoding, ours beside libvncclient's, of the same bytes over loopback: what
 * screens of ours say in some scenes and encodings. Receiving is in it, a window is not.
 *
 *     bench_decode        REQUIRE=1: exit code 1 when the target is missed
 *
 * One thread each: one sends what was recorded, one receives it and decodes. Each round measures
 * both; the ratio is the median's. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/tests/rounds.h"
#include "client/monitor/rfb/rfb.h"
#include "mock_servers/screens/tests/recording.h"

#if __has_include(<rfb/rfbclient.h>)
#include <rfb/rfbclient.h>
#define HAS_VNCCLIENT 1
#else
#define HAS_VNCCLIENT 0
#endif

enum { ROUNDS = 5, WIDTH = 1280, HEIGHT = 800, RECEIVE_BYTES = 65536 };

#define TARGET 0.75

static const struct decoded {
    const char *scene, *name;
    int encoding, quality;
    unsigned frames;
} cases[] = {
    {"type", "tight", 7, 0, 2000},       {"scroll", "tight", 7, 0, 300},
    {"video", "tight, JPEG", 7, 80, 60}, {"flip-all", "tight", 7, 0, 60},
    {"flip-all", "zrle", 16, 0, 60},     {"flip-all", "raw", 0, 0, 30},
};
enum { CASES = sizeof cases / sizeof *cases };

/* ---- a screen that says what was recorded -------------------------------------------------- */

struct sender {
    const struct recording *recording;
    int listener;
    unsigned short port;
    pthread_t thread;
};

static void *send_all(void *context)
{
    const struct sender *sender = context;
    const int socket = accept(sender->listener, NULL, NULL);
    for (size_t at = 0; at < sender->recording->bytes;) {
        const ssize_t sent =
            send(socket, sender->recording->data + at, sender->recording->bytes - at, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    /* What the viewer says is read until it closes: a reset would take what it has not read. */
    char said[4096];
    while (recv(socket, said, sizeof said, 0) > 0)
        continue;
    close(socket);
    return NULL;
}

static void sender_start(struct sender *sender, const struct recording *recording)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sender->recording = recording;
    sender->listener = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(sender->listener, (struct sockaddr *)&address, bytes) == 0 &&
             listen(sender->listener, 1) == 0 &&
             getsockname(sender->listener, (struct sockaddr *)&address, &bytes) == 0 &&
             pthread_create(&sender->thread, NULL, send_all, sender) == 0,
         "loopback");
    sender->port = ntohs(address.sin_port);
}

static void sender_join(struct sender *sender)
{
    pthread_join(sender->thread, NULL);
    close(sender->listener);
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- ours --------------------------------------------------------------------------------- */

struct viewer {
    int socket;
    struct rfb *rfb;
    struct rfb_picture picture;
    uint64_t updates;
};

static void say(void *context, const void *data, size_t bytes)
{
    const struct viewer *viewer = context;
    need(send(viewer->socket, data, bytes, MSG_NOSIGNAL) == (ssize_t)bytes, "loopback");
}

static bool size(void *context, unsigned width, unsigned height, struct rfb_picture *picture)
{
    struct viewer *viewer = context;
    *picture = (struct rfb_picture){calloc((size_t)width * height, 4), width, height, width};
    viewer->picture = *picture;
    return picture->pixels != NULL;
}

/* Asks for the next, as a viewer does. */
static void updated(void *context, const struct damage *dirty)
{
    struct viewer *viewer = context;
    viewer->updates++;
    rfb_request(viewer->rfb, rfb_box_all(&viewer->picture), true);
}

static double ours(const struct recording *recording)
{
    static const struct rfb_hooks hooks = {say, size, updated, NULL, NULL};
    static const int encodings[] = {RFB_TIGHT, RFB_ZRLE, RFB_COPYRECT};
    static uint8_t received[RECEIVE_BYTES];
    struct viewer viewer = {0};
    const struct rfb_config config = {.hooks = &hooks,
                                      .context = &viewer,
                                      .pixels_max = WIDTH * HEIGHT,
                                      .encodings = encodings,
                                      .encoding_count = 3,
                                      .shared = true};
    struct sender sender;
    sender_start(&sender, recording);
    viewer.socket = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(sender.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    viewer.rfb = rfb_open(&config);
    need(viewer.rfb != NULL &&
             connect(viewer.socket, (struct sockaddr *)&address, sizeof address) == 0,
         "loopback");
    const double began = cpu_s();
    while (viewer.updates < recording->updates) {
        const ssize_t got = recv(viewer.socket, received, sizeof received, 0);
        if (got <= 0 || rfb_feed(viewer.rfb, received, (size_t)got) < 0)
            break;
    }
    const double took = cpu_s() - began;
    close(viewer.socket);
    sender_join(&sender);
    const bool right = viewer.updates == recording->updates;
    rfb_close(viewer.rfb);
    free(viewer.picture.pixels);
    return right ? took : -1;
}

/* ---- libvncclient ------------------------------------------------------------------------- */

#if HAS_VNCCLIENT
static uint64_t finished;

static void update_finished(rfbClient *client)
{
    finished++;
}

static void quiet(const char *format, ...)
{
}

static double theirs(const struct recording *recording)
{
    struct sender sender;
    rfbClientLog = rfbClientErr = quiet;
    rfbClient *client = rfbGetClient(8, 3, 4);
    sender_start(&sender, recording);
    client->format.redShift = 16;
    client->format.greenShift = 8;
    client->format.blueShift = 0;
    client->appData.encodingsString = "tight zrle copyrect raw";
    client->FinishedFrameBufferUpdate = update_finished;
    client->serverHost = strdup("127.0.0.1");
    client->serverPort = sender.port;
    finished = 0;
    need(rfbInitClient(client, NULL, NULL), "libvncclient's handshake");
    const double began = cpu_s();
    while (finished < recording->updates)
        if (WaitForMessage(client, 1000000) < 0 || !HandleRFBServerMessage(client))
            break;
    const double took = cpu_s() - began;
    const bool right = finished == recording->updates;
    free(client->frameBuffer);
    client->frameBuffer = NULL;
    rfbClientCleanup(client);
    sender_join(&sender);
    return right ? took : -1;
}
#else
static double theirs(const struct recording *recording)
{
    return 1;
}
#endif

/* ---- rounds ------------------------------------------------------------------------------- */

/* True: the target is met, or there is none to compare with. */
static bool measure(const struct decoded *decoded)
{
    double mine[ROUNDS], others[ROUNDS];
    struct recording recording;
    need(recording_make(decoded->scene, decoded->encoding, WIDTH, HEIGHT, decoded->frames,
                        decoded->quality, &recording),
         "a recording");
    for (unsigned round = 0; round < ROUNDS; round++) {
        mine[round] = ours(&recording);
        others[round] = HAS_VNCCLIENT ? theirs(&recording) : 1;
        need(mine[round] > 0 && others[round] > 0, "not all was decoded");
    }
    const double per_update = 1e6 / (double)recording.updates;
    const double ratio = ratio_of(mine, others, ROUNDS).median;
    free(recording.data);
    printf("%-9s %-12s %9.1f us an update", decoded->scene, decoded->name,
           summary_of(mine, ROUNDS).median * per_update);
    if (HAS_VNCCLIENT)
        printf(", libvncclient's %9.1f, ratio %.2f", summary_of(others, ROUNDS).median * per_update,
               ratio);
    printf("\n");
    return !HAS_VNCCLIENT || ratio <= TARGET;
}

int main(void)
{
    unsigned missed = 0;
    printf("Decoding %d x %d, CPU time with receiving; target: at most %.2f of libvncclient's%s\n",
           WIDTH, HEIGHT, TARGET, HAS_VNCCLIENT ? "" : ", which is not here");
    for (unsigned i = 0; i < CASES; i++)
        missed += !measure(&cases[i]);
    if (missed > 0)
        printf("missed by %u of %d\n", missed, CASES);
    return missed > 0 && getenv("REQUIRE") != NULL ? 1 : 0;
}
