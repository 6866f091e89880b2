/* The schema of a row: every key, once. From this file come the fields of the row and their first
 * values, the code that writes them, the tables in results/README.md (make schema) and what
 * plot/row_check.py checks. No include guard: a file defines the macros it wants and includes it.
 *
 *   ROW_SWEEP(kind, key, unit, null, meaning)    fanin-sweep adds it
 *   ROW_OPTION(kind, key, unit, null, meaning)   an option as used; also the field of struct
 *                                                collector_options
 *   ROW_RESULT(kind, key, unit, null, meaning)   a client measured it
 *
 * kind     text, line (composed in the row), choice (text; the option is an index), status, bytes,
 *          flag, integer; count (from 0), from1; number (from 0), positive, time; tally (counts by
 *          name). base/row.h has their types in C, plot/schema.py their checks
 * null     what null means in a row with status ok; "": it is never null there
 * meaning  "": it shares the table's line with the key before it */

#ifndef ROW_SWEEP
#define ROW_SWEEP(kind, key, unit, null, meaning)
#endif
#ifndef ROW_OPTION
#define ROW_OPTION(kind, key, unit, null, meaning)
#endif
#ifndef ROW_RESULT
#define ROW_RESULT(kind, key, unit, null, meaning)
#endif

ROW_SWEEP(from1, schema, "", "", "version of this schema")
ROW_SWEEP(text, scenario, "", "", "the scenario file's name without `.conf`")
ROW_SWEEP(text, section, "", "",
          "the scenario's section (a grid of its own); \"\" without sections")
ROW_SWEEP(text, cell, "", "",
          "`key=value` of the axes, in the scenario's order, separated by blanks: names the cell "
          "within scenario and section")
ROW_SWEEP(text, label, "", "",
          "tells apart cells that are otherwise equal: the same cell under two labels is an A/A "
          "comparison. A search writes `search`, and `final` and `defaults` for the rows that "
          "judge its result")
ROW_SWEEP(text, machine, "", "",
          "the machine that the cell stands for (`paper`); \"\": this one as it is")
ROW_SWEEP(text, calibrated, "", "",
          "the keys that calibrations set, with their values: `cpu-share=5.87% rtt=9.91ms`; "
          "\"\": none")
ROW_SWEEP(text, calibration_reason, "", "",
          "why a key that a calibration was to set is missing, and the row ran without it; "
          "\"\": none is missing")
ROW_SWEEP(text, client, "", "", "the client program (`fanin-client`, `fanin-raw`, ...)")
ROW_SWEEP(from1, repeat, "", "",
          "block of the sweep: rows of one block ran near each other. With a budget, a cell that "
          "needed no further repeat has no row in later blocks")
ROW_SWEEP(from1, order, "", "", "position among all rows of the sweep, in the order they ran")
ROW_SWEEP(text, time_utc, "", "", "when the row's process started, ISO 8601")
ROW_SWEEP(
    number, sweep_overhead_ms, "ms", "",
    "time of the row spent outside the client process (on a link: with the `fanin-lan --join` "
    "that takes it there)")
ROW_SWEEP(text, fleet, "", "", "options of the row's fanin-servers; \"\" for defaults")
ROW_SWEEP(text, launcher, "", "",
          "what started the servers on other computers: a name of `scenarios/launchers.conf`; "
          "\"\": they are on the client's, and of `link` otherwise")
ROW_SWEEP(from1, hosts, "", "no launcher", "how many they are on; `hosts` in run.json has them")
ROW_SWEEP(text, host_lost, "", "",
          "the first of them that was lost during the row, which `failed`; \"\": none was")
ROW_SWEEP(count, fleet_rss_kb, "kB",
          "on a link or with `hosts`, where the sweep's child is another",
          "peak resident memory of the fleet's process so far")
ROW_SWEEP(text, link, "", "",
          "what the row really ran on: a name of `scenarios/links.conf`, or `loopback`")
ROW_SWEEP(text, link_asked, "", "",
          "what the scenario asked for; differs from `link` where that is unavailable")
