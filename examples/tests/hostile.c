/* Clients of an echo service: hostile ones, and good ones beside them. Each has a limit of time, so
 * that a service that loses something fails the test instead of hanging it. */
#include "examples/tests/hostile.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/random.h"
#include "base/tests/test.h"

enum { HOSTILE_THREADS = 8, GOOD_THREADS = 2, SILENT_MAX = 24, PIECE_BYTES = 8192 };
enum { WAIT_SECONDS = 120, FLOOD_BYTES = 4 << 20 };

unsigned hostile_connections(void)
{
    const char *wanted = getenv("FANIN_HOSTILE");
    return wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : SANITIZED ? 500 : 2000;
}

/* ---- one client ---------------------------------------------------------------------------- */

int client_connect(unsigned port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = WAIT_SECONDS};
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(client, (const struct sockaddr *)&address, sizeof address) == 0)
        return client;
    close(client);
    return -1;
}

void client_reset(int client)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client);
}

static void client_send(int client, unsigned bytes, int flags)
{
    static const char zeros[65536];
    while (bytes > 0) {
        const unsigned piece = bytes < sizeof zeros ? bytes : (unsigned)sizeof zeros;
        const ssize_t sent = send(client, zeros, piece, MSG_NOSIGNAL | flags);
        if (sent <= 0)
            return;
        bytes -= (unsigned)sent;
    }
}

static bool piece_echoes(int client, uint64_t *random, unsigned bytes)
{
    char sent[PIECE_BYTES], got[PIECE_BYTES];
    for (unsigned i = 0; i < bytes; i++)
        sent[i] = (char)random_next(random);
    return send(client, sent, bytes, MSG_NOSIGNAL) == (ssize_t)bytes &&
           recv(client, got, bytes, MSG_WAITALL) == (ssize_t)bytes && memcmp(sent, got, bytes) == 0;
}

bool client_echoes(int client, unsigned bytes)
{
    uint64_t random = bytes + (uint64_t)client;
    for (unsigned piece; bytes > 0; bytes -= piece) {
        piece = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
        if (!piece_echoes(client, &random, piece))
            return false;
    }
    return true;
}

bool client_ended(int client)
{
    char byte;
    return recv(client, &byte, 1, 0) == 0;
}

/* ---- hostile ones -------------------------------------------------------------------------- */

/* Those that stay connected and silent for a while, of one thread. */
struct silent {
    int clients[SILENT_MAX];
    unsigned next;
};

static void silent_replace(struct silent *silent, int client)
{
    int *place = &silent->clients[silent->next++ % SILENT_MAX];
    if (*place > 0)
        silent->next % 2 ? client_reset(*place) : (void)close(*place);
    *place = client;
}

/* A reset at any moment: the service may have all, some or none of it by then. */
static void reset_after_sending(int client, unsigned random)
{
    client_send(client, random % 60000, MSG_DONTWAIT);
    if (random % 3 == 0)
        os_sleep_ns(random % 2000000);
    client_reset(client);
}

/* Sends without reading until nothing fits, so that the service has a send that waits. */
static void send_and_never_read(int client, unsigned random)
{
    client_send(client, FLOOD_BYTES, MSG_DONTWAIT);
    if (random % 2)
        client_reset(client);
    else
        close(client);
}

static void read_slowly(int client, unsigned random)
{
    char little[512];
    client_send(client, 100000, MSG_DONTWAIT);
    for (unsigned i = 0; i < random % 8; i++)
        if (recv(client, little, sizeof little, MSG_DONTWAIT) <= 0)
            os_sleep_ns(1000000);
    close(client);
}

static void finish_and_leave(int client, unsigned random)
{
    client_send(client, random % 5000, MSG_DONTWAIT);
    shutdown(client, SHUT_WR);
    if (random % 2)
        shutdown(client, SHUT_RD);
    close(client);
}

static void half_a_message(int client, unsigned random)
{
    client_send(client, 1 + random % 3, 0);
    close(client); /* what comes back finds nobody */
}

static void misbehave(int client, unsigned random, struct silent *silent)
{
    switch (random % 8) {
    case 0:
        close(client);
        break;
    case 1:
        client_reset(client);
        break;
    case 2:
        reset_after_sending(client, random / 8);
        break;
    case 3:
        send_and_never_read(client, random / 8);
        break;
    case 4:
        read_slowly(client, random / 8);
        break;
    case 5:
        finish_and_leave(client, random / 8);
        break;
    case 6:
        half_a_message(client, random / 8);
        break;
    default:
        silent_replace(silent, client);
    }
}

/* ---- all of them --------------------------------------------------------------------------- */

struct crowd {
    unsigned port, count;
    uint64_t seed;
    atomic_uint begun, hostile, good, lost;
    atomic_bool over;
};

static void *hostile_thread(void *argument)
{
    struct crowd *crowd = argument;
    struct silent silent = {.next = 0};
    unsigned number;
    while ((number = crowd->begun++) < crowd->count) {
        const int client = client_connect(crowd->port);
        if (client < 0)
            continue;
        crowd->hostile++;
        misbehave(client, (unsigned)random_mix(crowd->seed + number), &silent);
    }
    for (unsigned i = 0; i < SILENT_MAX; i++)
        silent_replace(&silent, -1);
    return NULL;
}

/* Gets every byte back, also those that come after its own end. */
static bool good_client(unsigned port, unsigned number)
{
    char rest[PIECE_BYTES];
    const int client = client_connect(port);
    if (client < 0)
        return false;
    bool whole = client_echoes(client, 1 + number * 7919 % 40000);
    client_send(client, sizeof rest, 0);
    shutdown(client, SHUT_WR);
    whole = whole && recv(client, rest, sizeof rest, MSG_WAITALL) == sizeof rest &&
            client_ended(client);
    close(client);
    return whole;
}

static void *good_thread(void *argument)
{
    struct crowd *crowd = argument;
    do {
        if (!good_client(crowd->port, crowd->good++))
            crowd->lost++;
    } while (!crowd->over);
    return NULL;
}

struct hostile_outcome hostile_run(unsigned port, unsigned count)
{
    struct crowd crowd = {.port = port, .count = count, .seed = os_now_ns()};
    pthread_t hostile[HOSTILE_THREADS], good[GOOD_THREADS];
    printf("# %u hostile connections, seed %llu\n", count, (unsigned long long)crowd.seed);
    for (unsigned i = 0; i < GOOD_THREADS; i++)
        assert_int_equal(pthread_create(&good[i], NULL, good_thread, &crowd), 0);
    for (unsigned i = 0; i < HOSTILE_THREADS; i++)
        assert_int_equal(pthread_create(&hostile[i], NULL, hostile_thread, &crowd), 0);
    for (unsigned i = 0; i < HOSTILE_THREADS; i++)
        pthread_join(hostile[i], NULL);
    crowd.over = true;
    for (unsigned i = 0; i < GOOD_THREADS; i++)
        pthread_join(good[i], NULL);
    return (struct hostile_outcome){crowd.hostile, crowd.good, crowd.lost};
}
