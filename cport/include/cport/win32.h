/* Windows' completion ports and overlapped sockets by their own names, on Linux, over <cport.h>.
 * Programs keep their source; what is below behaves as on Windows, and these are the limits:
 *
 *  - Source-compatible, not binary: an OVERLAPPED is larger, a DWORD is 32 bits (print it with %u).
 *    Between the submitting call and its packet an OVERLAPPED belongs to the library.
 *  - A submitted operation answers SOCKET_ERROR or FALSE with ERROR_IO_PENDING even if it is done
 *    already; with FILE_SKIP_COMPLETION_PORT_ON_SUCCESS it may answer success.
 *  - Operations make progress while some thread waits in GetQueuedCompletionStatus. Overlapped
 *    calls need a socket that is associated with a port: events, completion routines and alertable
 *    waits do not exist. WSARecv and WSASend without an OVERLAPPED block, as on Windows.
 *  - TCP and UDP sockets; no files, pipes, DisconnectEx, TransmitFile or CancelIo. Of Winsock's
 *    options SO_UPDATE_*_CONTEXT succeed and do nothing, SO_EXCLUSIVEADDRUSE too, SO_SNDBUF and
 *    SO_RCVBUF of 0 leave the system's size, time-outs are milliseconds. Of what was set on
 *    AcceptEx's second socket nothing remains: the connection inherits the listener's options.
 *  - A SOCKET is a descriptor. Close it with closesocket only; do not dup2 onto it. bind, listen,
 *    connect, send, getsockname... are the system's, and set WSAGetLastError as well (in C++ where
 *    the first argument is a SOCKET). For lengths use socklen_t, which is Windows' int there.
 *  - CloseHandle of a port cancels what its sockets have in flight. They stay open, but belong to
 *    no other port. Of threads there is what a server needs: start, wait for the end.
 *  - An AcceptEx that has its connection and waits for first bytes ends with its accept socket, not
 *    with its listener.
 *
 * Errors are Windows' codes: immediate ones as WSAGetLastError has them (10054), those of a packet
 * as GetLastError has them after GetQueuedCompletionStatus (64). Link with libcport-win32; with
 * `pkg-config --cflags cport-win32` <winsock2.h>, <mswsock.h>, <ws2tcpip.h> and <windows.h> are
 * this file. All calls may be made by any thread. */
#ifndef CPORT_WINDOWS_NAMES_H
#define CPORT_WINDOWS_NAMES_H

#include <arpa/inet.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <wchar.h>

#include <cport.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* ---- types --------------------------------------------------------------------------------- */

typedef int BOOL, INT, *LPINT;
typedef uint8_t BYTE, UCHAR;
typedef uint16_t WORD, USHORT;
typedef uint32_t DWORD, ULONG, UINT, *LPDWORD, *PDWORD, *PULONG;
typedef int32_t LONG, *PLONG;
typedef int64_t LONGLONG, LONG64;
typedef uint64_t ULONGLONG, DWORD64;
typedef char CHAR, *LPSTR;
typedef const char *LPCSTR;
typedef wchar_t WCHAR;
typedef uintptr_t ULONG_PTR, DWORD_PTR, UINT_PTR, *PULONG_PTR;
typedef intptr_t LONG_PTR, INT_PTR;
typedef size_t SIZE_T;
typedef void VOID, *PVOID, *LPVOID, *HANDLE;
typedef UINT_PTR SOCKET;

typedef struct sockaddr SOCKADDR, *PSOCKADDR, *LPSOCKADDR;
typedef struct sockaddr_in SOCKADDR_IN, *PSOCKADDR_IN, *LPSOCKADDR_IN;
typedef struct sockaddr_in6 SOCKADDR_IN6, *PSOCKADDR_IN6, *LPSOCKADDR_IN6;
typedef struct sockaddr_storage SOCKADDR_STORAGE, *PSOCKADDR_STORAGE, *LPSOCKADDR_STORAGE;
typedef struct in_addr IN_ADDR;

typedef struct _GUID {
    uint32_t Data1;
    uint16_t Data2, Data3;
    uint8_t Data4[8];
} GUID;

