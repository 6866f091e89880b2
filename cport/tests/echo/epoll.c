/* bench_echo's bare loop: what an echo costs with epoll and nothing else. */
#include "cport/tests/echo/echo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/tests/rounds.h"

enum { EVENTS_MAX = 256 };

struct connection {
    int descriptor;
    size_t from, unsent;
    char data[ECHO_BUFFER_BYTES];
};

static int epoll;

static void watch(int how, int descriptor, unsigned events, void *tag)
{
    struct epoll_event event = {.events = events, .data.ptr = tag};
    need(epoll_ctl(epoll, how, descriptor, &event) == 0, "epoll_ctl");
}

static void accept_one(int listener)
{
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0)
        return;
    struct connection *connection = malloc(sizeof *connection);
    need(connection != NULL, "no memory");
    connection->descriptor = descriptor;
    connection->unsent = 0;
    watch(EPOLL_CTL_ADD, descriptor, EPOLLIN, connection);
}

static void end(struct connection *connection)
{
    close(connection->descriptor);
    free(connection);
}

/* False: the connection is over. */
static bool receive_some(struct connection *connection)
{
    ssize_t bytes = recv(connection->descriptor, connection->data, sizeof connection->data, 0);
    connection->from = 0;
    connection->unsent = bytes > 0 ? (size_t)bytes : 0;
    return bytes > 0 || (bytes < 0 && errno == EAGAIN);
}

static bool send_rest(struct connection *connection)
{
    ssize_t bytes = send(connection->descriptor, connection->data + connection->from,
                         connection->unsent, MSG_NOSIGNAL);
    if (bytes < 0)
        return errno == EAGAIN;
    connection->from += (size_t)bytes;
    connection->unsent -= (size_t)bytes;
    return true;
}

static void echo(struct connection *connection)
{
    bool waited = connection->unsent > 0;
    if ((!waited && !receive_some(connection)) ||
        (connection->unsent > 0 && !send_rest(connection)))
        end(connection);
    else if (waited != (connection->unsent > 0))
        watch(EPOLL_CTL_MOD, connection->descriptor, waited ? EPOLLIN : EPOLLOUT, connection);
}

void serve_epoll(const struct echo_server *self, int listener)
{
    struct epoll_event events[EVENTS_MAX];
    epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int index = 0; index < count; index++)
            if (events[index].data.ptr)
                echo(events[index].data.ptr);
            else
                accept_one(listener);
    }
}
