/* Runs an example of this build, as its user would, and shell commands that are its clients. */
#include "examples/tests/example.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/find.h"

enum { ARGUMENTS_MAX = 64, LOOK_MS = 20 };

/* ---- ports --------------------------------------------------------------------------------- */

int port_listen(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    *port = ntohs(address.sin_port);
    return listener;
}

unsigned port_free(void)
{
    unsigned port;
    close(port_listen(&port));
    return port;
}

/* Looks without connecting: a server counts its connections. */
static bool port_listens(unsigned port)
{
    char line[256], wanted[32];
    bool found = false;
    FILE *sockets = fopen("/proc/net/tcp", "r");
    assert_non_null(sockets);
    snprintf(wanted, sizeof wanted, ":%04X 00000000:0000 0A", port);
    while (!found && fgets(line, sizeof line, sockets) != NULL)
        found = strstr(line, wanted) != NULL;
    fclose(sockets);
    return found;
}

bool port_await(unsigned port)
{
    for (unsigned waited = 0; !port_listens(port); waited += LOOK_MS) {
        if (waited >= LONG_WAIT_MS)
            return false;
        os_sleep_ns(LOOK_MS * UINT64_C(1000000));
    }
    return true;
}

/* ---- examples ------------------------------------------------------------------------------ */

void example_start(struct example *example, const char *name, const char *const *arguments)
{
    char path[4096], *argv[ARGUMENTS_MAX + 2] = {path};
    for (unsigned i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
        argv[i + 1] = (char *)arguments[i];
    assert_true(find_upwards(path, sizeof path, name));
    *example = (struct example){.output = tmpfile(), .errors = tmpfile()};
    fflush(NULL);
    example->process = fork();
    if (example->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fileno(example->output), STDOUT_FILENO);
        dup2(fileno(example->errors), STDERR_FILENO);
        execv(path, argv);
        _exit(127);
    }
    assert_true(example->process > 0);
}

static bool has_ended(const struct example *example)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)example->process, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid != 0;
}

/* The port may be another's by now; then the example ends, and the next port is tried. */
void example_serve(struct example *example, const char *name, const char *const *arguments)
{
    const char *all[ARGUMENTS_MAX + 1] = {"127.0.0.1", NULL};
    char port[16];
    for (unsigned attempt = 0; attempt < 5; attempt++) {
        const unsigned number = port_free();
        snprintf(port, sizeof port, "%u", number);
        all[1] = port;
        for (unsigned i = 0; i < ARGUMENTS_MAX - 2 && arguments[i] != NULL; i++)
            all[i + 2] = arguments[i];
        example_start(example, name, all);
        example->port = number;
        for (unsigned waited = 0; waited < LONG_WAIT_MS && !has_ended(example); waited += LOOK_MS) {
            if (port_listens(number)) {
                example->descriptors = example_descriptors(example);
                return;
            }
            os_sleep_ns(LOOK_MS * UINT64_C(1000000));
        }
        example_end(example, SIGKILL);
    }
    fail_msg("%s does not serve: %s", name, example->complained);
}

static void read_all(FILE *file, char *text)
{
    rewind(file);
    text[fread(text, 1, EXAMPLE_TEXT_BYTES - 1, file)] = '\0';
    fclose(file);
}

int example_end(struct example *example, int signal)
{
    int status = 0;
    if (signal != 0)
        kill(example->process, signal);
    assert_int_equal(waitpid(example->process, &status, 0), example->process);
    read_all(example->output, example->said);
    read_all(example->errors, example->complained);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void assert_ends_well(struct example *example)
{
    assert_descriptors(example, example->descriptors);
    const int code = example_end(example, SIGTERM);
    assert_string_equal(example->complained, "");
    assert_int_equal(code, 0);
    if (strstr(example->said, " 0 open at the end\n") == NULL)
        fail_msg("expected 0 open at the end, got: %s", example->said);
}

void assert_wrong_use(const char *name, int exit_code, const char *reason, ...)
{
    const char *all[ARGUMENTS_MAX + 1];
    struct example example;
    unsigned count = 0;
    va_list arguments;
    va_start(arguments, reason);
    while ((all[count] = va_arg(arguments, const char *)) != NULL)
        count++;
    va_end(arguments);
    example_start(&example, name, all);
    assert_int_equal(example_end(&example, 0), exit_code);
    assert_string_equal(example.said, "");
    if (strstr(example.complained, reason) == NULL)
        fail_msg("expected \"%s\", got: %s", reason, example.complained);
    assert_ptr_equal(strchr(example.complained, '\n') + 1,
                     example.complained + strlen(example.complained));
}

void assert_helps(const char *name)
{
    struct example example;
    example_start(&example, name, (const char *const[]){"--help", NULL});
    assert_int_equal(example_end(&example, 0), 0);
    assert_string_equal(example.complained, "");
    assert_non_null(strstr(example.said, name));
}

unsigned example_descriptors(const struct example *example)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)example->process);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

unsigned long example_memory_kb(const struct example *example)
{
    char path[64], text[EXAMPLE_TEXT_BYTES];
    snprintf(path, sizeof path, "/proc/%d/status", (int)example->process);
    file_read(path, text, sizeof text);
    const char *found = strstr(text, "RssAnon:");
    return found == NULL ? 0 : strtoul(found + strlen("RssAnon:"), NULL, 10);
}

void assert_descriptors(const struct example *example, unsigned count)
{
    unsigned now = example_descriptors(example);
    for (unsigned waited = 0; now != count && waited < LONG_WAIT_MS; waited += LOOK_MS) {
        os_sleep_ns(LOOK_MS * UINT64_C(1000000));
        now = example_descriptors(example);
    }
    assert_int_equal(now, count);
}

/* ---- other programs ------------------------------------------------------------------------ */

void need_program(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    if (system(command) != 0) {
        printf("skip: %s is not installed\n", program);
        skip();
    }
}

static void command_make(char *command, size_t bytes, const char *format, va_list arguments)
{
    assert_in_range(vsnprintf(command, bytes, format, arguments), 1, bytes - 1);
    fflush(NULL);
}

void assert_shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    command_make(command, sizeof command, format, arguments);
    va_end(arguments);
    const int status = system(command);
    if (status != 0)
        fail_msg("status %d: %s", status, command);
}

pid_t shell_start(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    command_make(command, sizeof command, format, arguments);
    va_end(arguments);
    const pid_t process = fork();
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    assert_true(process > 0);
    return process;
}

void shell_end(pid_t process)
{
    kill(process, SIGTERM);
    waitpid(process, NULL, 0);
}
