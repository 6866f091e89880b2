/* The iocp engine: Windows' own completion ports.
 *
 * A receive, send, connect or accept is started with its OVERLAPPED in the operation itself, and
 * comes back as one packet of the system's port, also when it was done at once.
 *
 *      attempt --started--> with the kernel --packet--> poll --> direction_complete
 *         |  '--failed: the result, no packet               '--> direction_ready: another attempt
 *         '<-------------------------------------------------------------'
 *
 * A late receive takes two attempts. The first starts a receive into nothing, which comes back when
 * there is data; the worker that takes the direction then asks for blocks and fills them by a plain
 * non-blocking receive. If there was no data after all, it starts again.
 *
 * A socket's handle is closed only after all its operations have come back. So the codes for closed
 * handles, which differ between versions of Windows, never show; and Wine, which looks the handle
 * up again when there is data, never finds another socket with the same number.
 *
 * wake_poller posts a packet without OVERLAPPED. The alarm limits the waiting time of the poller;
 * setting it wakes the poller, so that a wait that has begun takes it into account.
 *
 * The gate: on Windows it is the system's port itself, which also sees workers that block without
 * declaring it. Every waiter polls there and takes one packet at a time, so that the system's order
 * and limit apply. Wine ignores the limit and wakes first-in-first-out (8.0), so our gate is used,
 * with one poller. */
#include "cport/iocp.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 128, DRAIN_MS = 20 };

static struct cp_op *op_of_entry(const OVERLAPPED_ENTRY *entry)
{
    return (struct cp_op *)((char *)entry->lpOverlapped - offsetof(struct cp_op, engine));
}

/* ---- opening ------------------------------------------------------------------------------- */

static bool find_function(SOCKET any, GUID id, void *function)
{
    DWORD bytes;
    return WSAIoctl(any, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function,
                    sizeof(void *), &bytes, NULL, NULL) == 0;
}

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    struct iocp_state *state = calloc(1, sizeof *state);
    if (!state)
        return CP_ENOMEM;
    port->engine_state = state;
    state->wine = winapi_wine_version();
    state->batch = state->wine ? ENTRIES_MAX : 1;
    port->os_gate = !state->wine;
    SOCKET any = iocp_socket(AF_INET, false);
    bool found = any != INVALID_SOCKET &&
                 find_function(any, (GUID)WSAID_CONNECTEX, &state->connect) &&
                 find_function(any, (GUID)WSAID_ACCEPTEX, &state->accept);
    if (found)
        state->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, port->concurrency);
    int os_error = (int)GetLastError(); /* Winsock's codes too */
    closesocket(any);
    if (state->port)
        return 0;
    snprintf(why, why_bytes, "iocp: Windows error %d", os_error);
    return cp_error_from_os(os_error);
}

static void engine_wake_poller(struct cport *port, uint64_t when_ns)
{
    struct iocp_state *state = port->engine_state;
    if (when_ns != 0)
        state->alarm_ns = when_ns;
    /* Fails only while the kernel is out of memory. */
    while (!PostQueuedCompletionStatus(state->port, 0, 0, NULL))
        os_sleep_ns(OS_NS_PER_MS);
}

/* ---- sockets ------------------------------------------------------------------------------- */

static int engine_attach(struct cp_slot *slot)
{
    const struct iocp_state *state = slot->port->engine_state;
    if (!slot->adopted)
        slot->handle = (cp_handle)iocp_socket(slot->family, slot->datagrams);
    if (handle_of(slot) == INVALID_SOCKET)
        return socket_error();
    int code = slot->adopted ? socket_recognise(slot) : socket_unblock(slot->handle);
    if (code == 0 && !CreateIoCompletionPort((HANDLE)handle_of(slot), state->port, 0, 0))
        code = cp_error_from_os((int)GetLastError());
    if (code != 0 && !slot->adopted)
        closesocket(handle_of(slot));
    if (code == 0 && slot->datagrams)
        iocp_report_refused(slot, slot->role == ROLE_CONNECTED);
    return code;
}

static void engine_detach(struct cport *port, cp_handle handle)
{
    closesocket((SOCKET)handle);
}

/* ---- operations ---------------------------------------------------------------------------- */

static void engine_attempt(struct cport *port, struct attempt *attempts, unsigned count)
{
    for (unsigned index = 0; index < count; index++)
        attempts[index].result = iocp_start(port->engine_state, attempts[index].op);
}

/* The operation's packet follows in any case: cancelled, or done before that. */
static bool engine_cancel(struct cp_op *op)
{
    CancelIoEx((HANDLE)handle_of(op->slot), &iocp_op_of(op)->overlapped);
    return false;
}

/* ---- packets ------------------------------------------------------------------------------- */

