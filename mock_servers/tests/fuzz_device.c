/* A device on the bytes of a hostile client, in any pieces, alone or beside a stream that is held:
 * it answers in the protocol's words, and when the clients are gone nothing of them is left. */
#include "base/tests/fuzz.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include <sys/socket.h>

#include "base/os.h"
#include "mock_servers/connection.h"

enum { TAPE_CAP_BYTES = 1 << 20, ROUNDS_MAX = 200, ANSWER_BYTES = 4096 };

static struct loop loop;
static struct connections all;
static const struct login no_login, a_login = {.user = "user", .password = "password"};

static void set_up(void)
{
    static bool done;
    if (!done &&
        (loop_open(&loop) != 0 || connections_init(&all, &loop, &no_login, TAPE_CAP_BYTES) != 0))
        abort();
    done = true;
}

static void round_run(void)
{
    loop_round(&loop, 0);
    while (tapes_make(all.tapes))
        continue;
    connections_start(&all);
}

static void answer_check(const char *answer, size_t bytes)
{
    static const char *const beginnings[] = {"OK\r\n", "NO ", "STATS "};
    bool known = bytes < 4;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        known = known || strncmp(answer, beginnings[i], strlen(beginnings[i])) == 0;
    /* Or a frame's header: no byte of it is a control. */
    assert(known || (unsigned char)answer[0] > ' ');
}

static int client_open(struct endpoint *endpoint)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        abort();
    assert(connection_open(endpoint, pair[1]) == 0);
    return pair[0];
}

/* A START in the input may be of its run. */
static void hold(int client)
{
    const struct protocol_go go = {.run = 0x0123456789abcdef,
                                   .frames = 10,
                                   .size_min = PROTOCOL_FRAME_BYTES_MIN,
                                   .size_max = PROTOCOL_FRAME_BYTES_MIN,
                                   .source = PROTOCOL_LIVE,
                                   .marker = {"\r\n", 2},
                                   .hold = true};
    char line[PROTOCOL_LINE_BYTES_MAX];
    const int bytes = protocol_write_go(&go, line, sizeof line);
    assert(send(client, line, (size_t)bytes, MSG_NOSIGNAL) == bytes);
    round_run();
}

/* Pieces of the first byte's length; 0: the whole. */
static void talk(int client, const uint8_t *data, size_t bytes)
{
    static char answer[ANSWER_BYTES];
    size_t piece = fuzz_byte(&data, &bytes);
    for (size_t at = 0; at < bytes;) {
        size_t part = piece == 0 || piece > bytes - at ? bytes - at : piece;
        ssize_t sent = send(client, data + at, part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
        round_run();
    }
    round_run();
    ssize_t got = recv(client, answer, sizeof answer, MSG_DONTWAIT);
    if (got > 0)
        answer_check(answer, (size_t)got);
}

int fuzz_input(const uint8_t *data, size_t bytes)
{
    set_up();
    const unsigned kind = fuzz_byte(&data, &bytes);
    struct endpoint endpoint = {.connections = &all};
    const int held = kind & 2 ? client_open(&endpoint) : -1;
    all.login = &no_login;
    if (held >= 0)
        hold(held);
    all.login = kind & 1 ? &a_login : &no_login;
    const int client = client_open(&endpoint);
    talk(client, data, bytes);
    close(client);
    if (held >= 0)
        close(held);
    for (int i = 0; list_first(&all.open) != NULL; i++) {
        assert(i < ROUNDS_MAX);
        round_run();
    }
    connections_free(&all);
    assert(list_first(&all.waiting) == NULL && loop.handlers == 0);
    return 0;
}
