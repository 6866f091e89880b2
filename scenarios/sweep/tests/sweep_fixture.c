/* The fake client, the fake servers, and the helpers of the end-to-end tests of fanin-sweep. */
#include "scenarios/sweep/tests/sweep_fixture.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static const char client_script[] =
    "#!/bin/sh\n"
    "here=${0%/*}\n"
    "for a; do case $a in --mode=*) mode=${a#*=};; --json=*) json=${a#*=};;"
    " --dry-run) dry=1;; esac; done\n"
    "if [ \"$dry\" ]; then\n"
    "  [ \"$mode\" = bad ] && { echo 'client: --mode: takes ok, this is bad' >&2; exit 2; }\n"
    "  [ \"$mode\" = odd ] && exit 7\n"
    "  [ \"$mode\" = lacks ] && { echo 'client: cannot run here' >&2; exit 3; }\n"
    "  exit 0\n"
    "fi\n"
    "echo \"$*\" >>\"$here/args\"\n"
    "[ \"$mode\" = late ] && { [ -e \"$here/go\" ] && mode=ok || mode=hang; }\n"
    "ok='{\"status\":\"ok\",\"reason\":\"\",\"connect_ms\":1.5,\"elapsed_ms\":2}'\n"
    "case $mode in\n"
    "ok) echo a summary; echo \"$ok\" >\"$json\";;\n"
    "lines) printf '{\\n\"status\":\\n\"ok\"}\\n\\n' >\"$json\";;\n"
    "fail) echo '{\"status\":\"failed\",\"reason\":\"audit\"}' >\"$json\"; exit 1;;\n"
    "skip) echo no such engine here >&2; exit 3;;\n"
    "lacks) echo '{\"status\":\"skipped\",\"reason\":\"no memfd\"}' >\"$json\"; exit 3;;\n"
    "hang) echo $$ >>\"$here/pids\"; exec sleep 600;;\n"
    "vary) n=$(wc -l <\"$here/args\"); echo \"{\\\"status\\\":\\\"ok\\\",\\\"elapsed_ms\\\":"
    "$((10 + n * 7 % 10))}\" >\"$json\";;\n"
    "fill) [ $(wc -l <\"$here/args\") = 3 ] && cat /dev/zero >\"${json%/*}/filler\";"
    " echo \"$ok\" >\"$json\" || exit 1;;\n"
    "held) echo $$ >>\"$here/pids\"; while [ ! -e \"$here/free\" ]; do sleep 0.05; done;"
    " echo \"$ok\" >\"$json\";;\n"
    "slow) sleep 0.5; echo \"$ok\" >\"$json\";;\n"
    "gone) [ -e \"$0.gone\" ] || mv \"$0\" \"$0.gone\"; echo \"$ok\" >\"$json\";;\n"
    "die) kill -SEGV $$;;\n"
    "crash) echo \"$ok\" >\"$json\"; kill -SEGV $$;;\n"
    "lie) echo \"$ok\" >\"$json\"; exit 1;;\n"
    "garbage) echo '{ hello' >\"$json\";;\n"
    "nothing) echo '{}' >\"$json\";;\n"
    "silent) printf 'first\\nlast \"words\"\\n' >&2; exit 4;;\n"
    "esac\n";

static const char servers_script[] =
    "#!/bin/sh\n"
    "here=${0%/*}\n"
    "for a; do case $a in --ready-file=*) ready=${a#*=};; --help) dry=1;;"
    " --fault=*) fault=${a#*=};; --count=*) count=${a#*=};; esac; done\n"
    "[ \"$fault\" = bad ] && { echo 'servers: --fault: takes refuse' >&2; exit 2; }\n"
    "[ \"$dry\" ] && exit 0\n"
    "[ \"$fault\" = many ] && { echo 'servers: --fault: too many' >&2; exit 2; }\n"
    "[ \"$fault\" = taken ] && { echo 'servers: 127.0.0.1:20000: in use' >&2; exit 3; }\n"
    "echo $$ >>\"$here/pids\"\n"
    "echo $count >>\"$here/counts\"\n"
    "echo \"$*\" >>\"$here/servers-args\"\n"
    "echo up >\"$ready\"\n"
    "[ \"$fault\" = killed ] && { sleep 0.2; kill -KILL $$; }\n"
    "[ \"$fault\" = after ] && [ ! -e \"$here/once\" ] && { echo >\"$here/once\"\n"
    "  until [ -s \"$here/out/rows.jsonl\" ]; do sleep 0.05; done; kill -KILL $$; }\n"
    "[ \"$fault\" = told ] && { sleep 0.2; exit 0; }\n"
    "[ \"$fault\" = dies ] && { sleep 0.2; echo no more >&2; exit 5; }\n"
    "exec sleep 600\n";

