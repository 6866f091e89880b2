/* os.h, except other processes: see test_process.c. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/active_clock.h"
#include "base/os.h"
#include "base/tests/find.h"
#include "base/tests/limit.h"
#include "base/tests/test.h"

enum { PATH_BYTES = 512 };

static char directory[PATH_BYTES];

static int directory_setup(void **state)
{
    return temporary_directory(directory, sizeof(directory)) ? 0 : -1;
}

static int directory_teardown(void **state)
{
    return rmdir(directory);
}

static pthread_t thread_started(const char *role, void *(*run)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(os_thread_start(&thread, role, 0, run, argument), 0);
    return thread;
}

/* ---- clock ------------------------------------------------------------------------------- */

TEST(clock_never_goes_back_and_sleep_is_long_enough)
{
    uint64_t before_ns = os_now_ns();
    os_sleep_ns(3 * OS_NS_PER_MS);
    assert_true(os_now_ns() - before_ns >= 3 * OS_NS_PER_MS);
    os_sleep_ns(0);
    assert_true(os_wall_ns() > UINT64_C(1700000000) * OS_NS_PER_S);
}

TEST(the_wall_clock_keeps_its_distance)
{
    const struct os_distance before = os_wall_distance();
    const uint64_t now_ns = os_now_ns(), wall_ns = os_wall_ns(), after_ns = os_now_ns();
    const struct os_distance distance = os_wall_distance();
    assert_true(before.min_ns <= before.max_ns);
    assert_int_equal(os_distance_gap_ns(before, distance), 0);
    assert_int_equal(os_distance_gap_ns(before, (struct os_distance){(int64_t)(wall_ns - after_ns),
                                                                     (int64_t)(wall_ns - now_ns)}),
                     0);
    assert_int_equal(os_distance_gap_ns((struct os_distance){-9, -5}, (struct os_distance){5, 9}),
                     10);
    assert_int_equal(os_distance_gap_ns((struct os_distance){5, 9}, (struct os_distance){-9, -5}),
                     10);
}

/* A gap is a pause but for what the thread was busy in it, and counts one step. */
TEST(a_clock_for_limits_stands_still_while_nobody_looks)
{
    const uint64_t ms = OS_NS_PER_MS, start = 5000 * ms;
    struct active_clock clock = active_clock_begin(start, 70 * ms);
    assert_int_equal(active_clock_look(&clock, start, 70 * ms), start);
    assert_int_equal(active_clock_look(&clock, start + 100 * ms, 71 * ms), start + 100 * ms);
    assert_int_equal(active_clock_look(&clock, start + 350 * ms, 72 * ms), start + 350 * ms);
    assert_int_equal(clock.paused_ns, 0);
    /* Stopped for ten seconds. */
    assert_int_equal(active_clock_look(&clock, start + 10350 * ms, 72 * ms), start + 450 * ms);
    assert_int_equal(clock.paused_ns, 9900 * ms);
    /* Busy for two of three seconds; then for all of two. */
    assert_int_equal(active_clock_look(&clock, start + 13350 * ms, 2072 * ms), start + 550 * ms);
    assert_int_equal(clock.paused_ns, 9900 * ms + 900 * ms);
    assert_int_equal(active_clock_look(&clock, start + 15350 * ms, 4072 * ms), start + 650 * ms);
    assert_int_equal(clock.paused_ns, 10800 * ms);
}

TEST(a_thread_that_looks_often_has_no_pause)
{
    const uint64_t before_ns = os_now_ns();
    os_pauses_begin();
    const uint64_t active_ns = os_active_ns();
    assert_true(os_active_ns() - active_ns <= os_now_ns() - before_ns);
    assert_true(os_paused_ns() <= os_now_ns() - before_ns);
}

/* ---- threads ----------------------------------------------------------------------------- */

static void *park_once(void *parker)
{
    os_park(parker, UINT64_MAX);
    return NULL;
}

/* The kernel lets a thread be joined shortly before it takes it off its list. */
static bool role_ends(const char *role)
{
    enum { PATIENCE_MS = 20000 };
    for (int waited_ms = 0; waited_ms < PATIENCE_MS && os_thread_count(role) > 0; waited_ms++)
        os_sleep_ns(OS_NS_PER_MS);
    return os_thread_count(role) == 0;
}

