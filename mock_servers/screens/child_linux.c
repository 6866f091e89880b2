/* Programs of others, and what they say: by pipes that they open as files. */
#include "mock_servers/screens/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"

enum { GRACE_MS = 3000, PATH_BYTES = 32 };

static void pipe_close(int ends[2])
{
    for (unsigned i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

/* The child opens our pipe's end by its path, so that its writes block as they would anywhere. */
int child_start(struct child *child, char *const argv[], char *why, size_t why_bytes)
{
    int output[2] = {-1, -1}, log[2] = {-1, -1};
    char output_path[PATH_BYTES], log_path[PATH_BYTES];
    *child = (struct child){.has_ended = false};
    if (pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0 || pipe2(log, O_CLOEXEC | O_NONBLOCK) != 0) {
        pipe_close(output);
        return why_write(why, why_bytes, "%s: %s", argv[0], strerror(errno));
    }
    snprintf(output_path, sizeof output_path, "/proc/self/fd/%d", output[1]);
    snprintf(log_path, sizeof log_path, "/proc/self/fd/%d", log[1]);
    const int result = os_process_start(&child->process, argv, output_path, log_path);
    if (result != 0) {
        pipe_close(output);
        pipe_close(log);
        return why_write(why, why_bytes, "%s cannot be started: %s", argv[0],
                         result == -ENOENT ? "it is not installed" : strerror(-result));
    }
    close(output[1]);
    close(log[1]);
    snprintf(child->program, sizeof child->program, "%s", os_path_name(argv[0]));
    child->output.from = output[0];
    child->log.from = log[0];
    return 0;
}

/* The first line that `output` has whole; a longer one is given in pieces. */
static bool line_take(struct child_output *output, char line[CHILD_LINE_BYTES])
{
    const ssize_t more =
        read(output->from, output->text + output->used, sizeof output->text - 1 - output->used);
    output->used += more > 0 ? (size_t)more : 0;
    const char *end = memchr(output->text, '\n', output->used);
    if (end == NULL && output->used < sizeof output->text - 1)
        return false;
    const size_t bytes = end != NULL ? (size_t)(end - output->text) : output->used;
    memcpy(line, output->text, bytes);
    line[bytes] = '\0';
    output->used -= bytes + (end != NULL);
    memmove(output->text, output->text + bytes + (end != NULL), output->used);
    return true;
}

bool child_log(struct child *child, char line[CHILD_LINE_BYTES])
{
    if (child->program[0] == '\0' || !line_take(&child->log, line))
        return false;
    if (line[strspn(line, " \t")] != '\0')
        memcpy(child->last_line, line, CHILD_LINE_BYTES);
    return true;
}

bool child_output(struct child *child, char line[CHILD_LINE_BYTES])
{
    return child->program[0] != '\0' && line_take(&child->output, line);
}

bool child_ended(struct child *child)
{
    char line[CHILD_LINE_BYTES];
    if (child->program[0] == '\0')
        return true;
    if (!child->has_ended && os_process_wait(&child->process, 0, &child->exit_code) == 1) {
        child->has_ended = true;
        while (child_log(child, line))
            continue;
    }
    return child->has_ended;
}

void child_why(const struct child *child, char *why, size_t why_bytes)
{
    enum { BY_SIGNAL = 128 };
    const char *colon = child->last_line[0] == '\0' ? "" : ": ";
    const char *last = child->last_line + strspn(child->last_line, " \t");
    if (child->exit_code > BY_SIGNAL)
        why_write(why, why_bytes, "%s was killed by signal %d%s%s", child->program,
                  child->exit_code - BY_SIGNAL, colon, last);
    else
        why_write(why, why_bytes, "%s has ended with exit code %d%s%s", child->program,
                  child->exit_code, colon, last);
}

void child_stop(struct child *child)
{
    if (child->program[0] == '\0')
        return;
    if (!child->has_ended)
        os_process_stop(&child->process, (uint64_t)GRACE_MS * OS_NS_PER_MS);
    close(child->output.from);
    close(child->log.from);
    *child = (struct child){.has_ended = false};
}
