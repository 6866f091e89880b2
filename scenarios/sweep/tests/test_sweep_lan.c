/* Sweeps on a real link, with the real programs: rows that count, and that nothing is left behind
 * by a sweep that is killed or interrupted. */
#include <ctype.h>
#include <dirent.h>

#include "base/tests/limit.h"
#include "scenarios/sweep/tests/sweep_fixture.h"

enum { CMDLINE_BYTES = 4096 };

/* How many processes there are whose command line names the test's folder, and `word`. */
static unsigned count_processes(struct fixture *fixture, const char *word)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    unsigned count = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char path[512], line[CMDLINE_BYTES] = "";
        size_t length;
        FILE *file;
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        file = fopen(path, "rb");
        if (file == NULL)
            continue;
        length = fread(line, 1, sizeof line - 1, file);
        fclose(file);
        for (size_t i = 0; i < length; i++)
            line[i] = line[i] == '\0' ? ' ' : line[i];
        count += strstr(line, fixture->folder) != NULL && strstr(line, word) != NULL;
    }
    closedir(directory);
    return count;
}

/* The client itself, and not the fanin-lan that takes it to its link. */
static void await_client(struct fixture *fixture)
{
    for (uint64_t began_ns = os_now_ns();
         count_processes(fixture, "--link-rate=") <= count_processes(fixture, "--join=");)
        wait_a_little(fixture, began_ns, "no client starts", "stderr");
}

static void assert_no_process_left(struct fixture *fixture)
{
    uint64_t deadline_ns = os_now_ns() + PATIENCE_NS;
    while (count_processes(fixture, "") != 0) {
        if (os_now_ns() > deadline_ns)
            fail_msg("%u processes are left behind", count_processes(fixture, ""));
        os_sleep_ns(LOOK_AGAIN_NS);
    }
}

/* Skips the test where there are no links, for the user that words run as by `as` (a shell's). */
static void skip_without_links(struct fixture *fixture, const char *as)
{
    int folder = (int)(strlen(fixture->sweep) - strlen("sweep"));
    const char *const words[] = {
        "/bin/sh", "-c",
        arena_text(&fixture->arena, "%s %.*slan -- true", as, folder, fixture->sweep), NULL};
    start(fixture, words);
    if (finish(fixture) == EXIT_DONE)
        return;
    print_message("skip: %s", read_file(fixture, "stderr"));
    skip();
}

/* Seed 3 puts the cell that ends before the one whose servers stall. */
static const char scenario[] = "# why\nservers = 4\nlink = real\nframes = 100\nsize = 10kB\n"
                               "repeat = 1\nseed = 3\n[ends]\n[stalls]\nfleet.fault = stall:4\n"
                               "stall-timeout = 60000\n";

static void assert_sound(struct fixture *fixture, const char *row)
{
    assert_text(fixture, row, "section", "ends");
    assert_text(fixture, row, "status", "ok");
    assert_text(fixture, row, "audit", "pass");
    assert_text(fixture, row, "link", "real");
    assert_true(number_of(row, "link_rate_bits_per_s") == 5e7);
    assert_true(number_of(row, "link_rtt_ms") == 1);
    assert_true(number_of(row, "bytes") == 4e6);
    assert_true(number_of(row, "server_bytes") == 4e6);
    assert_true(number_of(row, "server_cpu_s") >= 0);
    /* 4 MB are 640 ms of 50 Mbit/s, and a few without a link. The client's quota or a busy machine
     * may keep it from its first receive meanwhile, and elapsed_ms begins with that. */
    assert_true(number_of(row, "elapsed_ms") > 100);
    assert_true(number_of(row, "connect_us_min") > 900);
}

static bool has_groups(void)
{
    struct quota_group trial;
    const bool made = quota_group_make(&trial, 20000, 100000);
    quota_group_remove(&trial);
    return made;
}

/* Where there are control groups, its clients are held to a share. */
SWEEP_TEST(a_sweep_that_is_killed_leaves_no_link_and_resumes)
{
    const bool shared = has_groups();
    skip_without_links(fixture, "exec");
    write_file(fixture, "links.conf", "real = --rate 50mbit --rtt 1ms\n");
    write_file(fixture, "t.conf", scenario);
    start_sweep(fixture, shared ? "--cpu-share=50%" : NULL);
    await_rows(fixture, 1);
    await_client(fixture);
    assert_int_equal(interrupt(fixture, SIGKILL), 128 + SIGKILL);
    assert_no_process_left(fixture);
    const char *row = rows_of(fixture).lines[0];
    assert_sound(fixture, row);
    if (shared) { /* the client itself says in which quota it was */
        assert_true(number_of(row, "cpu_share") == 0.5);
        assert_true(number_of(row, "cpu_quota") <= 0.5);
        assert_true(number_of(row, "cpu_share_used") > 0);
    }

    start_resume(fixture, NULL, NULL);
    await_client(fixture);
    assert_int_equal(interrupt(fixture, SIGTERM), EXIT_MEASURED_FAILURE);
    assert_no_process_left(fixture);
    assert_rows(fixture, 1);
    assert_true(number_of(read_file(fixture, "out/run.json"), "sessions") == 2);
}

SWEEP_TEST(an_ordinary_user_has_links_too)
{
    static const char nobody[] = "exec env -u TMPDIR "
                                 "setpriv --reuid=65534 --regid=65534 --clear-groups";
    const char *const words[] = {"/bin/sh", "-c",
                                 arena_text(&fixture->arena, "%s %s %s/t.conf --out=%s --only=ends",
                                            nobody, fixture->sweep, fixture->folder, fixture->out),
                                 NULL};
    if (geteuid() != 0) {
        print_message("skip: needs root, to become an ordinary user\n");
        skip();
    }
    skip_without_links(fixture, nobody);
    write_file(fixture, "links.conf", "real = --rate 50mbit --rtt 1ms\n");
    write_file(fixture, "t.conf", scenario);
    assert_int_equal(chown(fixture->folder, 65534, 65534), 0);
    start(fixture, words);
    assert_int_equal(finish(fixture), EXIT_DONE);
    assert_no_process_left(fixture);
    assert_sound(fixture, rows_of(fixture).lines[0]);
}