TEST(threads_are_counted_by_role)
{
    enum { WORKERS = 3, BUFFERS = 2, ALL = WORKERS + BUFFERS };
    static struct os_parker parkers[ALL];
    pthread_t threads[ALL];
    int with_first = 0;
    for (int i = 0; i < ALL; i++) {
        assert_int_equal(os_thread_start(&threads[i], i < WORKERS ? OS_ROLE_WORKER : OS_ROLE_BUFFER,
                                         i % 2 ? 0 : 1, park_once, &parkers[i]),
                         0);
        /* The thread sanitizer adds a thread of its own with the first one. */
        if (i == 0)
            with_first = os_thread_count(NULL);
    }
    assert_int_equal(os_thread_count(OS_ROLE_WORKER), WORKERS);
    assert_int_equal(os_thread_count(OS_ROLE_BUFFER), BUFFERS);
    assert_int_equal(os_thread_count("fanin"), 0);
    assert_int_equal(os_thread_count(NULL), with_first + ALL - 1);
    for (int i = 0; i < ALL; i++)
        os_unpark(&parkers[i]);
    for (int i = 0; i < ALL; i++)
        pthread_join(threads[i], NULL);
    assert_true(role_ends(OS_ROLE_WORKER));
    assert_true(role_ends(OS_ROLE_BUFFER));
}

static void *own_role_read(void *name)
{
    prctl(PR_GET_NAME, name, 0, 0, 0);
    return NULL;
}

TEST(a_thread_has_its_role_before_it_runs)
{
    for (int i = 0; i < 20; i++) {
        char name[16] = "";
        pthread_join(thread_started("fanin-test", own_role_read, name), NULL);
        assert_string_equal(name, "fanin-test");
    }
}

TEST(a_thread_that_cannot_start_is_an_error)
{
    pthread_t thread;
    struct os_parker parker = {0};
    assert_true(os_thread_start(&thread, "fanin-never", (size_t)1 << 50, park_once, &parker) < 0);
    assert_true(os_thread_start(&thread, "fanin-never", SIZE_MAX, park_once, &parker) < 0);
    assert_int_equal(os_thread_count("fanin-never"), 0);
}

TEST(there_is_a_processor)
{
    assert_in_range(os_cpu_affinity(), 1, sysconf(_SC_NPROCESSORS_CONF));
    assert_in_range(os_cpu_count(), 1, os_cpu_affinity());
}

/* ---- parking ----------------------------------------------------------------------------- */

TEST(an_early_wake_is_remembered_once)
{
    struct os_parker parker = {0};
    os_unpark(&parker);
    os_unpark(&parker);
    assert_true(os_park(&parker, UINT64_MAX));
    assert_false(os_park(&parker, 0));
    assert_false(os_park(&parker, OS_NS_PER_MS));
}

TEST(parking_times_out)
{
    struct os_parker parker = {0};
    uint64_t before_ns = os_now_ns();
    assert_false(os_park(&parker, 5 * OS_NS_PER_MS));
    assert_true(os_now_ns() - before_ns >= 5 * OS_NS_PER_MS);
    os_unpark(&parker);
    assert_true(os_park(&parker, 0));
}

struct mailbox {
    struct os_parker parker;
    uint64_t timeout_ns;
    unsigned wanted, got;
    _Atomic unsigned posted;
};

/* Takes what was posted until all of it has come; a lost wake-up would leave it asleep for ever. */
static void *mailbox_empty(void *argument)
{
    struct mailbox *box = argument;
    while (box->got < box->wanted) {
        unsigned posted = atomic_exchange(&box->posted, 0);
        box->got += posted;
        if (posted == 0)
            os_park(&box->parker, box->timeout_ns);
    }
    return NULL;
}

enum { BOXES = 4, POSTERS = 3, POSTS = 2000 };

static void *mailboxes_fill(void *argument)
{
    struct mailbox *boxes = argument;
    for (unsigned i = 0; i < POSTS * BOXES; i++) {
        atomic_fetch_add(&boxes[i % BOXES].posted, 1);
        os_unpark(&boxes[i % BOXES].parker);
    }
    return NULL;
}

