/* OS codes -> portable codes, one table.
 *
 * Everything in the completion port is >= 0 (a result) or one of these, negative. The same event
 * has the same code on every engine; where several OS codes mean one event they share a line. */
#ifndef FANIN_PORT_ERROR_H
#define FANIN_PORT_ERROR_H

/* code, name in rows and messages, what it means */
#define CP_ERRORS(X)                                                                               \
    X(CP_EINVAL, "invalid", "an argument is out of its domain, or the socket cannot do this")      \
    X(CP_ECANCELED, "canceled", "cp_cancel took the operation back")                               \
    X(CP_EABORTED, "aborted", "its own socket was closed under the operation")                     \
    X(CP_ETIMEDOUT, "timeout", "the time limit of a connect, or TCP's own, ran out")               \
    X(CP_EREFUSED, "refused", "nothing listens there")                                             \
    X(CP_ERESET, "reset", "the peer reset the connection")                                         \
    X(CP_EUNREACHABLE, "unreachable", "no route to the network or host")                           \
    X(CP_ENOTCONN, "not-connected", "the socket is not connected")                                 \
    X(CP_EISCONN, "already-connected", "the socket is connected already")                          \
    X(CP_ESHUTDOWN, "shut-down", "this direction was shut down on this side")                      \
    X(CP_EADDRINUSE, "address-in-use", "another socket has that address and port")                 \
    X(CP_EADDRNOTAVAIL, "address-not-available",                                                   \
      "not an address of this machine, or no port is left")                                        \
    X(CP_EACCES, "not-permitted", "the system does not allow it")                                  \
    X(CP_EMFILE, "too-many-descriptors", "the process is out of descriptors")                      \
    X(CP_ENFILE, "too-many-files", "the system is out of descriptors")                             \
    X(CP_ENOSPC, "too-many-watched", "the user may watch no more descriptors with epoll")          \
    X(CP_ENOMEM, "out-of-memory", "no memory, here or in the kernel")                              \
    X(CP_ENOBUFS, "no-blocks", "a late receive's source had no block: post it again when it has")  \
    X(CP_ENOTFOUND, "not-found", "nothing to cancel: not pending, or completing already")          \
    X(CP_ECLOSED, "port-closed", "the port is closed")                                             \
    X(CP_EUNSUPPORTED, "unsupported", "this engine or machine cannot do it")                       \
    X(CP_EOTHER, "other", "an OS code that has no line in this table")

enum cp_error {
    CP_ERROR_BASE = -1000,
#define X(code, name, text) code,
    CP_ERRORS(X)
#undef X
        CP_ERROR_END
};

_Static_assert(CP_ERROR_END < 0, "every code is negative");

enum { CP_ERROR_COUNT = CP_ERROR_END - CP_ERROR_BASE - 1 };

/* cp_error_name: "refused"; a number that is no code of ours gives "other". */
const char *cp_error_name(int code);

/* cp_error_text: what the code means, for people. */
const char *cp_error_text(int code);

/* cp_error_index: 0..CP_ERROR_COUNT-1, for counting by code. */
int cp_error_index(int code);

/* cp_error_from_os: an errno value (Linux), a WSA or Win32 code (Windows), positive -> portable
 * code. */
int cp_error_from_os(int os_code);

/* cp_error_from_errno: a negative errno value on every system -> portable code; 0 -> 0. */
int cp_error_from_errno(int error);

#endif