/* ---- files ---- */

const char *path_of(struct fixture *fixture, const char *name)
{
    return arena_text(&fixture->arena, "%s/%s", fixture->folder, name);
}

void write_file(struct fixture *fixture, const char *name, const char *text)
{
    const char *path = path_of(fixture, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

const char *read_file(struct fixture *fixture, const char *name)
{
    size_t bytes;
    const char *text = arena_file(&fixture->arena, path_of(fixture, name), FILE_BYTES_MAX, &bytes);
    return text == NULL ? "" : text;
}

bool exists(struct fixture *fixture, const char *name)
{
    struct stat status;
    return stat(path_of(fixture, name), &status) == 0;
}

void write_systemd(struct fixture *fixture, const char *script)
{
    assert_int_equal(os_directory_make(path_of(fixture, "bin")), 0);
    write_file(fixture, "bin/systemd-run",
               arena_text(&fixture->arena, "#!/bin/sh\necho \"$*\" >>%s/scopes\n%s\n",
                          fixture->folder, script));
    setenv("PATH", arena_text(&fixture->arena, "%s/bin:%s", fixture->folder, getenv("PATH")), 1);
}

void write_scenario(struct fixture *fixture, const char *keys)
{
    write_file(fixture, "t.conf",
               arena_text(&fixture->arena,
                          "# why\nclient = %s/client\nservers-program = %s/servers\n"
                          "servers = 3\ntimeout = 30\n%s\n%s\n",
                          fixture->folder, fixture->folder,
                          strstr(keys, "repeat") == NULL ? "repeat = 1" : "#", keys));
}

int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char program[4096];
    assert_non_null(fixture);
    /* Not in $TMPDIR, which other users may be unable to enter. */
    strcpy(fixture->folder, "/tmp/fanin-sweep-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_true(find_upwards(program, sizeof program, "fanin-sweep"));
    fixture->sweep = arena_copy(&fixture->arena, program, strlen(program));
    fixture->out = path_of(fixture, "out");
    write_file(fixture, "client", client_script);
    write_file(fixture, "servers", servers_script);
    fixture->test = *state;
    *state = fixture;
    return 0;
}

void run_in_fixture(void **state)
{
    struct fixture *fixture = *state;
    fixture->test(fixture);
}

static void remove_all(struct fixture *fixture, const char *path)
{
    assert_int_equal(system(arena_text(&fixture->arena, "rm -rf '%s'", path)), 0);
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;
    os_process_stop(&fixture->process, 0);
    remove_all(fixture, fixture->folder);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

/* ---- running the sweep ---- */

void start(struct fixture *fixture, const char *const *words)
{
    const char *out = path_of(fixture, "stdout"), *err = path_of(fixture, "stderr");
    remove(out);
    remove(err);
    assert_int_equal(os_process_start(&fixture->process, (char *const *)words, out, err), 0);
}

int finish(struct fixture *fixture)
{
    int exit_code = -1;
    if (os_process_wait(&fixture->process, PATIENCE_NS, &exit_code) == 0)
        fail_msg("the sweep does not end");
    return exit_code;
}

void start_sweep(struct fixture *fixture, const char *more)
{
    const char *const words[] = {fixture->sweep, path_of(fixture, "t.conf"),
                                 arena_text(&fixture->arena, "--out=%s", fixture->out), more, NULL};
    start(fixture, words);
}

int sweep(struct fixture *fixture, const char *more)
{
    start_sweep(fixture, more);
    return finish(fixture);
}

void run_scenario(struct fixture *fixture, const char *keys, const char *more, int exit_code)
{
    write_scenario(fixture, keys);
    remove_all(fixture, path_of(fixture, "out"));
    assert_int_equal(sweep(fixture, more), exit_code);
}

int interrupt(struct fixture *fixture, int signal)
{
    assert_int_equal(kill((pid_t)fixture->process.handle, signal), 0);
    return finish(fixture);
}

void start_resume(struct fixture *fixture, const char *more, const char *and_more)
{
    const char *const words[] = {fixture->sweep,
                                 arena_text(&fixture->arena, "--resume=%s", fixture->out), more,
                                 and_more, NULL};
    start(fixture, words);
}

int resume(struct fixture *fixture, const char *more, const char *and_more)
{
    start_resume(fixture, more, and_more);
    return finish(fixture);
}

void assert_contains(const char *said, const char *text)
{
    if (strstr(said, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, said);
}

void assert_said(struct fixture *fixture, const char *text)
{
    assert_contains(read_file(fixture, "stderr"), text);
}

void assert_printed(struct fixture *fixture, const char *text)
{
    assert_contains(read_file(fixture, "stdout"), text);
}

void assert_cases(struct fixture *fixture, const struct sweep_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        run_scenario(fixture, cases[i].keys, cases[i].more, cases[i].exit_code);
        const char *said = arena_text(&fixture->arena, "%s%s", read_file(fixture, "stdout"),
                                      read_file(fixture, "stderr"));
        assert_contains(said, cases[i].said);
        if (cases[i].exit_code != EXIT_WRONG_USE)
            continue;
        assert_int_equal(rows_of(fixture).count, 0);
        if (!exists(fixture, "out"))
            assert_int_equal(strlen(strchr(said, '\n')), 1);
    }
}

/* ---- rows ---- */

struct rows rows_of(struct fixture *fixture)
{
    struct error error;
    struct rows rows;
    if (rows_read(&fixture->arena, path_of(fixture, "out"), &rows, &error) != 0)
        fail_msg("%s", error.text);
    assert_false(rows.torn);
    return rows;
}

const char *text_of(struct fixture *fixture, const char *line, const char *key)
{
    const char *text = json_find_text(&fixture->arena, line, key);
    if (text == NULL)
        fail_msg("no text %s in %s", key, line);
    return text;
}

void assert_text(struct fixture *fixture, const char *line, const char *key, const char *text)
{
    assert_string_equal(text_of(fixture, line, key), text);
}

double number_of(const char *line, const char *key)
{
    double number = 0;
    if (!json_find_number(line, key, &number))
        fail_msg("no number %s in %s", key, line);
    return number;
}

void assert_rows(struct fixture *fixture, unsigned count)
{
    struct rows rows = rows_of(fixture);
    assert_int_equal(rows.count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal((unsigned)number_of(rows.lines[i], "order"), i + 1);
}

const char *row_of(struct fixture *fixture, const char *cell)
{
    struct rows rows = rows_of(fixture);
    for (unsigned i = 0; i < rows.count; i++) {
        if (strcmp(text_of(fixture, rows.lines[i], "cell"), cell) == 0)
            return rows.lines[i];
    }
    fail_msg("no row of cell %s", cell);
    return NULL;
}

/* A process that has ended but was not reaped by whoever inherited it counts as ended. */
static bool is_alive(struct fixture *fixture, long pid)
{
    size_t bytes;
    const char *path = arena_text(&fixture->arena, "/proc/%ld/stat", pid);
    const char *text = arena_file(&fixture->arena, path, FILE_BYTES_MAX, &bytes);
    const char *state = text == NULL ? NULL : strrchr(text, ')');
    return state != NULL && state[1] == ' ' && state[2] != 'Z' && state[2] != 'X';
}

unsigned count_pids(struct fixture *fixture, bool alive)
{
    const char *text = read_file(fixture, "pids");
    unsigned count = 0;
    char *end;
    for (long pid = strtol(text, &end, 10); end != text; pid = strtol(text, &end, 10)) {
        count += !alive || is_alive(fixture, pid);
        text = end;
    }
    return count;
}

/* ---- waiting ---- */

void wait_a_little(struct fixture *fixture, uint64_t began_ns, const char *complaint,
                   const char *file)
{
    if (os_now_ns() - began_ns > PATIENCE_NS)
        fail_msg("%s: %s", complaint, read_file(fixture, file));
    os_sleep_ns(LOOK_AGAIN_NS);
}

static unsigned count_rows(struct fixture *fixture)
{
    unsigned rows = 0;
    for (const char *text = read_file(fixture, "out/rows.jsonl"); *text != '\0'; text++)
        rows += *text == '\n';
    return rows;
}

void await_rows(struct fixture *fixture, unsigned count)
{
    for (uint64_t began_ns = os_now_ns(); count_rows(fixture) < count;)
        wait_a_little(fixture, began_ns, "too few rows", "stderr");
}

void await_started(struct fixture *fixture, unsigned count)
{
    for (uint64_t began_ns = os_now_ns(); count_pids(fixture, false) < count;)
        wait_a_little(fixture, began_ns, "nothing starts", "stderr");
}

void assert_nothing_left(struct fixture *fixture)
{
    assert_true(count_pids(fixture, false) > 0);
    for (uint64_t began_ns = os_now_ns(); count_pids(fixture, true) != 0;)
        wait_a_little(fixture, began_ns, "left behind", "pids");
    assert_false(exists(fixture, "out/client.json"));
}

void interrupt_scenario(struct fixture *fixture, const char *keys, unsigned started, int signal)
{
    write_scenario(fixture, keys);
    start_sweep(fixture, NULL);
    await_started(fixture, started);
    assert_int_equal(interrupt(fixture, signal), EXIT_MEASURED_FAILURE);
}
