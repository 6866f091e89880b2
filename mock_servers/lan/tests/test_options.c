/* The command line: units, what is asked of each direction, and everything that is wrong. */
#include "mock_servers/lan/tests/lan_under_test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/tests/find.h"
#include "mock_servers/lan/options.h"

enum { WORDS_MAX = 12, MESSAGE_BYTES = 1024 };

static struct lan_options read_options;
static char message[MESSAGE_BYTES];

/* Reads the options, a NULL-terminated list, with standard error going to `message`. */
static int read_words(const char *const words[])
{
    static char *argv[WORDS_MAX]; /* the options point into it */
    int argc = 1;
    memset(argv, 0, sizeof argv);
    argv[0] = "fanin-lan";
    while (words[argc - 1] != NULL) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    int result = lan_options_read(&read_options, argc, argv);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    message[fread(message, 1, sizeof message - 1, file)] = '\0';
    fclose(file);
    return result;
}

#define READ(...) read_words((const char *const[]){__VA_ARGS__, NULL})

static const struct shaper_config *path(int direction)
{
    return &read_options.paths[direction];
}

TEST(test_defaults_are_the_papers_lan)
{
    assert_int_equal(READ("--", "true"), OPTIONS_OK);
    assert_true(path(LINK_UP)->seed != path(LINK_DOWN)->seed);
    assert_int_equal(read_options.link, 0);
    assert_null(read_options.session.far_command);
    assert_string_equal(read_options.session.near_command[0], "true");
    assert_null(read_options.session.near_command[1]);
    assert_false(read_options.check);
}

TEST(test_losses)
{
    assert_int_equal(READ("--loss=1%", "--down-loss=0%", "--check"), OPTIONS_OK);
    assert_true(fabs(path(LINK_UP)->loss - 0.01) < 1e-12);
    assert_true(path(LINK_DOWN)->loss == 0);
    assert_true(read_options.check);
    assert_int_equal(READ("--check"), OPTIONS_OK);
    assert_true(path(LINK_UP)->loss == 0 && path(LINK_DOWN)->loss == 0);
}

#define RATE   offsetof(struct shaper_config, rate_bits_per_s)
#define DELAY  offsetof(struct shaper_config, delay_ns)
#define JITTER offsetof(struct shaper_config, jitter_ns)
#define QUEUE  offsetof(struct shaper_config, queue_bytes)

