/* Windows' part of os.h: other processes and interrupts.
 *
 * Every child stands in a job of its own, whose only handle is ours: when this process dies, the
 * system closes the handle and ends the job, the child's children included.
 *
 * There are no signals. A program of ours that catches interrupts can be asked to end through an
 * event that bears its process id; any other by a break on the console that it shares with us, if
 * there is a console. */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/winapi.h"

#include <psapi.h>

enum {
    STREAMS = 3,
    STARTS_MAX = 3,
    EXIT_BY_SIGNAL = 128,
    INTERRUPTED = 2,
    ABORTED = 6,
    KILLED = 9,
    SEGFAULT = 11
};

/* What os_process.handle points to. */
struct child {
    HANDLE process, job;
    DWORD id;
};

/* ---- command lines ------------------------------------------------------------------------- */

/* A process gets one line and takes it apart by the C library's rules: backslashes count as
 * themselves, unless a quote follows. Writes up to 2 * strlen + 3 characters; returns the end. */
static char *quote(char *to, const char *argument)
{
    size_t slashes = 0;
    *to++ = '"';
    for (; *argument != '\0'; argument++) {
        if (*argument == '"')
            for (slashes++; slashes > 0; slashes--)
                *to++ = '\\';
        slashes = *argument == '\\' ? slashes + 1 : 0;
        *to++ = *argument;
    }
    for (; slashes > 0; slashes--)
        *to++ = '\\';
    *to++ = '"';
    return to;
}

/* The caller's to free; NULL: no memory. */
static char *line_of(char *const argv[])
{
    size_t bytes = 1;
    for (unsigned i = 0; argv[i]; i++)
        bytes += 2 * strlen(argv[i]) + 3;
    char *line = malloc(bytes), *to = line;
    for (unsigned i = 0; line && argv[i]; i++) {
        if (i > 0)
            *to++ = ' ';
        to = quote(to, argv[i]);
    }
    if (line)
        *to = '\0';
    return line;
}

/* ---- starting ------------------------------------------------------------------------------ */

static HANDLE stream_open(const char *path, DWORD access, DWORD disposition)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof(inherited), .bInheritHandle = TRUE};
    return CreateFileA(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                       &inherited, disposition, FILE_ATTRIBUTE_NORMAL, NULL);
}

/* The file at `path`, or else what this process has itself, or else nothing. */
static HANDLE stream_output(const char *path, DWORD own)
{
    HANDLE self = GetCurrentProcess(), stream = GetStdHandle(own), copy;
    if (path)
        return stream_open(path, FILE_APPEND_DATA | SYNCHRONIZE, OPEN_ALWAYS);
    if (stream && stream != INVALID_HANDLE_VALUE &&
        DuplicateHandle(self, stream, self, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS))
        return copy;
    return stream_open("NUL", GENERIC_WRITE, OPEN_EXISTING);
}

/* The caller's to close, also after a failure. */
static int streams_open(HANDLE streams[STREAMS], const char *stdout_path, const char *stderr_path)
{
    streams[0] = stream_open("NUL", GENERIC_READ, OPEN_EXISTING);
    streams[1] = stream_output(stdout_path, STD_OUTPUT_HANDLE);
    if (streams[1] == INVALID_HANDLE_VALUE)
        return winapi_error();
    streams[2] = stream_output(stderr_path, STD_ERROR_HANDLE);
    return streams[2] == INVALID_HANDLE_VALUE ? winapi_error() : 0;
}

/* Under Wine 8 one start in about a thousand fails by ERROR_INTERNAL_ERROR: the new process has
 * died before it began. Nothing of it has run, so it is started again. */
static bool create_again(char *line, STARTUPINFOEXA *start, PROCESS_INFORMATION *made)
{
    enum {
        FLAGS = CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP | EXTENDED_STARTUPINFO_PRESENT,
    };
    for (unsigned i = 0; i < STARTS_MAX; i++)
        if (CreateProcessA(NULL, line, NULL, NULL, TRUE, FLAGS, NULL, NULL, &start->StartupInfo,
                           made))
            return true;
        else if (GetLastError() != ERROR_INTERNAL_ERROR)
            return false;
    return false;
}