typedef struct WSAData {
    WORD wVersion, wHighVersion;
    unsigned short iMaxSockets, iMaxUdpDg;
    char szDescription[64], szSystemStatus[32];
} WSADATA, *LPWSADATA;

typedef struct _WSABUF {
    ULONG len;
    CHAR *buf;
} WSABUF, *LPWSABUF;

typedef struct _OVERLAPPED {
    ULONG_PTR Internal;     /* STATUS_PENDING, or the operation's status */
    ULONG_PTR InternalHigh; /* bytes */
    __extension__ union {
        __extension__ struct {
            DWORD Offset, OffsetHigh;
        };
        PVOID Pointer;
    };
    HANDLE hEvent; /* not looked at */

    /* The library's. */
    struct cp_op op;
    ULONG_PTR key;
    SOCKET second;     /* of AcceptEx: the socket that is to become the connection */
    const void *after; /* of ConnectEx: what to send when connected */
    DWORD after_bytes; /* ... or the room of a receive */
} OVERLAPPED, WSAOVERLAPPED, *LPOVERLAPPED, *LPWSAOVERLAPPED;

typedef struct _OVERLAPPED_ENTRY {
    ULONG_PTR lpCompletionKey;
    LPOVERLAPPED lpOverlapped;
    ULONG_PTR Internal;
    DWORD dwNumberOfBytesTransferred;
} OVERLAPPED_ENTRY, *LPOVERLAPPED_ENTRY;

#define WINAPI
#define WSAAPI
#define CALLBACK
#define PASCAL
#define FAR

#define TRUE                 1
#define FALSE                0
#define INFINITE             0xffffffffu
#define INVALID_HANDLE_VALUE ((HANDLE)(LONG_PTR)-1)
#define INVALID_SOCKET       ((SOCKET) ~(UINT_PTR)0)
#define SOCKET_ERROR         (-1)
#define MAKEWORD(low, high)  ((WORD)(((BYTE)(low)) | ((WORD)((BYTE)(high)) << 8)))
#define LOBYTE(word)         ((BYTE)((word)&0xff))

#define CONTAINING_RECORD(address, type, field)                                                    \
    ((type *)(void *)((char *)(address)-offsetof(type, field)))
#define ZeroMemory(data, bytes)     memset((data), 0, (bytes))
#define CopyMemory(to, from, bytes) memcpy((to), (from), (bytes))

/* ---- error codes --------------------------------------------------------------------------- */

#define NO_ERROR                  0
#define ERROR_SUCCESS             0
#define ERROR_TOO_MANY_OPEN_FILES 4
#define ERROR_ACCESS_DENIED       5
#define ERROR_INVALID_HANDLE      6
#define ERROR_NOT_ENOUGH_MEMORY   8
#define ERROR_GEN_FAILURE         31
#define ERROR_NOT_SUPPORTED       50
#define ERROR_DUP_NAME            52
#define ERROR_NETNAME_DELETED     64
#define ERROR_INVALID_PARAMETER   87
#define ERROR_SEM_TIMEOUT         121
#define ERROR_PIPE_NOT_CONNECTED  233
#define ERROR_MORE_DATA           234
#define ERROR_ABANDONED_WAIT_0    735
#define ERROR_OPERATION_ABORTED   995
#define ERROR_IO_INCOMPLETE       996
#define ERROR_IO_PENDING          997
#define ERROR_NOT_FOUND           1168
#define ERROR_INVALID_NETNAME     1214
#define ERROR_CONNECTION_REFUSED  1225
#define ERROR_CONNECTION_ACTIVE   1230
#define ERROR_NETWORK_UNREACHABLE 1231
#define ERROR_HOST_UNREACHABLE    1232
#define ERROR_PORT_UNREACHABLE    1234
#define ERROR_NO_SYSTEM_RESOURCES 1450
#define ERROR_NOT_CONNECTED       2250
#define WAIT_OBJECT_0             0
#define WAIT_TIMEOUT              258
#define WAIT_FAILED               0xffffffffu
#define WSA_INVALID_HANDLE        ERROR_INVALID_HANDLE
#define WSA_OPERATION_ABORTED     ERROR_OPERATION_ABORTED
#define WSA_IO_INCOMPLETE         ERROR_IO_INCOMPLETE
#define WSA_IO_PENDING            ERROR_IO_PENDING
#define WSAEINTR                  10004
#define WSAEACCES                 10013
#define WSAEFAULT                 10014
#define WSAEINVAL                 10022
#define WSAEMFILE                 10024
#define WSAEWOULDBLOCK            10035
#define WSAEALREADY               10037
#define WSAENOTSOCK               10038
#define WSAEDESTADDRREQ           10039
#define WSAEMSGSIZE               10040
#define WSAEPROTOTYPE             10041
#define WSAENOPROTOOPT            10042
#define WSAEPROTONOSUPPORT        10043
#define WSAESOCKTNOSUPPORT        10044
#define WSAEOPNOTSUPP             10045
#define WSAEAFNOSUPPORT           10047
#define WSAEADDRINUSE             10048
#define WSAEADDRNOTAVAIL          10049
#define WSAENETDOWN               10050
#define WSAENETUNREACH            10051
#define WSAECONNABORTED           10053
#define WSAECONNRESET             10054
#define WSAENOBUFS                10055
#define WSAEISCONN                10056
#define WSAENOTCONN               10057
#define WSAESHUTDOWN              10058
#define WSAETIMEDOUT              10060
#define WSAECONNREFUSED           10061
#define WSAEHOSTUNREACH           10065
#define WSASYSCALLFAILURE         10107

