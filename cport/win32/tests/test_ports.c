/* Ports by Win32's names: what GetQueuedCompletionStatus returns, posts, handles, threads. */
#include "cport/win32/tests/win32_fixture.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- what GetQueuedCompletionStatus returns -------------------------------------------------- */

TEST(a_good_packet_is_true)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped;
    char data[8];
    assert_pending(receive(pair.near, &overlapped, data, sizeof data));
    assert_int_equal(send(pair.far, "abc", 3, 0), 3);
    assert_packet(pair.port, 3, 5, &overlapped, 0);
    assert_memory_equal(data, "abc", 3);
    assert_true(HasOverlappedIoCompleted(&overlapped));
    pair_close(&pair);
}

TEST(a_failed_operation_is_false_with_its_overlapped)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped;
    DWORD bytes = 9, flags = 9;
    char data[8];
    assert_pending(receive(pair.near, &overlapped, data, sizeof data));
    assert_false(HasOverlappedIoCompleted(&overlapped));
    far_reset(&pair);
    assert_packet(pair.port, 0, 5, &overlapped, ERROR_NETNAME_DELETED);
    assert_fails(WSAGetOverlappedResult(pair.near, &overlapped, &bytes, FALSE, &flags),
                 WSAECONNRESET);
    assert_fails(GetOverlappedResult((HANDLE)pair.near, &overlapped, &bytes, FALSE),
                 ERROR_NETNAME_DELETED);
    assert_int_equal(overlapped.Internal, STATUS_CONNECTION_RESET);
    pair_close(&pair);
}

TEST(a_time_out_is_false_without_an_overlapped)
{
    HANDLE port = port_make(1);
    DWORD bytes;
    ULONG_PTR key;
    LPOVERLAPPED overlapped = (LPOVERLAPPED)&key;
    OVERLAPPED_ENTRY entries[2];
    ULONG removed = 7;
    assert_fails(GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, 5), WAIT_TIMEOUT);
    assert_null(overlapped);
    assert_fails(GetQueuedCompletionStatusEx(port, entries, 2, &removed, 5, FALSE), WAIT_TIMEOUT);
    assert_int_equal(removed, 0);
    CloseHandle(port);
}

static DWORD wait_for_ever(LPVOID argument)
{
    DWORD bytes;
    ULONG_PTR key;
    LPOVERLAPPED overlapped;
    if (GetQueuedCompletionStatus(*(HANDLE *)argument, &bytes, &key, &overlapped, INFINITE) ||
        overlapped)
        return 1;
    *(HANDLE *)argument = (HANDLE)(uintptr_t)GetLastError();
    return 0;
}

TEST(closing_the_port_ends_every_wait)
{
    enum { WAITERS = 4 };
    HANDLE port = port_make(1), threads[WAITERS], results[WAITERS];
    for (unsigned index = 0; index < WAITERS; index++) {
        results[index] = port;
        threads[index] = CreateThread(NULL, 0, wait_for_ever, &results[index], 0, NULL);
        assert_non_null(threads[index]);
    }
    Sleep(50); /* some of them wait by then, the others find the port closed */
    assert_true(CloseHandle(port));
    assert_int_equal(WaitForMultipleObjects(WAITERS, threads, TRUE, PACKET_WAIT_MS), WAIT_OBJECT_0);
    for (unsigned index = 0; index < WAITERS; index++) {
        const DWORD error = (DWORD)(uintptr_t)results[index];
        assert_true(error == ERROR_ABANDONED_WAIT_0 || error == ERROR_INVALID_HANDLE);
        assert_true(CloseHandle(threads[index]));
    }
}