ROW_SWEEP(text, link_options, "", "", "fanin-lan's options for it; \"\" for loopback")
ROW_SWEEP(text, link_reason, "", "it ran on the link asked for",
          "why loopback took the link's place. A cell that would equal another one on loopback is "
          "`skipped`")
ROW_SWEEP(positive, link_rate_bits_per_s, "bit/s", "unlimited, or loopback",
          "asked: rate of the wire towards the client")
ROW_SWEEP(number, link_rtt_ms, "ms", "loopback", "asked: round trip")
ROW_SWEEP(number, link_cpu_s, "s", "loopback, or the kernel carries the frames",
          "CPU time of fanin-lan, which carries the frames, over the client's life")
ROW_SWEEP(positive, cpu_share, "CPUs", "full speed",
          "share of one processor that the client really was held to (`cpu-share`): 0.06 is 6 %")
ROW_SWEEP(positive, cpu_share_asked, "CPUs", "full speed was asked for",
          "what the scenario asked for")
ROW_SWEEP(positive, cpu_period_ms, "ms", "full speed",
          "in each such time the client may use its share (`cpu-period`)")
ROW_SWEEP(text, cpu_share_by, "", "",
          "what holds it: `cgroup v2`, `cgroup v1` or `systemd scope`; \"\" at full speed")
ROW_SWEEP(text, cpu_share_reason, "", "",
          "why full speed took the share's place; \"\" otherwise. A cell that would equal another "
          "one at full speed is `skipped`")
ROW_SWEEP(integer, exit_code, "", "the sweep stopped the client, or could not start it",
          "of the client process")

ROW_RESULT(text, version, "", "", "version of the program")
ROW_RESULT(line, host, "", "", "host name; operating system and kernel release")
ROW_RESULT(line, os, "", "", "")
ROW_RESULT(status, status, "", "",
           "`ok`; `failed` (ran, and something measured failed); `skipped` (could not run here)")
ROW_RESULT(line, reason, "", "", "why not `ok`; \"\" otherwise")
ROW_RESULT(line, audit, "", "",
           "`pass`; `fail: ...`; `none: ...` where nothing could be audited (foreign servers)")
ROW_OPTION(text, engine, "", "", "the engine that ran, never `auto`; of a peer its library")
ROW_RESULT(text, gate, "", "",
           "what kept the concurrency limit: `user`, `os`, or `none` (raw and the peers)")
ROW_OPTION(text, scheme, "", "",
           "receive-buffer scheme; `raw` for the raw loop; of a peer `blocking`, `libuv`, "
           "`libevent`, with `-slices` behind it where it processes frames in pieces (`--scheme "
           "slices`)")
ROW_OPTION(choice, bind, "", "", "`early` or `late` binding of receive blocks")
ROW_OPTION(count, workers, "", "", "asked: threads that wait on the port; how many may run at once")
ROW_OPTION(count, concurrency, "", "", "")
ROW_OPTION(count, batch, "packets", "", "most that one wait returns")
ROW_RESULT(from1, servers, "", "", "servers to connect to")
ROW_RESULT(count, idle_servers, "", "",
           "of them: connected and never asked, with a receive waiting until the others are over "
           "(`--idle`)")
ROW_RESULT(line, target, "", "",
           "address and port of the first server, with its name if it was given by one: the one of "
           "its addresses that was connected, or its first one")
ROW_OPTION(choice, connect, "", "", "`async` or `sync`")
ROW_OPTION(count, connect_timeout_ms, "ms", "",
           "options: limits of a connect, of a login's answer, of a server's silence")
ROW_OPTION(count, login_timeout_ms, "ms", "", "")
ROW_OPTION(count, stall_timeout_ms, "ms", "", "")
ROW_OPTION(count, for_ms, "ms", "",
           "option: the collection ends in good order after this long (`--for`), if its frames do "
           "not end it before; 0: no limit")
