/* Writes files beside their place and renames them. */
#include "base/draft.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

int draft_open(struct draft *draft, const char *path)
{
    bool plain = false;
    draft->beside[0] = '\0';
    draft->out = stdout;
    if (strcmp(path, "-") == 0)
        return 0;
    draft->out = NULL;
    if (*path == '\0')
        return -ENOENT;
    int result = os_file_target(path, draft->target, sizeof draft->target, &plain);
    if (result != 0)
        return result;
    /* The process id: two programs that write the same result must not mix their drafts. */
    if (plain && snprintf(draft->beside, sizeof draft->beside, "%s.%ld.new", draft->target,
                          (long)getpid()) >= (int)sizeof draft->beside)
        return -ENAMETOOLONG;
    draft->out = fopen(plain ? draft->beside : draft->target, "wb");
    return draft->out == NULL ? -errno : 0;
}

int draft_close(struct draft *draft, int result)
{
    FILE *out = draft->out;
    bool aside = draft->beside[0] != '\0';
    draft->out = NULL;
    if (out == NULL)
        return result;
    if (result == 0 && fflush(out) != 0)
        result = -errno;
    if (result == 0 && ferror(out))
        result = -EIO;
    if (out == stdout)
        return result;
    if (result == 0 && aside)
        result = os_file_settle(out, draft->target);
    if (fclose(out) != 0 && result == 0)
        result = -errno;
    if (result == 0 && aside)
        result = os_file_replace(draft->beside, draft->target);
    if (result != 0 && aside)
        remove(draft->beside);
    return result;
}

int draft_check(const char *path)
{
    struct draft draft;
    bool plain = false;
    if (strcmp(path, "-") == 0)
        return 0;
    int result = os_file_target(path, draft.target, sizeof draft.target, &plain);
    if (result != 0 || !plain) /* opening and closing a pipe would end its reader */
        return result;
    result = draft_open(&draft, path);
    draft_close(&draft, -ECANCELED);
    return result;
}