static void report(struct cport *port, struct cp_op *op, struct effects *effects)
{
    struct iocp_state *state = port->engine_state;
    struct cp_slot *slot = op->slot;
    struct direction *directions = slot->directions;
    slot_lock(slot);
    struct direction *direction = &directions[op_direction(op)];
    int reason = op->reason ? op->reason : CP_EABORTED;
    bool over = op->reason != 0 || port->closed;
    atomic_fetch_sub(&state->in_flight, 1);
    if (op->kind == CP_ACCEPT && op->result == 0)
        op->accepted = (cp_handle)iocp_op_of(op)->accepting;
    else if (op->kind == CP_ACCEPT)
        closesocket(iocp_op_of(op)->accepting);
    if (op->result == CP_ECANCELED)
        op->result = reason;
    if (!iocp_needs_attempt(op))
        direction_complete(direction, op, op->result, effects);
    else if (over)
        direction_complete(direction, op, reason, effects);
    else
        direction_ready(direction, false, effects);
    slot_leave(slot, effects);
}

/* Takes completions; counts in `wakeups` the packets that only wake a poller. */
static ULONG take_packets(struct iocp_state *state, OVERLAPPED_ENTRY *entries, DWORD timeout_ms,
                          unsigned *wakeups)
{
    ULONG count = 0, kept = 0;
    /* After a time-out the count is not 0. */
    if (!GetQueuedCompletionStatusEx(state->port, entries, state->batch, &count, timeout_ms, FALSE))
        return 0;
    for (ULONG index = 0; index < count; index++) {
        if (!entries[index].lpOverlapped) {
            ++*wakeups;
            continue;
        }
        op_of_entry(&entries[index])->result =
            iocp_result(state, op_of_entry(&entries[index]), &entries[index]);
        entries[kept++] = entries[index];
    }
    return kept;
}

static DWORD wait_ms(const struct iocp_state *state, uint64_t timeout_ns)
{
    uint64_t alarm_ns = state->alarm_ns;
    if (alarm_ns == 0)
        return winapi_ms(timeout_ns);
    uint64_t now_ns = os_now_ns(), left_ns = alarm_ns > now_ns ? alarm_ns - now_ns : 0;
    return winapi_ms(left_ns < timeout_ns ? left_ns : timeout_ns);
}

static void engine_poll(struct cport *port, uint64_t timeout_ns, struct effects *effects)
{
    struct iocp_state *state = port->engine_state;
    OVERLAPPED_ENTRY entries[ENTRIES_MAX];
    unsigned wakeups = 0; /* returning from here is all they ask for */
    ULONG count = take_packets(state, entries, wait_ms(state, timeout_ns), &wakeups);
    uint64_t alarm_ns = state->alarm_ns;
    if (alarm_ns != 0 && alarm_ns <= os_now_ns())
        atomic_compare_exchange_strong(&state->alarm_ns, &alarm_ns, 0); /* unless it is set anew */
    for (ULONG index = 0; index < count; index++)
        report(port, op_of_entry(&entries[index]), effects);
}

/* Until everything has come back, or nothing has come for `patience_ms`. */
static void await_operations(struct cport *port, DWORD patience_ms)
{
    struct iocp_state *state = port->engine_state;
    OVERLAPPED_ENTRY entries[ENTRIES_MAX];
    unsigned wakeups = 0;
    while (state->in_flight > 0) {
        struct effects effects = NO_EFFECTS;
        unsigned wakeups_before = wakeups;
        ULONG count = take_packets(state, entries, patience_ms, &wakeups);
        if (count == 0 && wakeups == wakeups_before)
            break;
        for (ULONG index = 0; index < count; index++)
            report(port, op_of_entry(&entries[index]), &effects);
        port_post(port, &effects);
        port_act(port, &effects);
    }
    for (; wakeups > 0; wakeups--)
        engine_wake_poller(port, 0); /* they were for pollers */
}

static void engine_drain(struct cport *port)
{
    await_operations(port, DRAIN_MS);
}

/* The kernel uses operations and their blocks until their packets have come. */
static void engine_close(struct cport *port)
{
    struct iocp_state *state = port->engine_state;
    if (!state)
        return;
    while (state->in_flight > 0)
        await_operations(port, INFINITE);
    if (state->port)
        CloseHandle(state->port);
    free(state);
    port->engine_state = NULL;
}

const struct engine engine_iocp = {
    .name = "iocp",
    .summary = "Windows' completion ports; on Windows the system enforces the limit",
    .pollers_max = 1,
    .open = engine_open,
    .close = engine_close,
    .attach = engine_attach,
    .detach = engine_detach,
    .attempt = engine_attempt,
    .cancel = engine_cancel,
    .poll = engine_poll,
    .drain = engine_drain,
    .wake_poller = engine_wake_poller,
};