ROW_OPTION(flag, reconnect, "", "", "lost connections are made again")
ROW_OPTION(count, reconnect_delay_ms_min, "ms", "", "options: the waits before a try")
ROW_OPTION(count, reconnect_delay_ms_max, "ms", "", "")
ROW_OPTION(count, reconnect_tries, "", "",
           "option: tries in a row without a new frame; 0: no limit")
ROW_OPTION(count, frames_per_server, "frames", "",
           "what each server was asked for; 0: until it closes, or `--for` ends the collection")
ROW_OPTION(count, size_min, "bytes", "", "what each server was asked for: size of a frame")
ROW_OPTION(count, size_max, "bytes", "", "")
ROW_OPTION(number, rate, "frames/s", "", "of all servers together; 0: unlimited")
ROW_OPTION(count, flood_frames, "frames", "",
           "of the first server, from a tape and without a rate, beside the others' rate "
           "(`--flood`; 0: it is as they are). Latencies are the other servers'")
ROW_OPTION(choice, source, "", "", "`tape` or `live`")
ROW_OPTION(choice, start, "", "",
           "`each`: a server sends once it is asked; `together`: all hold until the last one is "
           "asked, and then start at the same time")
ROW_OPTION(count, seed, "", "", "of frame lengths and payloads")
ROW_OPTION(choice, verify, "", "", "what was checked of each frame: `full`, `header` or `none`")
ROW_RESULT(text, login, "", "no login", "user name of the login")
ROW_RESULT(bytes, request, "", "none was made",
           "as sent, with C escapes resolved; of the first server, others differ in the seed")
ROW_RESULT(bytes, end_marker, "", "", "as used, with C escapes resolved")
ROW_OPTION(flag, close_ends_frame, "", "",
           "option: a foreign server's close ends its last frame, too, if that has no end marker")
ROW_OPTION(count, block_bytes, "bytes", "", "of one block")
ROW_OPTION(count, blocks_per_receive, "blocks", "", "option")
ROW_OPTION(count, pool_cap_bytes, "bytes", "no cap", "of all buffers of the scheme")
ROW_OPTION(count, pool_batch, "blocks", "", "allocated together when a pool is empty")
ROW_OPTION(count, processors, "", "",
           "option: threads that process, for `slices`; 0: the thread that received a piece also "
           "processes it. Other schemes have their own number")
ROW_OPTION(text, work, "", "",
           "option: what processing a frame costs the thread that does it, beside the suite's own "
           "checks: `none`, or such as `touch:5ns/byte+20us/record`")
ROW_OPTION(
    text, look, "", "",
    "option: when `chain`'s thread looks at the common buffer: `wake` (it is woken), or on a "
    "timer, taking `one` frame or `all`: `every:15.6ms:one`. Other schemes have `wake`")
ROW_OPTION(count, frame_bytes_max, "bytes", "", "a longer frame ends its connection")

ROW_RESULT(count, connected, "", "", "servers connected; not connected")
ROW_RESULT(count, connect_failed, "", "", "")
ROW_RESULT(
    tally, connect_errors, "", "",
    "of the latter, by error, e.g. `{\"refused\": 4}`; `interrupted`: not tried, or given up, "
    "because the run was")
ROW_RESULT(tally, addresses, "", "", "of the connected servers, by family: `ipv4`, `ipv6`")
ROW_RESULT(line, addresses_failed, "", "",
           "addresses that could not be connected, each with its error, the first ones by name and "
           "the others by their number; the next address of a name was tried then. Of a name "
           "without an address (`unresolved`) the resolver's words. \"\" if there are none")
ROW_RESULT(time, connect_ms, "ms", "",
           "from the first connect's start to the last one's success or failure")
ROW_RESULT(time, connect_posted_ms, "ms", "",
           "from the first connect's start until the last one was posted: the part of connect_ms "
           "in which the client still had connects to start (blocking ones: one after the other)")