/* Creates the process asleep, so that it is in its job before it can do anything. It inherits
 * these three streams and no other handle that some thread has made inheritable meanwhile. */
static int create(char *line, HANDLE streams[STREAMS], PROCESS_INFORMATION *made)
{
    STARTUPINFOEXA start = {.StartupInfo = {.cb = sizeof(start),
                                            .dwFlags = STARTF_USESTDHANDLES,
                                            .hStdInput = streams[0],
                                            .hStdOutput = streams[1],
                                            .hStdError = streams[2]}};
    SIZE_T bytes = 0;
    InitializeProcThreadAttributeList(NULL, 1, 0, &bytes);
    start.lpAttributeList = malloc(bytes);
    if (!start.lpAttributeList)
        return -ENOMEM;
    BOOL made_list = InitializeProcThreadAttributeList(start.lpAttributeList, 1, 0, &bytes);
    int error = 0;
    if (!made_list ||
        !UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                   streams, STREAMS * sizeof(*streams), NULL, NULL) ||
        !create_again(line, &start, made))
        error = winapi_error();
    if (made_list)
        DeleteProcThreadAttributeList(start.lpAttributeList);
    free(start.lpAttributeList);
    return error;
}

/* A new process made a child: in its job, awake. The process ends if that fails. */
static int adopt(struct child *child, const PROCESS_INFORMATION *made)
{
    int error = 0;
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        .BasicLimitInformation = {.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}};
    HANDLE job = CreateJobObjectW(NULL, NULL);
    *child = (struct child){.process = made->hProcess, .job = job, .id = made->dwProcessId};
    if (!job ||
        !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits)) ||
        !AssignProcessToJobObject(job, made->hProcess) ||
        ResumeThread(made->hThread) == (DWORD)-1) {
        error = winapi_error();
        TerminateProcess(made->hProcess, EXIT_BY_SIGNAL + KILLED);
        CloseHandle(made->hProcess);
        if (job)
            CloseHandle(job);
    }
    CloseHandle(made->hThread);
    return error;
}

int os_process_start(struct os_process *process, char *const argv[], const char *stdout_path,
                     const char *stderr_path)
{
    assert(argv[0]);
    process->handle = 0;
    HANDLE streams[STREAMS] = {INVALID_HANDLE_VALUE, INVALID_HANDLE_VALUE, INVALID_HANDLE_VALUE};
    PROCESS_INFORMATION made;
    struct child *child = malloc(sizeof(*child));
    char *line = line_of(argv);
    int error = child && line ? streams_open(streams, stdout_path, stderr_path) : -ENOMEM;
    if (!error)
        error = create(line, streams, &made);
    if (!error)
        error = adopt(child, &made);
    if (!error)
        process->handle = (intptr_t)child;
    else
        free(child);
    for (unsigned i = 0; i < STREAMS; i++)
        if (streams[i] != INVALID_HANDLE_VALUE)
            CloseHandle(streams[i]);
    free(line);
    return error;
}

int os_process_start_piped(struct os_process *process, char *const argv[], const char *stderr_path,
                           int *input, int *output)
{
    (void)argv, (void)stderr_path, (void)input, (void)output;
    process->handle = 0;
    return -ENOTSUP;
}

/* ---- waiting and stopping ------------------------------------------------------------------ */

static struct child *child_of(const struct os_process *process)
{
    return (struct child *)process->handle;
}

/* An end that Linux would have made by a signal has that signal's exit code. */
static int exit_code_of(DWORD code)
{
    if (code < 0x80000000)
        return (int)code;
    if (code == (DWORD)STATUS_CONTROL_C_EXIT)
        return EXIT_BY_SIGNAL + INTERRUPTED;
    return EXIT_BY_SIGNAL + (code == EXCEPTION_ACCESS_VIOLATION ? SEGFAULT : ABORTED);
}

