/* The viewers' command line: defaults, and wrong use as one line that names the option. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tests/test.h"
#include "client/monitor/addresses.h"

static struct monitor_options options;
static char said[1024];

/* Reads up to three options; what is printed to stderr goes to `said`. */
static int read_options(bool eye, const char *first, const char *second, const char *third)
{
    const struct program_help program = {"test", "", "", eye};
    char *arguments[] = {(char *)"test", (char *)first, (char *)second, (char *)third, NULL};
    int count = 1, kept = dup(2);
    FILE *errors = tmpfile();
    assert_non_null(errors);
    while (count < 4 && arguments[count] != NULL)
        count++;
    fflush(stderr);
    dup2(fileno(errors), 2);
    options.viewer = VIEWER_MONITOR;
    int result = monitor_options_read(&program, count, arguments, &options);
    fflush(stderr);
    dup2(kept, 2);
    close(kept);
    rewind(errors);
    said[fread(said, 1, sizeof said - 1, errors)] = '\0';
    fclose(errors);
    return result;
}

static const struct {
    const char *first, *second, *named;
} wrong_uses[] = {
    {"--screens=0", NULL, "--screens"},
    {"--screens=4097", NULL, "--screens"},
    {"--listen=", NULL, "--listen"},
    {"--listen=127.0.0.1:0", NULL, "--listen"},
    {"--listen=[::1", NULL, "--listen"},
    {"--listen=127.0.0.1:66000", NULL, "--listen"},
    {"--listen=0.0.0.0", NULL, "--allow-anyone"},
    {"--listen=0.0.0.0", "--topology=connect", "--topology"},
    {"--connect=127.0.0.1", "--topology=accept", "--topology"},
    {"--connect=127.0.0.1", "--listen=127.0.0.1", "--connect"},
    {"--connect=127.0.0.1,,127.0.0.2", NULL, "--connect"},
    {"--connect=@/no/such/file", NULL, "/no/such/file"},
    {"--connect=127.0.0.1,127.0.0.2", "--screens=3", "--screens"},
    {"--connect=", "--port=65535", "--port"},
    {"--view=mirror", NULL, "--view"},
    {"--encodings=tight,h264", NULL, "--encodings"},
    {"--encodings=", NULL, "--encodings"},
    {"--quality=11", NULL, "--quality"},
    {"--ahead=0", NULL, "--ahead"},
    {"--budget=much", NULL, "--budget"},
    {"--security=password", NULL, "--password-file"},
    {"--security=tls", NULL, "--tls-authority"},
    {"--security=none", "--password-file=x", "--security"},
    {"--tls-authority=x", "--security=password", "--security"},
    {"--engine=steam", NULL, "--engine"},
    {"--accepts=nobody", NULL, "--accepts"},
    {"--input-rate=3", NULL, "--control"},
};

TEST(wrong_use_is_one_line_that_names_the_option)
{
    for (unsigned i = 0; i < sizeof wrong_uses / sizeof wrong_uses[0]; i++) {
        const bool eye = strncmp(wrong_uses[i].first, "--input-rate", 12) == 0;
        assert_int_equal(read_options(eye, wrong_uses[i].first, wrong_uses[i].second, NULL),
                         OPTIONS_WRONG);
        if (strstr(said, wrong_uses[i].named) == NULL)
            fail_msg("%s: said %s", wrong_uses[i].first, said);
        assert_string_equal(strchr(said, '\n'), "\n");
    }
}

TEST(the_eyes_options_are_the_eyes)
{
    assert_int_equal(read_options(false, "--viewer=vncclient", NULL, NULL), OPTIONS_WRONG);
    assert_int_equal(read_options(true, "--viewer=vncclient", "--control", "--input-rate=3"),
                     OPTIONS_OK);
    assert_int_equal(options.viewer, VIEWER_VNCCLIENT);
    assert_float_equal(options.input_rate, 3, 0);
}

TEST(the_paper_s_design_is_the_default)
{
    assert_int_equal(read_options(false, NULL, NULL, NULL), OPTIONS_OK);
    assert_int_equal(options.topology, TOPOLOGY_ACCEPT);
    assert_int_equal(options.accepts, ACCEPTS_THREAD);
    assert_string_equal(options.listen, "near");
    assert_int_equal(options.port, 5500);
    assert_int_equal(options.screens, 7);
    assert_int_equal(options.ahead, 1);
    assert_false(options.control);
    assert_int_equal(options.security, SECURITY_NONE);
    assert_true(options.workers == 2 * options.concurrency);
}

TEST(near_is_the_links_own_end)
{
    struct net_address address;
    char why[256], text[NET_TEXT_BYTES];
    assert_int_equal(read_options(false, "--listen=near:5501", NULL, NULL), OPTIONS_OK);
    assert_int_equal(addresses_listen(&options, &address, why, sizeof why), 0);
    assert_string_equal(net_address_text(&address, text), "127.0.0.1:5501");
    setenv("FANIN_NEAR", "10.1.2.3", 1);
    assert_int_equal(read_options(false, NULL, NULL, NULL), OPTIONS_OK);
    assert_int_equal(addresses_listen(&options, &address, why, sizeof why), 0);
    unsetenv("FANIN_NEAR");
    assert_string_equal(net_address_text(&address, text), "10.1.2.3:5500");
}

TEST(screens_are_named_by_lists_files_and_counts)
{
    struct targets targets;
    char why[256], text[NET_TEXT_BYTES], path[] = "/tmp/fanin-screens-XXXXXX", at[64];
    FILE *file = fdopen(mkstemp(path), "w");
    fputs("# mine\n127.0.0.1:7001 , 127.0.0.2\n\n[::1]:7002 # the last\n", file);
    fclose(file);
    snprintf(at, sizeof at, "--connect=@%s", path);
    assert_int_equal(read_options(false, at, NULL, NULL), OPTIONS_OK);
    assert_int_equal(addresses_connect(&options, &targets, why, sizeof why), 0);
    unlink(path);
    assert_int_equal(options.screens, 3);
    assert_string_equal(net_address_text(&targets.all[0], text), "127.0.0.1:7001");
    assert_string_equal(net_address_text(&targets.all[1], text), "127.0.0.2:5900");
    assert_string_equal(net_address_text(&targets.all[2], text), "[::1]:7002");
    targets_free(&targets);
    assert_int_equal(read_options(false, "--topology=connect", "--screens=2", "--port=6000"),
                     OPTIONS_OK);
    assert_int_equal(addresses_connect(&options, &targets, why, sizeof why), 0);
    assert_int_equal(targets.count, 2);
    assert_string_equal(net_address_text(&targets.all[1], text), "127.0.0.1:6001");
    targets_free(&targets);
}

TEST(a_budget_is_a_number_or_a_rate)
{
    assert_int_equal(read_options(false, "--budget=50mbit", NULL, NULL), OPTIONS_OK);
    assert_int_equal(options.budget, 50000000);
    assert_int_equal(read_options(false, "--budget=2M", NULL, NULL), OPTIONS_OK);
    assert_int_equal(options.budget, 2000000);
}
