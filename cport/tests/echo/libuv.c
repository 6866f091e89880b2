/* bench_echo's server on libuv: one loop. What cannot be sent at once is written by a request. */
#include "cport/tests/echo/echo.h"

#include <stdlib.h>
#include <uv.h>

#include "base/tests/rounds.h"

struct connection {
    uv_tcp_t tcp;
    uv_write_t request;
    char data[ECHO_BUFFER_BYTES];
};

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end(struct connection *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->tcp))
        uv_close((uv_handle_t *)&connection->tcp, closed);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;
    *buffer = uv_buf_init(connection->data, sizeof connection->data);
}

static void received(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer);

static void written(uv_write_t *request, int status)
{
    struct connection *connection = request->data;
    if (status < 0 || uv_read_start((uv_stream_t *)&connection->tcp, give_buffer, received) != 0)
        end(connection);
}

static void write_rest(struct connection *connection, size_t from, size_t bytes)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    uv_buf_t rest = uv_buf_init(connection->data + from, (unsigned)bytes);
    connection->request.data = connection;
    uv_read_stop(stream);
    if (uv_write(&connection->request, stream, &rest, 1, written) != 0)
        end(connection);
}

static void received(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;
    if (bytes < 0)
        end(connection);
    if (bytes <= 0)
        return;
    uv_buf_t all = uv_buf_init(connection->data, (unsigned)bytes);
    int sent = uv_try_write(stream, &all, 1);
    if (sent < 0 && sent != UV_EAGAIN)
        end(connection);
    else if (sent < bytes)
        write_rest(connection, sent < 0 ? 0 : (size_t)sent,
                   (size_t)(bytes - (sent < 0 ? 0 : sent)));
}

static void connected(uv_stream_t *listener, int status)
{
    if (status < 0)
        return;
    struct connection *connection = malloc(sizeof *connection);
    need(connection && uv_tcp_init(listener->loop, &connection->tcp) == 0, "no memory");
    connection->tcp.data = connection;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&connection->tcp, give_buffer, received) != 0)
        end(connection);
}

void serve_libuv(const struct echo_server *self, int listener)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t acceptor;
    need(uv_tcp_init(loop, &acceptor) == 0 && uv_tcp_open(&acceptor, listener) == 0 &&
             uv_listen((uv_stream_t *)&acceptor, 1024, connected) == 0,
         "libuv cannot listen");
    uv_run(loop, UV_RUN_DEFAULT);
}
