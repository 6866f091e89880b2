/* The schema of a row of screens: of fanin-monitor, of what it is compared with, and of the eye
 * that looked at their windows. In the same form as base/row_keys.h, whose ROW_SWEEP keys stand
 * before them in rows.jsonl; only rows of screens have the key `screens`.
 *
 *   ROW_OPTION   an option as used; also the field of struct monitor_options
 *   ROW_RESULT   the viewer measured it
 *   ROW_EYE      fanin-eye measured it, from outside; null where no eye looked */

#ifndef ROW_OPTION
#define ROW_OPTION(kind, key, unit, null, meaning)
#endif
#ifndef ROW_RESULT
#define ROW_RESULT(kind, key, unit, null, meaning)
#endif
#ifndef ROW_EYE
#define ROW_EYE(kind, key, unit, null, meaning)
#endif

ROW_RESULT(text, version, "", "", "version of the program")
ROW_RESULT(line, host, "", "", "host name; operating system and kernel release")
ROW_RESULT(line, os, "", "", "")
ROW_RESULT(status, status, "", "",
           "`ok`; `failed` (ran, and something measured failed); `skipped` (could not run here)")
ROW_RESULT(line, reason, "", "", "why not `ok`; \"\" otherwise")
ROW_RESULT(
    line, audit, "", "",
    "`pass`: each picture equals its screen's, pixel for pixel, when the scenes stop, and all "
    "events sent were seen; `fail: ...`; `none: ...` where screens are not ours")
ROW_OPTION(choice, viewer, "", "",
           "what showed the screens: `monitor`, or what it is compared with (`--viewer` of "
           "fanin-eye)")
ROW_OPTION(text, engine, "", "", "the port's engine, never `auto`; \"\" of other viewers")
ROW_RESULT(text, gate, "", "", "what kept the concurrency limit: `user`, `os`, or `none`")
ROW_OPTION(count, workers, "", "", "asked: threads that wait on the port; how many may run at once")
ROW_OPTION(count, concurrency, "", "", "")
ROW_OPTION(from1, screens, "", "", "asked")
ROW_OPTION(choice, topology, "", "",
           "`accept`: the screens connect to the viewer; `connect`: the viewer to them")
ROW_OPTION(choice, accepts, "", "",
           "who accepts: `thread` (one outside of the port, as the paper has it) or `port`")
ROW_OPTION(choice, view, "", "", "`windows`, `grid` or `none`")
ROW_OPTION(flag, control, "", "", "keys and pointer go back to the screens")
ROW_OPTION(text, encodings, "", "", "asked for, in order of preference")
ROW_OPTION(count, quality, "", "", "of JPEG, 0 to 9; 10: lossless")
ROW_OPTION(count, ahead, "", "", "largest number of update requests in flight for each screen")
ROW_OPTION(number, rate, "updates/s", "", "limit of requests to each visible screen; 0: no limit")
ROW_OPTION(count, budget, "bit/s", "", "of all screens together; 0: no limit")
ROW_OPTION(choice, security, "", "", "`none`, `password` or `tls`")
ROW_OPTION(count, for_ms, "ms", "", "option: how long the screens were watched")
ROW_RESULT(count, screens_connected, "", "", "screens that finished their handshake")
ROW_RESULT(time, accept_ms, "ms", "no screen connected",
           "from the first connection to the end of the last screen's handshake")
ROW_RESULT(time, pictures_ms, "ms", "a screen had no picture",
           "from the first connection until every screen's first picture was decoded")
ROW_RESULT(tally, screens_lost, "", "", "connections that ended before the run did, by cause")
ROW_RESULT(count, screens_returned, "", "", "screens that connected again after such an end")
ROW_RESULT(time, elapsed_ms, "ms", "nothing ran", "while the screens were watched")
ROW_RESULT(count, updates, "", "a foreign viewer", "complete updates")
ROW_RESULT(number, updates_per_s, "updates/s", "a foreign viewer", "")
ROW_RESULT(count, rectangles, "", "a foreign viewer", "")
ROW_RESULT(count, bytes, "bytes", "a foreign viewer", "received from the screens")
ROW_RESULT(number, mbit_per_s, "Mbit/s", "a foreign viewer", "received over elapsed_ms")
ROW_RESULT(number, bits_per_pixel, "bit", "a foreign viewer, or no pixel came",
           "received for each painted pixel")