/* What Internal holds. */
#define STATUS_SUCCESS                0x00000000u
#define STATUS_PENDING                0x00000103u
#define STATUS_BUFFER_OVERFLOW        0x80000005u
#define STATUS_UNSUCCESSFUL           0xc0000001u
#define STATUS_INVALID_PARAMETER      0xc000000du
#define STATUS_NO_MEMORY              0xc0000017u
#define STATUS_ACCESS_DENIED          0xc0000022u
#define STATUS_INSUFFICIENT_RESOURCES 0xc000009au
#define STATUS_PIPE_DISCONNECTED      0xc00000b0u
#define STATUS_IO_TIMEOUT             0xc00000b5u
#define STATUS_NOT_SUPPORTED          0xc00000bbu
#define STATUS_TOO_MANY_OPENED_FILES  0xc000011fu
#define STATUS_CANCELLED              0xc0000120u
#define STATUS_INVALID_CONNECTION     0xc0000140u
#define STATUS_INVALID_ADDRESS        0xc0000207u
#define STATUS_ADDRESS_ALREADY_EXISTS 0xc000020au
#define STATUS_CONNECTION_RESET       0xc000020du
#define STATUS_CONNECTION_REFUSED     0xc0000236u
#define STATUS_CONNECTION_ACTIVE      0xc000023bu
#define STATUS_NETWORK_UNREACHABLE    0xc000023cu
#define STATUS_HOST_UNREACHABLE       0xc000023du
#define STATUS_PORT_UNREACHABLE       0xc000023fu

DWORD GetLastError(void);
void SetLastError(DWORD code);
int WSAGetLastError(void);
void WSASetLastError(int code);

/* ---- ports --------------------------------------------------------------------------------- */

/* CreateIoCompletionPort: a new port for (INVALID_HANDLE_VALUE, NULL), whose workers that sleep
 * elsewhere give their places away as on Windows; a socket joins a port with its key. NULL:
 * ERROR_INVALID_HANDLE, ERROR_INVALID_PARAMETER (associated already), ERROR_NOT_ENOUGH_MEMORY... */
HANDLE CreateIoCompletionPort(HANDLE file, HANDLE port, ULONG_PTR key, DWORD concurrency);

/* GetQueuedCompletionStatus: TRUE: a packet of success. FALSE and *overlapped: a packet of failure;
 * FALSE and NULL: none: WAIT_TIMEOUT, ERROR_ABANDONED_WAIT_0 (the port was closed meanwhile) or
 * ERROR_INVALID_HANDLE. */
