/* Files that tests need. */
#include "base/tests/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"

bool find_upwards(char *path, size_t path_bytes, const char *name)
{
    char directory[4096];
    if (os_program_directory(directory, sizeof directory) != 0)
        return false;
    do {
        *strrchr(directory, '/') = '\0';
        snprintf(path, path_bytes, "%s/%s", directory, name);
    } while (access(path, F_OK) != 0 && directory[0] != '\0');
    return access(path, F_OK) == 0;
}

bool temporary_directory(char *path, size_t path_bytes)
{
    const char *parent = getenv("TMPDIR");
    snprintf(path, path_bytes, "%s/fanin-test-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(path) != NULL;
}

void file_read(const char *path, char *text, size_t text_bytes)
{
    FILE *file = fopen(path, "r");
    size_t bytes = file == NULL ? 0 : fread(text, 1, text_bytes - 1, file);
    text[bytes] = '\0';
    if (file != NULL)
        fclose(file);
}

int unheard_start(const char *name, const char *const *arguments)
{
    enum { ARGUMENTS_MAX = 16 };
    char path[4096], *argv[ARGUMENTS_MAX + 2] = {path};
    int ends[2];
    for (unsigned i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
        argv[i + 1] = (char *)arguments[i];
    if (!find_upwards(path, sizeof path, name) || pipe(ends) != 0)
        return -1;
    close(ends[0]);
    int process = fork();
    if (process == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGPIPE, SIG_DFL);
        execv(path, argv);
        _exit(EXIT_FAILURE);
    }
    close(ends[1]);
    return process;
}

int unheard_end(int process)
{
    int status = 0;
    waitpid(process, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