ROW_RESULT(number, connect_cpu_s, "s", "", "CPU time of the client process over connect_ms")
ROW_RESULT(time, connect_us_min, "us", "no server connected", "single successful connects")
ROW_RESULT(time, connect_us_p50, "us", "no server connected", "")
ROW_RESULT(time, connect_us_p90, "us", "no server connected", "")
ROW_RESULT(time, connect_us_p99, "us", "no server connected", "")
ROW_RESULT(time, connect_us_max, "us", "no server connected", "")
ROW_RESULT(count, logged_in, "", "no login", "connected servers that accepted the login")
ROW_RESULT(tally, login_errors, "", "",
           "the other connected servers, by how the login ended: `refused`, `timeout` (no whole "
           "answer within login_timeout_ms), `closed`, `reset`, `garbage` (neither OK nor NO), "
           "`failed`, `interrupted`")
ROW_RESULT(count, reconnects, "", "",
           "lost connections, of whatever age, that were made again and asked")
ROW_RESULT(count, reconnect_attempts, "", "", "tries to do so")
ROW_RESULT(time, outage_ms_max, "ms", "no outage",
           "the longest outage: from the loss of a connection until its server was asked again, or "
           "the run ended")
ROW_RESULT(count, ended_by_time, "", "",
           "servers whose collection `--for` ended: they would have sent more. 0: the frames ended "
           "all of them, or an error did")
ROW_RESULT(count, discarded_bytes, "bytes", "",
           "part of bytes: received of frames that a lost connection cut, and received again from "
           "their start; received of frames that `--for` cut")
ROW_RESULT(
    count, surplus_bytes, "bytes", "unknown frames: they are in bytes",
    "received from servers that are not ours after the last frame asked for; not in bytes. Of "
    "our own servers surplus is an error")
ROW_RESULT(
    count, undelivered_bytes, "bytes", "unknown server_bytes",
    "server_bytes - bytes: handed to the servers' kernels and never received, such as what was "
    "on its way when `--for` ended the collection")
ROW_RESULT(count, frames_missed, "frames",
           "unknown frames, no number was asked for, or `--for` "
           "ended it",
           "asked for, also of servers never connected, and not processed")
ROW_RESULT(time, elapsed_ms, "ms", "no frame byte came",
           "from the first frame byte received to the last frame processed (paper A's Tables 2 "
           "and 3). A connection that failed counts up to its end, a stalled one up to its last "
           "data")
ROW_RESULT(
    number, paused_ms, "ms", "its quota stopped it for as long or longer (throttled_ms)",
    "this process did not run: stopped (SIGSTOP, Ctrl-Z), suspended with its machine, or for "
    "more than 250 ms without a processor. No time limit runs meanwhile. The servers go on, "
    "and elapsed_ms does but for a suspended machine: rates are too low by it, and latencies "
    "contain it")
ROW_RESULT(
    text, interrupted_by, "", "it was not interrupted",
    "what ended the run before its time: `SIGHUP`, `SIGINT`, `SIGTERM`, `SIGQUIT`, `SIGXCPU`, "
    "`SIGUSR1`, `SIGUSR2`; on Windows `Ctrl-C`, `Ctrl-Break`, `closing`, `log-off`, "
    "`shutdown`, or `stop` by its starter. Connections that it ended have the error "
    "`interrupted`")
ROW_RESULT(count, bytes, "bytes", "", "frame bytes received")
ROW_RESULT(count, frames, "frames", "raw and drain, which do not look for frames",
           "frames processed")
ROW_RESULT(positive, bytes_per_s, "bytes/s", "no frame byte came", "over elapsed_ms")
ROW_RESULT(number, frames_per_s, "frames/s", "unknown frames", "over elapsed_ms")
ROW_RESULT(
    time, latency_us_min, "us", "no live frame of ours came, or `latency_reason`",
    "from a frame's *scheduled* send to its processing; at most 1 % from the exact quantile, "
    "never below the minimum or above the maximum")