TEST(a_waiter_is_told_that_its_port_was_abandoned)
{
    HANDLE port = port_make(1), result = port;
    HANDLE thread = CreateThread(NULL, 0, wait_for_ever, &result, 0, NULL);
    assert_int_equal(WaitForSingleObject(thread, 300), WAIT_TIMEOUT);
    assert_true(CloseHandle(port));
    assert_int_equal(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
    assert_int_equal((uintptr_t)result, ERROR_ABANDONED_WAIT_0);
    CloseHandle(thread);
}

/* The three values are the program's: nothing is behind the pointer. */
TEST(a_post_arrives_as_given)
{
    HANDLE port = port_make(1);
    assert_true(PostQueuedCompletionStatus(port, 1, 2, (LPOVERLAPPED)3));
    assert_true(PostQueuedCompletionStatus(port, 0xffffffff, UINTPTR_MAX, NULL));
    assert_packet(port, 1, 2, (LPOVERLAPPED)3, 0);
    assert_packet(port, 0xffffffff, UINTPTR_MAX, NULL, 0);
    assert_nothing_queued(port);
    CloseHandle(port);
}

TEST(posts_that_nobody_took_end_with_the_port)
{
    HANDLE port = port_make(1);
    for (unsigned index = 0; index < 100; index++)
        assert_true(PostQueuedCompletionStatus(port, index, 0, NULL));
    assert_packet(port, 0, 0, NULL, 0);
    assert_true(CloseHandle(port)); /* the address sanitizer sees what is left */
}

TEST(a_batch_has_many_packets)
{
    HANDLE port = port_make(1);
    OVERLAPPED_ENTRY entries[8];
    ULONG removed = 0;
    for (DWORD index = 0; index < 5; index++)
        assert_true(PostQueuedCompletionStatus(port, index, index + 10, NULL));
    assert_true(GetQueuedCompletionStatusEx(port, entries, 3, &removed, 1000, FALSE));
    assert_int_equal(removed, 3);
    assert_true(GetQueuedCompletionStatusEx(port, entries, 8, &removed, INFINITE, TRUE));
    assert_int_equal(removed, 2);
    assert_int_equal(entries[1].dwNumberOfBytesTransferred, 4);
    assert_int_equal(entries[1].lpCompletionKey, 14);
    CloseHandle(port);
}

struct crew {
    HANDLE port;
    volatile LONG second_ran;
};

/* The first packet waits for what the second one does: with one place that needs two workers. */
static DWORD work_in_turn(LPVOID argument)
{
    struct crew *crew = argument;
    DWORD bytes;
    ULONG_PTR key;
    LPOVERLAPPED overlapped;
    if (!GetQueuedCompletionStatus(crew->port, &bytes, &key, &overlapped, PACKET_WAIT_MS))
        return 1;
    while (key == 1 && InterlockedExchangeAdd(&crew->second_ran, 0) == 0)
        Sleep(1);
    if (key == 2)
        InterlockedIncrement(&crew->second_ran);
    return 0;
}

TEST(a_worker_that_sleeps_gives_its_place_away)
{
    struct crew crew = {.port = port_make(1)};
    HANDLE threads[2];
    for (unsigned index = 0; index < 2; index++) {
        threads[index] = CreateThread(NULL, 0, work_in_turn, &crew, 0, NULL);
        assert_true(PostQueuedCompletionStatus(crew.port, 0, index + 1, NULL));
    }
    assert_int_equal(WaitForMultipleObjects(2, threads, TRUE, PACKET_WAIT_MS / 2), WAIT_OBJECT_0);
    CloseHandle(threads[0]);
    CloseHandle(threads[1]);
    CloseHandle(crew.port);
}

/* ---- handles ------------------------------------------------------------------------------- */

static void assert_is_no_port(HANDLE port)
{
    DWORD bytes;
    ULONG_PTR key;
    LPOVERLAPPED overlapped = (LPOVERLAPPED)&key;
    OVERLAPPED_ENTRY entry;
    ULONG removed;
    assert_fails(GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, 0),
                 ERROR_INVALID_HANDLE);
    assert_null(overlapped);
    assert_fails(GetQueuedCompletionStatusEx(port, &entry, 1, &removed, 0, FALSE),
                 ERROR_INVALID_HANDLE);
    assert_fails(PostQueuedCompletionStatus(port, 0, 0, NULL), ERROR_INVALID_HANDLE);
    assert_fails(CloseHandle(port), ERROR_INVALID_HANDLE);
    SOCKET socket = socket_make();
    if (port)
        assert_fails(CreateIoCompletionPort((HANDLE)socket, port, 0, 0) != NULL,
                     ERROR_INVALID_HANDLE);
    closesocket(socket);
}

TEST(wrong_handles_are_refused)
{
    HANDLE closed = port_make(1);
    assert_true(CloseHandle(closed));
    assert_is_no_port(closed);
    HANDLE next = port_make(1); /* it may have the place of the other */
    assert_ptr_not_equal(next, closed);
    assert_is_no_port(closed);
    assert_is_no_port(NULL);
    assert_is_no_port(INVALID_HANDLE_VALUE);
    assert_fails(CreateIoCompletionPort(INVALID_HANDLE_VALUE, next, 0, 0) != NULL,
                 ERROR_INVALID_PARAMETER);
    assert_true(CloseHandle(next));
}