ROW_RESULT(count, stamps, "", "a foreign viewer", "changes of the scenes that were decoded")
ROW_RESULT(
    time, decoded_ms_p50, "ms", "no stamp was decoded",
    "from the moment that a change was scheduled until it was decoded, all screens; no window "
    "is in it")
ROW_RESULT(time, decoded_ms_p95, "ms", "no stamp was decoded", "")
ROW_RESULT(time, decoded_ms_p99, "ms", "no stamp was decoded", "")
ROW_RESULT(time, decoded_ms_max, "ms", "no stamp was decoded", "")
ROW_RESULT(time, decoded_worst_p95_ms, "ms", "no stamp was decoded", "of the worst screen")
ROW_RESULT(count, events_sent, "", "a foreign viewer", "keys and pointer, to all screens")
ROW_RESULT(count, events_seen, "", "screens that are not ours", "as the screens say")
ROW_RESULT(number, cpu_s, "s", "not all screens were seen, or a process had ended",
           "CPU time of the viewer's process or processes over elapsed_ms")
ROW_RESULT(number, cpu_us_per_update, "us", "a foreign viewer, or no update", "cpu_s over updates")
ROW_RESULT(from1, peak_rss_kb, "kB", "the system does not say",
           "peak resident memory of the viewer's process or processes")
ROW_RESULT(count, switches_voluntary, "", "a foreign viewer", "context switches over elapsed_ms")
ROW_RESULT(count, switches_involuntary, "", "a foreign viewer", "")
ROW_RESULT(count, worker_threads, "", "a foreign viewer",
           "threads that receive, counted in the running process when all screens were "
           "connected")
ROW_RESULT(count, total_threads, "", "the system does not say",
           "all threads of the process, counted at the same time")
ROW_RESULT(number, paused_ms, "ms", "", "how long the process was stopped or suspended")
ROW_RESULT(text, interrupted_by, "", "it was not interrupted", "what ended the run before its time")

ROW_EYE(count, eye_screens, "", "no eye looked", "windows in which the eye read a stamp")
ROW_EYE(count, eye_stamps, "", "no eye looked", "changes of the scenes that it saw in them")
ROW_EYE(time, screen_ms_p50, "ms", "no eye looked, or it saw no stamp",
        "from the moment that a change was scheduled until the eye saw it in the viewer's window")
ROW_EYE(time, screen_ms_p95, "ms", "no eye looked, or it saw no stamp", "")
ROW_EYE(time, screen_ms_p99, "ms", "no eye looked, or it saw no stamp", "")
ROW_EYE(time, screen_ms_max, "ms", "no eye looked, or it saw no stamp", "")
ROW_EYE(time, worst_screen_p95_ms, "ms", "no eye looked, or it saw no stamp",
        "screen_ms_p95 of the worst screen")
ROW_EYE(time, eye_floor_ms_p50, "ms", "no eye looked",
        "what the eye itself takes: a window that is painted on the same X server, before the run")
ROW_EYE(time, eye_floor_ms_p95, "ms", "no eye looked", "")
ROW_EYE(count, keys_sent, "", "no eye looked", "keys that the eye pressed in the windows")
ROW_EYE(count, keys_seen, "", "no eye looked", "keys whose effect the eye saw there")
ROW_EYE(time, input_ms_p50, "ms", "it pressed none, or saw none",
        "from pressing a key in the window to its effect there")
ROW_EYE(time, input_ms_p95, "ms", "it pressed none, or saw none", "")

#undef ROW_OPTION
#undef ROW_RESULT
#undef ROW_EYE