/* What one direction is asked for, in bit/s, nanoseconds and bytes. */
TEST(test_units_and_directions)
{
    static const struct {
        const char *words[3];
        int direction;
        size_t field;
        uint64_t expected;
    } cases[] = {
        {{"--quiet"}, LINK_UP, RATE, 100000000},
        {{"--quiet"}, LINK_DOWN, DELAY, 250000},
        {{"--quiet"}, LINK_UP, JITTER, 0},
        {{"--quiet"}, LINK_DOWN, QUEUE, 1250000},
        {{"--rate=8kbit", "--queue=100kB"}, LINK_UP, RATE, 8000},
        {{"--rate=100Mbit"}, LINK_UP, RATE, 100000000},
        {{"--rate=2.5gbit"}, LINK_UP, RATE, 2500000000},
        {{"--rate=8000bit"}, LINK_UP, RATE, 8000},
        {{"--rate=100gbit", "--queue=100kB"}, LINK_UP, RATE, 100000000000},
        {{"--rate=unlimited"}, LINK_UP, RATE, 0},
        {{"--rate=1gbit", "--up-rate=10mbit"}, LINK_UP, RATE, 10000000},
        {{"--rate=1gbit", "--up-rate=10mbit"}, LINK_DOWN, RATE, 1000000000},
        {{"--rtt=0"}, LINK_DOWN, DELAY, 0},
        {{"--rtt=200us"}, LINK_DOWN, DELAY, 100000},
        {{"--rtt=0.2ms"}, LINK_DOWN, DELAY, 100000},
        {{"--rtt=10s"}, LINK_DOWN, DELAY, 5000000000},
        {{"--rtt=100ns"}, LINK_DOWN, DELAY, 50},
        {{"--rtt=10ms", "--jitter=1ms", "--up-jitter=0"}, LINK_UP, JITTER, 0},
        {{"--rtt=10ms", "--jitter=1ms", "--up-jitter=0"}, LINK_DOWN, JITTER, 1000000},
        {{"--queue=2KiB"}, LINK_UP, QUEUE, 2048},
        {{"--queue=1us"}, LINK_UP, QUEUE, 1538}, /* one frame at least */
        {{"--queue=50ms", "--up-rate=10mbit"}, LINK_UP, QUEUE, 62500},
        {{"--queue=50ms", "--down-queue=64kB"}, LINK_DOWN, QUEUE, 64000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *words = cases[i].words;
        uint64_t value;
        assert_int_equal(READ("--far=x", words[0], words[1], words[2]), OPTIONS_OK);
        memcpy(&value, (const char *)path(cases[i].direction) + cases[i].field, sizeof value);
        if (value != cases[i].expected)
            fail_msg("%s: %llu", words[0], (unsigned long long)value);
    }
}

TEST(test_cuts)
{
    const struct cut_list *list = &read_options.session.cuts;
    assert_int_equal(READ("--cut=2s:500ms,3s:1ms", "--", "true"), OPTIONS_OK);
    assert_int_equal(list->count, 2);
    assert_int_equal(list->cuts[0].from_ns, 2000000000);
    assert_int_equal(list->cuts[0].until_ns, 2500000000);
    assert_int_equal(list->cuts[1].from_ns, 3000000000);
    assert_int_equal(list->cuts[1].until_ns, 3001000000);
}

TEST(test_commands)
{
    assert_int_equal(READ("--far", "a b", "--ready-file=/x", "--ready-timeout=2s", "--quiet", "--",
                          "ls", "--rate", "-l"),
                     OPTIONS_OK);
    assert_string_equal(read_options.session.far_command, "a b");
    assert_string_equal(read_options.session.ready_file, "/x");
    assert_int_equal(read_options.session.ready_timeout_ms, 2000);
    assert_true(read_options.session.quiet);
    assert_string_equal(read_options.session.near_command[1], "--rate");
    assert_string_equal(read_options.session.near_command[2], "-l");
    assert_int_equal(READ("--far", "servers"), OPTIONS_OK); /* holds the link */
    assert_null(read_options.session.near_command);
}

/* Each is wrong, and the one line that says so names the option and what would be right. */
TEST(test_wrong_use)
{
    static const struct {
        const char *words[4], *names, *says;
    } wrong[] = {
        {{"--rate=5"}, "--rate", "100mbit"},
        {{"--rate=0"}, "--rate", "8kbit"},
        {{"--rate=7999bit"}, "--rate", "8kbit"},
        {{"--rate=101gbit"}, "--rate", "100gbit"},
        {{"--rate=-1mbit"}, "--rate", "100mbit"},
        {{"--rate=0x10mbit"}, "--rate", "100mbit"},
        {{"--rate=1e3mbit"}, "--rate", "100mbit"},
        {{"--rate=nan"}, "--rate", "100mbit"},
        {{"--rate=infmbit"}, "--rate", "100mbit"},
        {{"--rate=1.2.3mbit"}, "--rate", "100mbit"},
        {{"--rate="}, "--rate", "100mbit"},
        {{"--rate=100mbits"}, "--rate", "100mbit"},
        {{"--up-rate=x"}, "--up-rate", "100mbit"},
        {{"--rtt=5"}, "--rtt", "0.5ms"},
        {{"--rtt=11s"}, "--rtt", "10s"},
        {{"--rtt=-1ms"}, "--rtt", "0.5ms"},
        {{"--jitter=1ms"}, "--jitter", "half"},
        {{"--down-jitter=1ms"}, "--jitter", "down"},
        {{"--loss=5"}, "--loss", "0.5%"},
        {{"--loss=101%"}, "--loss", "100%"},
        {{"--loss=-1%"}, "--loss", "0%"},
        {{"--queue=100"}, "--queue", "256kB"},
        {{"--queue=1000B"}, "--queue", "1538"},
        {{"--queue=2000MB"}, "--queue", "1024MiB"},
        {{"--queue=11s"}, "--queue", "10s"},
        {{"--rate=100gbit", "--queue=10s"}, "--queue", "shorter"},
        {{"--cut=2s"}, "--cut", "2s:500ms"},
        {{"--cut=2s:"}, "--cut", "2s:500ms"},
        {{"--cut=2s:0"}, "--cut", "2s:500ms"},
        {{"--cut=1s:1s,1s:1s"}, "--cut", "overlap"},
        {{"--cut=1s:1s,"}, "--cut", "2s:500ms"},
        {{"--link=foo"}, "--link", "packet"},
        {{"--json=x"}, "--json", "--check"},
        {{"--ready-timeout=0"}, "--ready-timeout", "1ms"},
        {{"--join=0"}, "--join", "1"},
        {{"--join=5", "--far=x"}, "--join", "--far"},
        {{"--check"}, "--check", "COMMAND"},
        {{"--nonsense"}, "--nonsense", "--help"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *words[WORDS_MAX] = {NULL};
        int count = 0;
        for (; wrong[i].words[count] != NULL; count++)
            words[count] = wrong[i].words[count];
        words[count] = "--", words[count + 1] = "true";
        int result = read_words(words);
        if (result != OPTIONS_WRONG || strstr(message, wrong[i].names) == NULL ||
            strstr(message, wrong[i].says) == NULL)
            fail_msg("%s: %d, %s", wrong[i].words[0], result, message);
        assert_ptr_equal(strchr(message, '\n'), message + strlen(message) - 1);
    }
}

TEST(test_wrong_commands)
{
    assert_int_equal(READ("--quiet"), OPTIONS_WRONG); /* nothing to run */
    assert_non_null(strstr(message, "COMMAND"));
    assert_int_equal(READ("true"), OPTIONS_WRONG);
    assert_non_null(strstr(message, "put -- before COMMAND"));
    assert_int_equal(READ("--check", "--far=x"), OPTIONS_WRONG);
    assert_int_equal(READ("--check", "--cut=1s:1s"), OPTIONS_WRONG);
    assert_int_equal(READ("--join=5"), OPTIONS_WRONG);
}

TEST(a_message_into_a_closed_pipe_costs_nothing)
{
    const char *const words[] = {"--nonsense", NULL};
    assert_int_equal(unheard_end(unheard_start("fanin-lan", words)), EXIT_WRONG_USE);
}
