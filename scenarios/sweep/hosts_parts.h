/* What hosts_slots.c and hosts_linux.c share: the hosts as a launcher's children tell of them. */
#ifndef FANIN_SCENARIOS_HOSTS_PARTS_H
#define FANIN_SCENARIOS_HOSTS_PARTS_H

#include "scenarios/sweep/hosts.h"

enum { HOST_LINE_BYTES_MAX = 1024 };

struct child {
    struct os_process process;
    int input, output; /* -1: closed */
    char line[HOST_LINE_BYTES_MAX];
    size_t line_bytes;
    uint64_t closed_ns; /* when its output ended; 0: it has not */
    const char *log_path;
    const char *last_line; /* of its output that was none of ours; NULL: none */
};

struct slot {
    struct host host;
    uint64_t life_ns;    /* of its last sign of life */
    unsigned life_count; /* how many there were */
    size_t log_bytes[2]; /* of its child's log at the last sign of life, and at the one before */
};

/* The lock guards the slots and the arena. A text that stands in a slot once stays as it is. */
struct hosts {
    pthread_mutex_t lock;
    pthread_t thread;
    int wake[2]; /* closed at its writing end: the thread ends */
    struct arena arena;
    struct child *children;
    unsigned child_count;
    struct slot *slots;
    unsigned slot_count;
    uint64_t ready_ns;   /* when one said READY last; 0: none has */
    bool each;           /* child i is slot i's; else there is one child */
    bool numbers;        /* the slots have no names before READY */
    struct host *strays; /* READY under names that were not asked for */
    unsigned stray_count;
};

/* All of these are called under the lock. hosts_take_bytes: what a child wrote; hosts_take_line:
 * its last line, without an end. hosts_note_end: it ended, and its hosts have failed; EXIT_UNKNOWN:
 * it only closed its output. hosts_find_silent: hosts without a sign of life are lost, and those
 * have failed that the others left behind; returns when to look again, from now. hosts_forgive:
 * nobody listened for so long. */
void hosts_take_bytes(struct hosts *hosts, struct child *child, const char *bytes, size_t count);
void hosts_take_line(struct hosts *hosts, struct child *child);
void hosts_note_end(struct hosts *hosts, const struct child *child, int exit_code);
uint64_t hosts_find_silent(struct hosts *hosts, uint64_t now_ns);
void hosts_forgive(struct hosts *hosts, uint64_t late_ns);

#endif
