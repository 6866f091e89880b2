/* draft.h: what was there before survives every failure. os_lock: one holder at a time. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/os.h"
#include "base/tests/find.h"
#include "base/tests/limit.h"
#include "base/tests/test.h"

enum { PATH_BYTES = 512, TEXT_BYTES = 64 };

static char directory[PATH_BYTES], path[PATH_BYTES + 16], other[PATH_BYTES + 64];

static int directory_setup(void **state)
{
    if (!temporary_directory(directory, sizeof directory))
        return -1;
    snprintf(path, sizeof path, "%s/result", directory);
    snprintf(other, sizeof other, "%s/other", directory);
    return 0;
}

/* Fails where anything else was left in the directory. */
static int directory_teardown(void **state)
{
    unlink(path);
    unlink(other);
    return rmdir(directory);
}

/* Writes `text` as a draft whose writer ends with `result`. */
static int write_draft(const char *name, const char *text, int result)
{
    struct draft draft;
    int error = draft_open(&draft, name);
    if (error != 0)
        return error;
    fputs(text, draft.out);
    return draft_close(&draft, result);
}

static void assert_holds(const char *name, const char *expected)
{
    char text[TEXT_BYTES];
    file_read(name, text, sizeof text);
    assert_string_equal(text, expected);
}

TEST(a_whole_draft_takes_the_place, directory_setup, directory_teardown)
{
    assert_int_equal(draft_check(path), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(write_draft(path, "one", 0), 0);
    assert_holds(path, "one");
    assert_int_equal(draft_check(path), 0);
    assert_int_equal(write_draft(path, "two", 0), 0);
    assert_holds(path, "two");
}

TEST(a_draft_that_failed_leaves_the_old_file, directory_setup, directory_teardown)
{
    assert_int_equal(write_draft(path, "one", 0), 0);
    assert_int_equal(write_draft(path, "two", -EINVAL), -EINVAL);
    assert_holds(path, "one");
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = limit_lower(RLIMIT_FSIZE, 2);
    int result = write_draft(path, "three", 0);
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, before);
    assert_int_equal(result, -EFBIG);
    assert_holds(path, "one");
}

TEST(a_program_that_dies_leaves_the_old_file, directory_setup, directory_teardown)
{
    struct draft draft;
    int status;
    assert_int_equal(write_draft(path, "one", 0), 0);
    pid_t child = fork();
    if (child == 0) {
        if (draft_open(&draft, path) == 0)
            fputs("two", draft.out);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_holds(path, "one");
    snprintf(other, sizeof other, "%s.%ld.new", path, (long)child); /* all that is left of it */
}

TEST(links_and_permissions_stay, directory_setup, directory_teardown)
{
    struct stat status;
    assert_int_equal(write_draft(path, "one", 0), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(symlink("result", other), 0);
    assert_int_equal(write_draft(other, "two", 0), 0);
    assert_holds(path, "two");
    assert_int_equal(lstat(other, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write_draft(other, "of a link to nothing", 0), 0);
    assert_holds(path, "of a link to nothing");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(write_draft(other, "two", 0), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

TEST(what_is_no_plain_file_is_written_in_place, directory_setup, directory_teardown)
{
    char text[TEXT_BYTES] = "";
    assert_int_equal(write_draft("/dev/null", "one", 0), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(draft_check(path), 0);
    assert_int_equal(write_draft(path, "two", 0), 0);
    assert_int_equal(read(reader, text, sizeof text - 1), 3);
    assert_string_equal(text, "two");
    close(reader);
}

TEST(a_file_of_a_directory_that_may_not_be_written_is_written_in_place, directory_setup,
     directory_teardown)
{
    if (geteuid() == 0) {
        print_message("skip: root may write everywhere\n");
        skip();
    }
    assert_int_equal(write_draft(path, "one", 0), 0);
    assert_int_equal(chmod(directory, 0500), 0);
    assert_int_equal(draft_check(path), 0);
    assert_holds(path, "one");
    assert_int_equal(write_draft(path, "two", 0), 0);
    assert_int_equal(chmod(directory, 0700), 0);
    assert_holds(path, "two");
}

TEST(what_may_not_be_written_is_refused_at_once, directory_setup, directory_teardown)
{
    char below[PATH_BYTES + 32];
    snprintf(below, sizeof below, "%s/no/result", directory);
    assert_int_equal(draft_check(below), -ENOENT);
    assert_int_equal(draft_check(directory), -EISDIR);
    assert_int_equal(draft_check(""), -ENOENT);
    assert_int_equal(write_draft(path, "one", 0), 0);
    assert_int_equal(chmod(path, 0400), 0);
    if (geteuid() != 0)
        assert_int_equal(draft_check(path), -EACCES);
}

/* ---- locks -------------------------------------------------------------------------------- */

TEST(a_lock_has_one_holder, directory_setup, directory_teardown)
{
    struct os_lock one, two;
    assert_int_equal(os_lock_take(&one, path, "first"), 0);
    assert_int_equal(os_lock_take(&two, path, "second"), -EWOULDBLOCK);
    assert_holds(path, "first");
    os_lock_release(&one, path);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(os_lock_take(&two, path, "second"), 0);
    os_lock_release(&two, path);
}

TEST(a_killed_holder_leaves_the_lock_free, directory_setup, directory_teardown)
{
    struct os_lock lock;
    int status;
    pid_t child = fork();
    if (child == 0) {
        os_lock_take(&lock, path, "a longer text than the next");
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_holds(path, "a longer text than the next");
    assert_int_equal(os_lock_take(&lock, path, "next"), 0);
    assert_holds(path, "next");
    os_lock_release(&lock, path);
}