BOOL GetQueuedCompletionStatus(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED *overlapped,
                               DWORD milliseconds);
BOOL GetQueuedCompletionStatusEx(HANDLE port, LPOVERLAPPED_ENTRY entries, ULONG count,
                                 PULONG removed, DWORD milliseconds, BOOL alertable);

/* PostQueuedCompletionStatus: the three values arrive as given; `overlapped` is not looked at. */
BOOL PostQueuedCompletionStatus(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped);

/* CloseHandle: of a port, a thread or a socket. */
BOOL CloseHandle(HANDLE handle);

#define FILE_SKIP_COMPLETION_PORT_ON_SUCCESS 0x1
#define FILE_SKIP_SET_EVENT_ON_HANDLE        0x2
BOOL SetFileCompletionNotificationModes(HANDLE file, UCHAR flags);

/* ---- sockets ------------------------------------------------------------------------------- */

#define SD_RECEIVE                         SHUT_RD
#define SD_SEND                            SHUT_WR
#define SD_BOTH                            SHUT_RDWR
#define SO_EXCLUSIVEADDRUSE                ((int)~SO_REUSEADDR)
#define SO_UPDATE_ACCEPT_CONTEXT           0x700b
#define SO_UPDATE_CONNECT_CONTEXT          0x7010
#define WSA_FLAG_OVERLAPPED                0x01
#define WSA_FLAG_NO_HANDLE_INHERIT         0x80
#define SIO_GET_EXTENSION_FUNCTION_POINTER 0xc8000006u

int WSAStartup(WORD version, LPWSADATA data);
int WSACleanup(void);
SOCKET WSASocketW(int family, int type, int protocol, void *info, unsigned group, DWORD flags);
#define WSASocketA WSASocketW
#define WSASocket  WSASocketW
int closesocket(SOCKET socket);
int ioctlsocket(SOCKET socket, long command, unsigned long *argument);

#define WSAID_ACCEPTEX                                                                             \
    {                                                                                              \
        0xb5367df1, 0xcbac, 0x11cf,                                                                \
        {                                                                                          \
            0x95, 0xca, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92                                         \
        }                                                                                          \
    }
#define WSAID_GETACCEPTEXSOCKADDRS                                                                 \
    {                                                                                              \
        0xb5367df2, 0xcbac, 0x11cf,                                                                \
        {                                                                                          \
            0x95, 0xca, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92                                         \
        }                                                                                          \
    }
#define WSAID_CONNECTEX                                                                            \
    {                                                                                              \
        0x25a207b9, 0xddf3, 0x4660,                                                                \
        {                                                                                          \
            0x8e, 0xe9, 0x76, 0xe5, 0x8c, 0x74, 0x06, 0x3e                                         \
        }                                                                                          \
    }

/* Never called: calls that take one refuse any but NULL. */
typedef void (*LPWSAOVERLAPPED_COMPLETION_ROUTINE)(DWORD error, DWORD bytes,
                                                   LPWSAOVERLAPPED overlapped, DWORD flags);

/* WSAIoctl: SIO_GET_EXTENSION_FUNCTION_POINTER for the three functions below; else
 * WSAEOPNOTSUPP. */