ROW_RESULT(time, latency_us_p50, "us", "no live frame of ours came, or `latency_reason`", "")
ROW_RESULT(time, latency_us_p90, "us", "no live frame of ours came, or `latency_reason`", "")
ROW_RESULT(time, latency_us_p99, "us", "no live frame of ours came, or `latency_reason`", "")
ROW_RESULT(time, latency_us_p999, "us", "no live frame of ours came, or `latency_reason`", "")
ROW_RESULT(time, latency_us_max, "us", "no live frame of ours came, or `latency_reason`", "")
ROW_RESULT(line, latency_reason, "", "",
           "why the clocks of client and fleet allow no latencies (see below); \"\" otherwise")
ROW_RESULT(count, negative_latencies, "frames", "source is not live, or servers are not ours",
           "that by the clocks came before they were sent; in no quantile")
ROW_RESULT(number, clock_offset_us_max, "us",
           "source is not live, or no clock of the fleet is known",
           "by how much latencies of the process whose clock is furthest off were corrected, ahead "
           "or behind; 0: that has this computer's clock")
ROW_RESULT(number, clock_error_us_max, "us",
           "source is not live, or the clock of a process is not known",
           "how far off corrected latencies may be, of the process where that is worst: half the "
           "least round trip of its questions, and what its clock moved during the run; 0: all "
           "have this computer's clock")
ROW_RESULT(flag, clock_limited, "", "",
           "clock_error_us_max is over 10 % of latency_us_p50, or not known, or latencies were "
           "negative within it: the clocks limit what latencies say")
ROW_RESULT(
    integer, clock_offset_ns_before, "ns", "source is not live, or the fleet cannot be asked",
    "the wall clock of the process that is furthest off, less the client's, asked before and "
    "after the run")
ROW_RESULT(integer, clock_offset_ns_after, "ns", "source is not live, or the fleet cannot be asked",
           "")
ROW_RESULT(count, clock_offset_ns_error, "ns", "source is not live, or the fleet cannot be asked",
           "how far off the two may be: half the round trip of the question, the longer one")
ROW_RESULT(count, clock_step_ns, "ns", "source is not live, or servers are not ours",
           "by which the client's wall clock jumped during the run, against its monotonic one; 0: "
           "it did not")
ROW_RESULT(from1, peak_rss_kb, "kB", "the system does not say",
           "of the client process: VmHWM, PeakWorkingSetSize on Windows")
ROW_RESULT(count, base_rss_kb, "kB", "the system does not say", "resident before the first connect")
ROW_RESULT(count, ready_rss_kb, "kB", "a peer",
           "resident when every server is connected, its stream attached and a receive posted, "
           "before any is asked: its growth with the number of servers is the cost of a connection")
ROW_RESULT(count, buffer_peak_bytes, "bytes", "a library keeps its buffers to itself (libevent)",
           "peak of all the scheme's buffers: blocks, rings, assembly, nodes, processing")
ROW_RESULT(count, committed_kb, "kB", "base_rss_kb or buffer_peak_bytes is unknown",
           "memory as the paper counts it, asked for but not always touched: base_rss_kb and "
           "buffer_peak_bytes together; on Windows PeakPagefileUsage")
ROW_RESULT(count, buffer_predicted_bytes, "bytes",
           "a peer; `chain` that looks on a timer, without a cap: any number of frames may wait",
           "by the scheme's own formula")
ROW_RESULT(count, buffer_cap_waits, "", "", "receives that had to wait at the cap")
ROW_RESULT(count, buffer_turn_waits, "", "",
           "receives that had to wait because their connection's own thread was behind (`fixed`, "
           "`ring`)")
ROW_RESULT(count, worker_threads, "", "the system does not say",
           "counted in the running process, by role")
ROW_RESULT(count, buffer_threads, "", "the system does not say", "")
ROW_RESULT(count, total_threads, "", "the system does not say", "")
ROW_RESULT(number, cpu_s, "s", "",
           "CPU time of the client process, from asking the servers until the last frame was "
           "processed")