static int reap(struct os_process *process)
{
    struct child *child = child_of(process);
    DWORD code = EXIT_BY_SIGNAL + KILLED;
    GetExitCodeProcess(child->process, &code);
    CloseHandle(child->job); /* ends what the child has started and left behind */
    CloseHandle(child->process);
    free(child);
    process->handle = 0;
    return exit_code_of(code);
}

int os_process_wait(struct os_process *process, uint64_t timeout_ns, int *exit_code)
{
    assert(process->handle);
    if (WaitForSingleObject(child_of(process)->process, winapi_ms(timeout_ns)) != WAIT_OBJECT_0)
        return 0;
    *exit_code = reap(process);
    return 1;
}

static void stop_event_name(char name[32], DWORD id)
{
    snprintf(name, 32, "Local\\fanin-stop-%lu", id);
}

static void ask_to_end(const struct child *child)
{
    char name[32];
    stop_event_name(name, child->id);
    HANDLE event = OpenEventA(EVENT_MODIFY_STATE, FALSE, name);
    if (event) {
        SetEvent(event);
        CloseHandle(event);
    } else {
        GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child->id);
    }
}

void os_process_stop(struct os_process *process, uint64_t grace_ns)
{
    if (!process->handle)
        return;
    struct child *child = child_of(process);
    ask_to_end(child);
    WaitForSingleObject(child->process, winapi_ms(grace_ns));
    TerminateJobObject(child->job, EXIT_BY_SIGNAL + KILLED);
    WaitForSingleObject(child->process, INFINITE);
    reap(process);
}

uint64_t os_process_peak_bytes(const struct os_process *process)
{
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof(memory)};
    if (!process->handle ||
        !K32GetProcessMemoryInfo(child_of(process)->process, &memory, sizeof(memory)))
        return 0;
    return memory.PeakWorkingSetSize;
}

uint64_t os_process_cpu_ns(const struct os_process *process)
{
    FILETIME created, ended, system, user;
    if (!process->handle ||
        !GetProcessTimes(child_of(process)->process, &created, &ended, &system, &user))
        return 0;
    return winapi_filetime_ns(system) + winapi_filetime_ns(user);
}

/* ---- interrupts ---------------------------------------------------------------------------- */

static _Atomic(const char *) interrupted_by;
static HANDLE stop_event;

static void interrupt_store(const char *by)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&interrupted_by, &none, by);
}

/* On a thread of the system's. FALSE: the next handler's, the last of which ends the process. After
 * a console's end, a log-off and a shutdown the process ends when this returns: it does not, so
 * that the row is written first. */
static BOOL WINAPI interrupt_note(DWORD kind)
{
    static const char *const names[] = {
        [CTRL_C_EVENT] = "Ctrl-C",          [CTRL_BREAK_EVENT] = "Ctrl-Break",
        [CTRL_CLOSE_EVENT] = "closing",     [CTRL_LOGOFF_EVENT] = "log-off",
        [CTRL_SHUTDOWN_EVENT] = "shutdown",
    };
    const bool keys = kind == CTRL_C_EVENT || kind == CTRL_BREAK_EVENT;
    if (keys && atomic_load(&interrupted_by) != NULL)
        return FALSE;
    if (kind < sizeof names / sizeof *names && names[kind] != NULL)
        interrupt_store(names[kind]);
    if (!keys)
        Sleep(INFINITE);
    return TRUE;
}

/* Here they always do. */
void os_writes_fail(void)
{
}

void os_interrupts_catch(void)
{
    char name[32];
    if (stop_event)
        return;
    stop_event_name(name, GetCurrentProcessId());
    stop_event = CreateEventA(NULL, TRUE, FALSE, name);
    SetConsoleCtrlHandler(NULL, FALSE); /* a process group of its own begins with Ctrl-C ignored */
    SetConsoleCtrlHandler(interrupt_note, TRUE);
}

bool os_interrupted(void)
{
    return os_interrupted_by() != NULL;
}

const char *os_interrupted_by(void)
{
    if (stop_event && WaitForSingleObject(stop_event, 0) == WAIT_OBJECT_0)
        interrupt_store("stop");
    return atomic_load(&interrupted_by);
}