int WSAIoctl(SOCKET socket, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
             LPDWORD returned, LPWSAOVERLAPPED overlapped,
             LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

typedef BOOL (*LPFN_ACCEPTEX)(SOCKET, SOCKET, PVOID, DWORD, DWORD, DWORD, LPDWORD, LPOVERLAPPED);
typedef void (*LPFN_GETACCEPTEXSOCKADDRS)(PVOID, DWORD, DWORD, DWORD, struct sockaddr **, LPINT,
                                          struct sockaddr **, LPINT);
typedef BOOL (*LPFN_CONNECTEX)(SOCKET, const struct sockaddr *, int, PVOID, DWORD, LPDWORD,
                               LPOVERLAPPED);

/* AcceptEx, GetAcceptExSockaddrs: as on Windows. ConnectEx is had by WSAIoctl alone, as there, and
 * wants a bound socket. */
BOOL AcceptEx(SOCKET listener, SOCKET second, PVOID output, DWORD data_bytes, DWORD local_bytes,
              DWORD remote_bytes, LPDWORD received, LPOVERLAPPED overlapped);
void GetAcceptExSockaddrs(PVOID output, DWORD data_bytes, DWORD local_bytes, DWORD remote_bytes,
                          struct sockaddr **local, LPINT local_length, struct sockaddr **remote,
                          LPINT remote_length);

int WSARecv(SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags,
            LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int WSASend(SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
            LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

/* WSARecvFrom: *from_bytes stays put as the OVERLAPPED does. ERROR_MORE_DATA: the datagram was
 * larger than the buffers, which are full. */
int WSARecvFrom(SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags,
                struct sockaddr *from, LPINT from_bytes, LPWSAOVERLAPPED overlapped,
                LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int WSASendTo(SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
              const struct sockaddr *to, int to_bytes, LPWSAOVERLAPPED overlapped,
              LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

/* CancelIoEx: `overlapped`, or with NULL everything of the socket. ERROR_NOT_FOUND: nothing is
 * pending. */
BOOL CancelIoEx(HANDLE file, LPOVERLAPPED overlapped);

/* WSAGetOverlappedResult: of an operation whose packet was taken; it does not wait
 * (WSA_IO_INCOMPLETE). */
BOOL WSAGetOverlappedResult(SOCKET socket, LPWSAOVERLAPPED overlapped, LPDWORD bytes, BOOL wait,
                            LPDWORD flags);
BOOL GetOverlappedResult(HANDLE file, LPOVERLAPPED overlapped, LPDWORD bytes, BOOL wait);

#define HasOverlappedIoCompleted(overlapped) cp_win32_completed(overlapped)
BOOL cp_win32_completed(const OVERLAPPED *overlapped);

/* ---- threads and locks --------------------------------------------------------------------- */

typedef DWORD (*LPTHREAD_START_ROUTINE)(LPVOID argument);

/* CreateThread: `attributes` NULL, `stack_bytes` may be 0, `flags` 0. */
HANDLE CreateThread(void *attributes, SIZE_T stack_bytes, LPTHREAD_START_ROUTINE start,
                    LPVOID argument, DWORD flags, LPDWORD id);
/* WaitForSingleObject, WaitForMultipleObjects (all of them only): for the ends of threads. */
DWORD WaitForSingleObject(HANDLE thread, DWORD milliseconds);
DWORD WaitForMultipleObjects(DWORD count, const HANDLE *threads, BOOL all, DWORD milliseconds);
DWORD GetCurrentThreadId(void);
void Sleep(DWORD milliseconds);

typedef struct _CRITICAL_SECTION {
    pthread_mutex_t mutex;
} CRITICAL_SECTION, *LPCRITICAL_SECTION;
void InitializeCriticalSection(LPCRITICAL_SECTION section);
void EnterCriticalSection(LPCRITICAL_SECTION section);
BOOL TryEnterCriticalSection(LPCRITICAL_SECTION section);
void LeaveCriticalSection(LPCRITICAL_SECTION section);
void DeleteCriticalSection(LPCRITICAL_SECTION section);

static inline LONG InterlockedIncrement(volatile LONG *number)
{
    return __atomic_add_fetch(number, 1, __ATOMIC_SEQ_CST);
}

static inline LONG InterlockedDecrement(volatile LONG *number)
{
    return __atomic_sub_fetch(number, 1, __ATOMIC_SEQ_CST);
}

static inline LONG InterlockedExchange(volatile LONG *number, LONG value)
{
    return __atomic_exchange_n(number, value, __ATOMIC_SEQ_CST);
}

static inline LONG InterlockedExchangeAdd(volatile LONG *number, LONG value)
{
    return __atomic_fetch_add(number, value, __ATOMIC_SEQ_CST);
}

static inline LONG InterlockedCompareExchange(volatile LONG *number, LONG value, LONG expected)
{
    __atomic_compare_exchange_n(number, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

/* ---- the system's calls, with Windows' errors ------------------------------------------------ */

int cp_win32_socket(int family, int type, int protocol);
int cp_win32_bind(int socket, const struct sockaddr *address, socklen_t bytes);
int cp_win32_listen(int socket, int backlog);
int cp_win32_accept(int socket, struct sockaddr *address, socklen_t *bytes);
int cp_win32_connect(int socket, const struct sockaddr *address, socklen_t bytes);
int cp_win32_shutdown(int socket, int how);
int cp_win32_setsockopt(int socket, int level, int name, const void *value, socklen_t bytes);
int cp_win32_getsockopt(int socket, int level, int name, void *value, socklen_t *bytes);
int cp_win32_getsockname(int socket, struct sockaddr *address, socklen_t *bytes);
int cp_win32_getpeername(int socket, struct sockaddr *address, socklen_t *bytes);
ssize_t cp_win32_send(int socket, const void *data, size_t bytes, int flags);
ssize_t cp_win32_recv(int socket, void *data, size_t bytes, int flags);

#ifdef __cplusplus
}

/* Where the first argument is a SOCKET, these are nearer than the system's. */
inline int bind(SOCKET socket, const struct sockaddr *address, int bytes)
{
    return cp_win32_bind((int)socket, address, (socklen_t)bytes);
}

inline int listen(SOCKET socket, int backlog)
{
    return cp_win32_listen((int)socket, backlog);
}

inline SOCKET accept(SOCKET socket, struct sockaddr *address, int *bytes)
{
    return (SOCKET)cp_win32_accept((int)socket, address, (socklen_t *)bytes);
}

template <class Length> SOCKET accept(SOCKET socket, struct sockaddr *address, Length *bytes)
{
    return (SOCKET)cp_win32_accept((int)socket, address, (socklen_t *)bytes);
}

inline int connect(SOCKET socket, const struct sockaddr *address, int bytes)
{
    return cp_win32_connect((int)socket, address, (socklen_t)bytes);
}

inline int shutdown(SOCKET socket, int how)
{
    return cp_win32_shutdown((int)socket, how);
}

inline int setsockopt(SOCKET socket, int level, int name, const void *value, int bytes)
{
    return cp_win32_setsockopt((int)socket, level, name, value, (socklen_t)bytes);
}

template <class Length>
int getsockopt(SOCKET socket, int level, int name, void *value, Length *bytes)
{
    return cp_win32_getsockopt((int)socket, level, name, value, (socklen_t *)bytes);
}

template <class Length> int getsockname(SOCKET socket, struct sockaddr *address, Length *bytes)
{
    return cp_win32_getsockname((int)socket, address, (socklen_t *)bytes);
}

template <class Length> int getpeername(SOCKET socket, struct sockaddr *address, Length *bytes)
{
    return cp_win32_getpeername((int)socket, address, (socklen_t *)bytes);
}

inline int send(SOCKET socket, const void *data, int bytes, int flags)
{
    return (int)cp_win32_send((int)socket, data, (size_t)bytes, flags);
}

inline int recv(SOCKET socket, void *data, int bytes, int flags)
{
    return (int)cp_win32_recv((int)socket, data, (size_t)bytes, flags);
}

#elif !defined(CP_SYSTEM_NAMES)
#pragma redefine_extname socket cp_win32_socket
#pragma redefine_extname bind cp_win32_bind
#pragma redefine_extname listen cp_win32_listen
#pragma redefine_extname accept cp_win32_accept
#pragma redefine_extname connect cp_win32_connect
#pragma redefine_extname shutdown cp_win32_shutdown
#pragma redefine_extname setsockopt cp_win32_setsockopt
#pragma redefine_extname getsockopt cp_win32_getsockopt
#pragma redefine_extname getsockname cp_win32_getsockname
#pragma redefine_extname getpeername cp_win32_getpeername
#pragma redefine_extname send cp_win32_send
#if defined(__USE_FORTIFY_LEVEL) && __USE_FORTIFY_LEVEL > 0
#define recv(socket, data, bytes, flags) cp_win32_recv((int)(socket), data, bytes, flags)
#else
#pragma redefine_extname recv cp_win32_recv
#endif
#endif

#pragma GCC visibility pop

#endif
