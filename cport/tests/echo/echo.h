/* What bench_echo's servers share. Each is written as its library's own examples are, and all have
 * the same shape: one buffer a connection; a message is sent from where it was received; the next
 * receive follows the send. */
#ifndef FANIN_TESTS_ECHO_H
#define FANIN_TESTS_ECHO_H

#ifdef __cplusplus
extern "C" {
#endif

enum { ECHO_BUFFER_BYTES = 65536 };

struct echo_server {
    const char *name;
    /* serve: accepts on the listener, which is non-blocking, and echoes until the process is
     * killed. Connections inherit the listener's options. */
    void (*serve)(const struct echo_server *self, int listener);
    unsigned threads;
    unsigned concurrency; /* of them may run at once (cport) */
    const char *engine;   /* likewise */
    const char *package;  /* Debian's, that it needs to be built */
};

/* Weak: a server whose library is missing is not linked. */
#define ECHO_WEAK __attribute__((weak))

void serve_cport(const struct echo_server *self, int listener);
void serve_epoll(const struct echo_server *self, int listener);
ECHO_WEAK void serve_libuv(const struct echo_server *self, int listener);
ECHO_WEAK void serve_asio(const struct echo_server *self, int listener);

#ifdef __cplusplus
}
#endif

#endif