TEST(a_thread_is_no_port_and_a_port_no_thread)
{
    HANDLE port = port_make(1);
    HANDLE thread = CreateThread(NULL, 0, wait_for_ever, &(HANDLE){NULL}, 0, NULL);
    assert_int_equal(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
    assert_fails(PostQueuedCompletionStatus(thread, 0, 0, NULL), ERROR_INVALID_HANDLE);
    assert_int_equal(WaitForSingleObject(port, 0), WAIT_FAILED);
    assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
    assert_true(CloseHandle(thread));
    assert_fails(CloseHandle(thread), ERROR_INVALID_HANDLE);
    CloseHandle(port);
}

TEST(handles_run_out_and_come_back)
{
    static HANDLE made[5000];
    unsigned count = 0;
    while (count < 5000 &&
           (made[count] = CreateThread(NULL, 65536, wait_for_ever, &(HANDLE){NULL}, 0, NULL)))
        WaitForSingleObject(made[count++], INFINITE);
    assert_in_range(count, 1000, 4999);
    assert_int_equal(GetLastError(), ERROR_NOT_ENOUGH_MEMORY);
    for (unsigned index = 0; index < count; index++)
        assert_true(CloseHandle(made[index]));
    CloseHandle(port_make(1));
}

TEST(only_a_socket_can_be_associated_and_once)
{
    HANDLE port = port_make(1), other = port_make(1);
    SOCKET socket = socket_make();
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_fails(CreateIoCompletionPort((HANDLE)(SOCKET)pipes[0], port, 0, 0) != NULL,
                 ERROR_INVALID_HANDLE);
    assert_fails(CreateIoCompletionPort((HANDLE)(SOCKET)99999, port, 0, 0) != NULL,
                 ERROR_INVALID_HANDLE);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)socket, port, 1, 0), port);
    assert_fails(CreateIoCompletionPort((HANDLE)socket, port, 1, 0) != NULL,
                 ERROR_INVALID_PARAMETER);
    assert_fails(CreateIoCompletionPort((HANDLE)socket, other, 1, 0) != NULL,
                 ERROR_INVALID_PARAMETER);
    closesocket(socket);
    close(pipes[0]);
    close(pipes[1]);
    CloseHandle(other);
    CloseHandle(port);
}

/* ---- threads and locks --------------------------------------------------------------------- */

static CRITICAL_SECTION section;
static volatile LONG turns;

static DWORD count_turns(LPVOID argument)
{
    for (unsigned index = 0; index < 10000; index++) {
        EnterCriticalSection(&section);
        EnterCriticalSection(&section);
        (*(unsigned *)argument)++;
        LeaveCriticalSection(&section);
        LeaveCriticalSection(&section);
        InterlockedIncrement(&turns);
    }
    return 0;
}

TEST(a_critical_section_is_recursive_and_excludes)
{
    HANDLE threads[3];
    unsigned counted = 0;
    InitializeCriticalSection(&section);
    for (unsigned index = 0; index < 3; index++)
        threads[index] = CreateThread(NULL, 0, count_turns, &counted, 0, NULL);
    assert_int_equal(WaitForMultipleObjects(3, threads, TRUE, INFINITE), WAIT_OBJECT_0);
    for (unsigned index = 0; index < 3; index++)
        CloseHandle(threads[index]);
    assert_int_equal(counted, 30000);
    assert_int_equal(InterlockedCompareExchange(&turns, 1, 30000), 30000);
    assert_int_equal(InterlockedExchangeAdd(&turns, 2), 1);
    assert_int_equal(InterlockedExchange(&turns, 0), 3);
    assert_true(TryEnterCriticalSection(&section));
    LeaveCriticalSection(&section);
    DeleteCriticalSection(&section);
}

/* On Windows a handle may be closed while its thread runs. */
TEST(a_thread_outlives_its_handle)
{
    HANDLE port = port_make(1), result = port;
    HANDLE thread = CreateThread(NULL, 0, wait_for_ever, &result, 0, NULL);
    assert_true(CloseHandle(thread));
    assert_true(PostQueuedCompletionStatus(port, 0, 0, NULL)); /* which ends it */
    CloseHandle(port);
}