static void mailboxes_run(uint64_t timeout_ns)
{
    struct mailbox boxes[BOXES] = {0};
    pthread_t takers[BOXES], posters[POSTERS];
    for (int i = 0; i < BOXES; i++) {
        boxes[i].wanted = POSTERS * POSTS;
        boxes[i].timeout_ns = timeout_ns;
        takers[i] = thread_started("taker", mailbox_empty, &boxes[i]);
    }
    for (int i = 0; i < POSTERS; i++)
        posters[i] = thread_started("poster", mailboxes_fill, boxes);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i], NULL);
    for (int i = 0; i < BOXES; i++) {
        pthread_join(takers[i], NULL);
        assert_int_equal(boxes[i].got, POSTERS * POSTS);
    }
}

TEST(no_wake_from_many_threads_is_lost)
{
    mailboxes_run(UINT64_MAX);
}

TEST(no_wake_that_crosses_a_timeout_is_lost)
{
    mailboxes_run(1000);
}

struct letter {
    struct os_parker there, back;
    unsigned plain; /* not atomic: the thread sanitizer checks that parking orders it */
};

static void *letter_answer(void *argument)
{
    struct letter *letter = argument;
    for (int i = 0; i < POSTS; i++) {
        os_park(&letter->there, UINT64_MAX);
        letter->plain++;
        os_unpark(&letter->back);
    }
    return NULL;
}

TEST(what_was_written_before_a_wake_is_visible)
{
    struct letter letter = {0};
    pthread_t thread = thread_started("answerer", letter_answer, &letter);
    for (unsigned i = 0; i < POSTS; i++) {
        letter.plain++;
        os_unpark(&letter.there);
        assert_true(os_park(&letter.back, UINT64_MAX));
        assert_int_equal(letter.plain, 2 * (i + 1));
    }
    pthread_join(thread, NULL);
}

/* ---- this process ------------------------------------------------------------------------ */

TEST(the_peak_stays_when_pages_go)
{
    enum { BYTES = 32 << 20, SLACK = 2 << 20 };
    struct os_usage before, held, after;
    os_usage_read(&before);
    assert_true(before.rss_bytes > 0);
    assert_true(before.rss_peak_bytes + SLACK >= before.rss_bytes);
    char *pages = os_pages_map(BYTES);
    assert_non_null(pages);
    assert_int_equal(pages[BYTES - 1], 0);
    memset(pages, 1, BYTES);
    os_usage_read(&held);
    os_pages_unmap(pages, BYTES);
    os_usage_read(&after);
    assert_true(held.rss_bytes >= before.rss_bytes + BYTES - SLACK);
    assert_true(after.rss_bytes <= held.rss_bytes - BYTES + SLACK);
    assert_true(after.rss_peak_bytes + SLACK >= held.rss_bytes);
    assert_true(after.user_ns + after.system_ns >= before.user_ns + before.system_ns);
    assert_true(after.user_ns + after.system_ns > 0);
}

TEST(cleared_pages_are_zeros_and_take_no_memory)
{
    enum { BYTES = 32 << 20, SLACK = 2 << 20, LAST = BYTES - 100 };
    struct os_usage held, after;
    char *pages = os_pages_map(LAST); /* not whole pages */
    assert_non_null(pages);
    memset(pages, 1, LAST);
    os_usage_read(&held);
    os_pages_clear(pages, LAST);
    os_usage_read(&after);
    assert_true(after.rss_bytes <= held.rss_bytes - BYTES + SLACK);
    assert_int_equal(pages[0], 0);
    assert_int_equal(pages[LAST - 1], 0);
    pages[LAST - 1] = 1;
    os_pages_unmap(pages, LAST);
}

TEST(pages_that_are_not_there_are_null)
{
    assert_null(os_pages_map((size_t)1 << 60));
    os_pages_unmap(NULL, 4096);
}

TEST(both_views_of_a_mirror_are_the_same_bytes)
{
    const size_t bytes = 3 * os_mirror_step();
    uint8_t *memory = os_mirror_map(bytes);
    assert_non_null(memory);
    for (size_t i = 0; i < 2 * bytes; i += 509)
        assert_int_equal(memory[i], 0);
    memcpy(memory + bytes - 3, "around", 6);
    assert_memory_equal(memory, "und", 3);
    memory[bytes + 5] = 7;
    assert_int_equal(memory[5], 7);
    os_mirror_unmap(memory, bytes);
}

TEST(a_mirror_leaves_no_descriptor_open)
{
    struct rlimit old = limit_lower(RLIMIT_NOFILE, 64);
    uint8_t *memories[200];
    for (unsigned i = 0; i < 200; i++)
        memories[i] = os_mirror_map(os_mirror_step());
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (unsigned i = 0; i < 200; i++) {
        assert_non_null(memories[i]);
        os_mirror_unmap(memories[i], os_mirror_step());
    }
}

