// bench_echo's server on asio: one io_context, run by each of its threads.
#include "cport/tests/echo/echo.h"

#include <asio.hpp>
#include <thread>
#include <vector>

namespace
{

using asio::ip::tcp;

// Lives until an operation of it fails; it has one at a time, so it needs no strand.
class session
{
  public:
    explicit session(tcp::socket &&socket) : socket_(std::move(socket))
    {
    }

    void receive()
    {
        socket_.async_read_some(asio::buffer(data_), [this](std::error_code error, size_t bytes) {
            if (error)
                delete this;
            else
                send(bytes);
        });
    }

  private:
    void send(size_t bytes)
    {
        asio::async_write(socket_, asio::buffer(data_, bytes),
                          [this](std::error_code error, size_t) {
                              if (error)
                                  delete this;
                              else
                                  receive();
                          });
    }

    tcp::socket socket_;
    char data_[ECHO_BUFFER_BYTES];
};

void accept_next(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
        if (!error)
            (new session(std::move(socket)))->receive();
        accept_next(acceptor);
    });
}

} // namespace

void serve_asio(const struct echo_server *self, int listener)
{
    asio::io_context context(static_cast<int>(self->threads));
    tcp::acceptor acceptor(context, tcp::v4(), listener);
    accept_next(acceptor);
    std::vector<std::thread> others;
    for (unsigned index = 1; index < self->threads; index++)
        others.emplace_back([&context] { context.run(); });
    context.run();
}