ROW_RESULT(number, cpu_user_s, "s", "", "")
ROW_RESULT(number, cpu_system_s, "s", "", "")
ROW_RESULT(number, gb_per_cpu_s, "GB/s", "no CPU time or no frame byte", "bytes / 1e9 / cpu_s")
ROW_RESULT(number, cpu_share_used, "CPUs", "no CPU time or no frame byte",
           "CPU time over wall time, over the same time as cpu_s: 1.5 is one and a half processors")
ROW_RESULT(number, work_s, "s", "work is `none`",
           "CPU time that the work took, of all threads, each by its own clock, over the client's "
           "life; pieces that owe less than 20 us are read at a rate that was measured before. On "
           "Windows by the monotonic clock")
ROW_RESULT(count, switches_voluntary, "", "", "context switches over the same time")
ROW_RESULT(count, switches_involuntary, "", "", "")
ROW_RESULT(positive, cpu_quota, "CPUs", "no quota, or the system does not say",
           "processors' worth of time that the client's control group, or one above it, may use")
ROW_RESULT(count, throttled_periods, "", "no quota, or the system does not say",
           "periods in which such a group was stopped because its quota was used up, over the same "
           "time as cpu_s")
ROW_RESULT(number, throttled_ms, "ms", "no quota, or the system does not say",
           "how long they were stopped, added up over processors")
ROW_RESULT(number, copies_per_byte, "", "no bytes", "payload bytes copied in user space / bytes")
ROW_RESULT(number, scanned_per_byte, "", "no bytes", "bytes searched for the end marker / bytes")
ROW_RESULT(count, receive_calls, "", "", "receives completed")
ROW_RESULT(count, receive_empty, "", "", "of them: without data (no block, or nothing there)")
ROW_RESULT(number, receives_per_frame, "", "unknown frames", "receive_calls / frames")
ROW_RESULT(count, hand_overs, "", "no threads to hand over to, or the scheme uses another way",
           "publications of received data to processing threads, one atomic exchange each "
           "(`slices` with processors)")
ROW_RESULT(
    count, looks, "", "the scheme has no common buffer (all but `chain`)",
    "looks of `chain`'s thread at the common buffer, also those that found nothing, over the "
    "client's life")
ROW_RESULT(count, pool_blocks, "blocks", "", "allocated")
ROW_RESULT(count, blocks_lost, "blocks", "", "never given back: 0, or the row failed")
ROW_RESULT(count, connections_failed, "", "", "connected, then ended by an error")
ROW_RESULT(
    tally, errors, "", "",
    "of them, by error (`reset`, `truncated`, `bad-check`, `stalled`, `request-refused`, ...)")
ROW_RESULT(line, refusal, "", "",
           "the first server that refused a login or a request, and what it said; \"\" if none did")
ROW_RESULT(count, processes, "", "the fleet cannot be asked",
           "of servers that said what they sent: a range of the list is one, others are told apart "
           "by what they answer")
ROW_RESULT(time, start_spread_us, "us",
           "the fleet cannot be asked, or a clock of several is not known",
           "from the first server's begin to the last one's, by the clocks of their processes "
           "(corrected, where there are several)")
ROW_RESULT(tally, host_us, "us", "",
           "by address of a process: from the first frame byte to the last of its servers' frames; "
           "of several processes only. The slowest ones, where there are more than fit: then "
           "`others` is the slowest of the rest")
ROW_RESULT(count, server_bytes, "bytes", "the fleet cannot be asked",
           "what the fleet says it sent in this run")
ROW_RESULT(count, server_frames, "frames", "the fleet cannot be asked", "the same in frames")
ROW_RESULT(number, server_cpu_s, "s", "the fleet cannot be asked",
           "CPU time of the fleet's processes while they were sending the run's frames")
ROW_RESULT(
    text, bottleneck, "", "",
    "`link`, `cpu-quota`, `client`, `servers`, `offered-load` or `unclear` (see below); \"\" if "
    "nothing ran")

#undef ROW_SWEEP
#undef ROW_OPTION
#undef ROW_RESULT