TEST(the_soft_descriptor_limit_is_raised)
{
    uint64_t limit = 0;
    struct rlimit now, before = limit_lower(RLIMIT_NOFILE, 64);
    assert_int_equal(os_descriptors_reserve(32, &limit), 0);
    assert_int_equal(os_descriptors_reserve(128, &limit), 0);
    getrlimit(RLIMIT_NOFILE, &now);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(now.rlim_cur, 128);
}

/* The system's table has them all before there are threads, and none of them is in use. */
TEST(room_for_descriptors_is_made_at_once)
{
    uint64_t limit = 0;
    unsigned room = 0;
    char line[128];
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    const unsigned count = descriptors.rlim_max < 3000 ? (unsigned)descriptors.rlim_max : 3000;
    assert_int_equal(os_descriptors_reserve(count, &limit), 0);
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (fgets(line, sizeof line, status) != NULL)
        sscanf(line, "FDSize: %u", &room);
    fclose(status);
    assert_true(room >= count);
    assert_int_equal(fcntl((int)count - 1, F_GETFD), -1);
}

TEST(the_hard_descriptor_limit_is_named)
{
    uint64_t limit = 0;
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    if (descriptors.rlim_max == RLIM_INFINITY) {
        print_message("skip: this system has no hard limit of descriptors\n");
        skip();
    }
    assert_int_equal(os_descriptors_reserve(descriptors.rlim_max + 1, &limit), -EMFILE);
    assert_int_equal(limit, descriptors.rlim_max);
}

/* ---- directories and machine ------------------------------------------------------------- */

TEST(directories_are_made_with_their_parents)
{
    char path[PATH_BYTES + 16], parent[PATH_BYTES + 16], long_path[8192];
    snprintf(parent, sizeof(parent), "%s/a", directory);
    snprintf(path, sizeof(path), "%s/a/b", directory);
    assert_int_equal(os_directory_make(path), 0);
    assert_int_equal(os_directory_make(path), 0);
    strcat(path, "/");
    assert_int_equal(os_directory_make(path), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(parent), 0);
    assert_int_equal(os_directory_make(""), -ENOENT);
    assert_int_equal(os_directory_make("/dev/null"), -ENOTDIR);
    assert_int_equal(os_directory_make("/dev/null/below"), -ENOTDIR);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(os_directory_make(long_path), -ENAMETOOLONG);
}

TEST(the_name_of_a_path_is_its_last_part)
{
    const char *plain = "name";
    assert_ptr_equal(os_path_name(plain), plain);
    assert_string_equal(os_path_name("/some/where/name.conf"), "name.conf");
    assert_string_equal(os_path_name("./name"), "name");
    assert_string_equal(os_path_name("some/"), "");
}

TEST(the_program_directory_holds_this_program)
{
    char path[PATH_BYTES], own_path[PATH_BYTES] = "", small[4];
    assert_true(readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) > 0);
    assert_int_equal(os_program_directory(path, sizeof(path)), 0);
    size_t bytes = strlen(path);
    assert_memory_equal(path, own_path, bytes);
    assert_string_equal(own_path + bytes, "/test_os");
    assert_int_equal(os_program_directory(small, sizeof(small)), -ENAMETOOLONG);
}

struct facts {
    int count, cpus;
    uint64_t memory_kb;
    bool kernel_has_dot;
};

static void fact_note(void *context, const char *name, const char *value)
{
    struct facts *facts = context;
    facts->count++;
    assert_true(name[0] && value[0]);
    assert_null(strpbrk(value, "\n\t"));
    if (strcmp(name, "cpus") == 0)
        facts->cpus = atoi(value);
    if (strcmp(name, "memory_kb") == 0)
        facts->memory_kb = strtoull(value, NULL, 10);
    if (strcmp(name, "kernel") == 0)
        facts->kernel_has_dot = strchr(value, '.') != NULL;
}

TEST(the_machine_has_facts)
{
    struct facts facts = {0};
    os_machine_describe(fact_note, &facts);
    assert_true(facts.count >= 5);
    assert_int_equal(facts.cpus, os_cpu_count());
    assert_true(facts.memory_kb > 1024);
    assert_true(facts.kernel_has_dot);
}

int main(void)
{
    return tests_run(directory_setup, directory_teardown);
}
