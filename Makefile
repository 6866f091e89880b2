# fanin: make | make test | make reproduce | make bench | make tidy | make clean     (make help lists them all)
#
#   OS=windows                 Windows programs, made by mingw-w64 (make windows installs it first)
#   SANITIZER=address|thread   a flavour of its own under build/ (address brings UBSan along)
#   FUZZ_RUNS=10000000         for `make fuzz`: inputs for each target
#   CC=clang                   another compiler, another flavour
#   HOSTILE=10000              for `make hostile`: connections to each example
#   STRESS_SECONDS=120 SEED=   for `make stress`: seconds per engine; the seed to repeat
#   V=1                        shows the commands
#   DEPS=no                    installs no packages
#   PREFIX=/usr/local DESTDIR= for `make install` and `make uninstall`

SANITIZER ?=
V         ?= 0
STRESS_SECONDS ?= 120
HOSTILE   ?= 10000
FUZZ_RUNS ?= 10000000
# On Windows itself OS is Windows_NT, and MSYS2's compiler is plain gcc.
SYSTEM    := $(if $(filter windows Windows_NT,$(OS)),windows,linux)
CC.windows := $(if $(filter windows,$(OS)),x86_64-w64-mingw32-gcc-posix,gcc)
CC.linux  := gcc
CC        := $(if $(filter default,$(origin CC)),$(CC.$(SYSTEM)),$(CC))
FLAVOUR   := $(if $(filter windows,$(SYSTEM)),windows,$(notdir $(CC))$(if $(SANITIZER),-$(SANITIZER)))
BUILD     := build/$(FLAVOUR)
Q         := $(if $(filter 1,$(V)),,@)
SAY        = $(if $(filter 1,$(V)),@:,@printf '  %-5s %s\n')

SANITIZE.address := -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZE.thread  := -fsanitize=thread
SANITIZE.fuzzer  := -fsanitize=fuzzer-no-link $(SANITIZE.address)
SANITIZE := $(SANITIZE.$(SANITIZER))

VERSION  := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
CFLAGS   ?= $(if $(SANITIZER),-O1,-O2) -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
             -Wvla -fno-strict-aliasing -fno-omit-frame-pointer -pthread -I. -Icport/include $(SANITIZE) $(CFLAGS)
ALL_LDFLAGS = -pthread $(SANITIZE) $(LDFLAGS)
ALL_CXXFLAGS = $(filter-out -std=% -Wstrict-prototypes -Wmissing-prototypes,$(ALL_CFLAGS)) -std=c++17

# Windows 10 or later. base/windows/ has POSIX's socket header names, include/ a copy of xxhash.h.
CFLAGS.windows  := -D_WIN32_WINNT=0x0A00 -DWIN32_LEAN_AND_MEAN -Ibase/windows -I$(BUILD)/include
LDFLAGS.windows := -static
LDLIBS.windows  := -lws2_32 -lmswsock -lsynchronization -lntdll
EXE.windows     := .exe
LDLIBS.linux     = $(if $(HAS_LIBURING),-luring) -lm
ALL_CFLAGS  += $(CFLAGS.$(SYSTEM))
ALL_LDFLAGS += $(LDFLAGS.$(SYSTEM))
LDLIBS      += $(LDLIBS.$(SYSTEM))
EXE         := $(EXE.$(SYSTEM))

header_of = $(if $(filter linux,$(SYSTEM)),$(wildcard $(addsuffix /$(1),/usr/include /usr/local/include)))

# Every .c file of a room is built; only the operating system is chosen here.
ROOMS    := base cport client/buffers client/collector client/peers mock_servers scenarios/sweep
NOT_HERE.linux   := %_windows.c
NOT_HERE.windows := %_linux.c
# fanin-lan needs Linux namespaces, the examples POSIX signals.
ROOMS    += $(if $(filter linux,$(SYSTEM)),mock_servers/lan examples)
# Screens (paper B) need these libraries; without one of them absent.c takes their programs' places. The eye looks at X11's windows.
SCREEN_HEADERS := zlib.h turbojpeg.h xcb/shm.h xcb/damage.h xcb/xtest.h gnutls/gnutls.h nettle/des.h
HAS_SCREENS.linux   = $(if $(filter $(words $(SCREEN_HEADERS)),$(words $(foreach header,$(SCREEN_HEADERS),$(firstword $(call header_of,$(header)))))),yes)
HAS_SCREENS.windows = $(wildcard /usr/x86_64-w64-mingw32/include/zlib.h)
HAS_SCREENS := $(HAS_SCREENS.$(SYSTEM))
SCREEN_ROOMS := base/rfb client/monitor client/monitor/rfb client/monitor/glass mock_servers/screens mock_servers/screens/encode mock_servers/screens/capture $(if $(filter linux,$(SYSTEM)),client/eye)
ROOMS    += $(if $(HAS_SCREENS),$(SCREEN_ROOMS))
SCREEN_LIBS.linux   := -lturbojpeg -lz -lxcb -lxcb-shm -lxcb-damage -lxcb-xtest -lgnutls -lnettle
SCREEN_LIBS.windows := -lz -lbcrypt -lgdi32 -lole32 -lwindowscodecs -luuid
# Win32's names over the port are a library of their own, for Linux. The programs in cport/win32/samples are for both systems.
ROOMS    += $(if $(filter linux,$(SYSTEM)),cport/win32)
SAMPLE_MAINS := $(wildcard cport/win32/samples/*.c)
SAMPLES  := $(SAMPLE_MAINS:%.c=$(BUILD)/%$(EXE))
PEERS    := raw peer-blocking peer-libuv peer-libevent
EXAMPLES.linux := $(wildcard examples/*.c)
MAINS    := $(EXAMPLES.linux) client/main.c client/monitor/main.c client/eye/main.c $(addprefix client/peers/,main.c raw.c blocking.c libuv.c libevent.c vncclient.c absent.c) mock_servers/main.c mock_servers/screens/main.c mock_servers/lan/main.c scenarios/sweep/main.c $(SAMPLE_MAINS)

# Libraries that are used where they are. Without liburing there is no engine `uring`; of a missing peer's library absent.c
# takes the place, and its rows are skipped.
HAS_LIBURING := $(call header_of,liburing.h)
HAS_LIBUV    := $(call header_of,uv.h)
HAS_LIBEVENT := $(call header_of,event2/bufferevent.h)
HAS_VNCCLIENT := $(and $(HAS_SCREENS),$(call header_of,rfb/rfbclient.h))
HAS_ASIO     := $(and $(call header_of,asio.hpp),$(shell command -v $(CXX)))

# The completion port's engines, in order of preference: ENGINE is cport/engine_ENGINE_SYSTEM.c.
ENGINES.linux   := epoll $(if $(HAS_LIBURING),uring)
ENGINES.windows := iocp
ENGINES         := $(ENGINES.$(SYSTEM))
NO_ENGINE       := $(filter-out $(ENGINES:%=cport/engine_%_$(SYSTEM).c),$(wildcard cport/engine_*_$(SYSTEM).c))

SOURCES  := $(filter-out $(NOT_HERE.$(SYSTEM)) $(NO_ENGINE) $(MAINS) cport/win32/%,$(wildcard $(ROOMS:=/*.c)))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY  := $(BUILD)/libfanin.a

$(BUILD)/fanin-peer-libuv$(EXE):    LDLIBS += $(if $(HAS_LIBUV),-luv)
$(BUILD)/fanin-peer-libevent$(EXE): LDLIBS += $(if $(HAS_LIBEVENT),-levent_core)

SCREEN_PROGRAMS.linux   := monitor screens eye peer-vncclient
SCREEN_PROGRAMS.windows := $(if $(HAS_SCREENS),monitor screens)
SCREEN_PROGRAMS := $(SCREEN_PROGRAMS.$(SYSTEM))
PROGRAMS := $(patsubst %,$(BUILD)/fanin-%$(EXE),client $(PEERS) servers sweep $(if $(filter linux,$(SYSTEM)),lan) $(SCREEN_PROGRAMS))
EXAMPLES := $(EXAMPLES.$(SYSTEM):%.c=$(BUILD)/%)
# cmocka is not packaged for Windows; the conformance suite does without it.
TESTED.linux   := $(filter-out $(if $(HAS_LIBURING),,%/test_uring.c),$(wildcard $(ROOMS:=/tests/test_*.c)))
TESTED.windows := cport/tests/test_conformance.c
CMOCKA.linux   := -lcmocka
# Files of tests/ folders that are not test programs are shared by all tests.
SHARED.linux   := $(wildcard $(ROOMS:=/tests/*.c) $(ROOMS:=/tests/*/*.c))
SHARED.windows := $(wildcard cport/tests/conformance/*.c cport/tests/stress/*.c)
# Servers on libraries that bench_echo compares the port with.
ECHO_PEERS := cport/tests/echo/libuv.c cport/tests/echo/asio.cc
SHARED   := $(filter-out $(NOT_HERE.$(SYSTEM)) cport/tests/port_stress.c $(ECHO_PEERS) $(foreach kind,test bench fuzz,$(wildcard $(ROOMS:=/tests/$(kind)_*.c))),$(SHARED.$(SYSTEM)))
TEST_LIBRARY := $(BUILD)/libtests.a
TESTS    := $(patsubst %.c,$(BUILD)/%$(EXE),$(TESTED.$(SYSTEM)))
BENCHES  := $(patsubst %.c,$(BUILD)/%$(EXE),$(wildcard $(ROOMS:=/tests/bench_*.c)))
STRESS   := $(BUILD)/cport/tests/port_stress$(EXE)
# libFuzzer is clang's: CC=clang SANITIZER=fuzzer.
FUZZERS  := $(if $(filter fuzzer,$(SANITIZER)),$(patsubst %.c,$(BUILD)/%,$(wildcard $(ROOMS:=/tests/fuzz_*.c))))

.PHONY: all tests benches fuzzers test fuzz windows hostile stress reproduce bench scale100k profile reference tidy schema format clean deps help
.DEFAULT_GOAL := all

all: $(PROGRAMS) $(EXAMPLES)
tests: all $(TESTS) $(SAMPLES)
benches: all $(BENCHES)
fuzzers: $(FUZZERS)

$(BUILD)/fanin-client$(EXE):  $(BUILD)/client/main.o
peer_objects = $(addprefix $(BUILD)/client/peers/,$(1).o main.o)
absent_peer := $(BUILD)/client/peers/absent.o
$(BUILD)/fanin-raw$(EXE):           $(call peer_objects,raw)
$(BUILD)/fanin-peer-blocking$(EXE): $(call peer_objects,blocking)
$(BUILD)/fanin-peer-libuv$(EXE):    $(if $(HAS_LIBUV),$(call peer_objects,libuv),$(absent_peer))
$(BUILD)/fanin-peer-libevent$(EXE): $(if $(HAS_LIBEVENT),$(call peer_objects,libevent),$(absent_peer))
$(BUILD)/fanin-servers$(EXE): $(BUILD)/mock_servers/main.o
$(BUILD)/fanin-lan$(EXE):     $(BUILD)/mock_servers/lan/main.o
$(BUILD)/fanin-sweep$(EXE):   $(BUILD)/scenarios/sweep/main.o
screen_program = $(if $(HAS_SCREENS),$(BUILD)/$(1)/main.o,$(absent_peer))
$(BUILD)/fanin-monitor$(EXE): $(call screen_program,client/monitor)
$(BUILD)/fanin-eye$(EXE):     $(call screen_program,client/eye)
$(BUILD)/fanin-screens$(EXE): $(call screen_program,mock_servers/screens)
$(BUILD)/fanin-peer-vncclient$(EXE): $(if $(HAS_VNCCLIENT),$(BUILD)/client/peers/vncclient.o,$(absent_peer))
$(BUILD)/fanin-peer-vncclient$(EXE): LDLIBS += $(if $(HAS_VNCCLIENT),-lvncclient)
of_screens = $(filter $(SCREEN_ROOMS:%=$(BUILD)/%/tests/%),$(1))
$(SCREEN_PROGRAMS:%=$(BUILD)/fanin-%$(EXE)) $(call of_screens,$(TESTS) $(BENCHES) $(FUZZERS)): LDLIBS += $(if $(HAS_SCREENS),$(SCREEN_LIBS.$(SYSTEM)))
# Without libvncclient our decoders are measured alone. It has functions of libturbojpeg's names: that library's own go first.
$(filter %/bench_decode,$(BENCHES)): LDLIBS += $(if $(HAS_VNCCLIENT),-lvncclient)
# These tests run the programs.
$(call of_screens,$(TESTS)): | $(SCREEN_PROGRAMS:%=$(BUILD)/fanin-%$(EXE))

$(PROGRAMS) $(BENCHES) $(TESTS) $(STRESS) $(FUZZERS) $(SAMPLES): $(LIBRARY)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %/libtests.a,$^) $(filter %/libcport-win32.a,$^) $(LIBRARY) $(LDLIBS)

$(TESTS) $(BENCHES) $(STRESS): $(TEST_LIBRARY)
# Samples include <winsock2.h>, as on Windows.
$(SAMPLE_MAINS:%.c=$(BUILD)/%.o): ALL_CFLAGS += $(if $(filter linux,$(SYSTEM)),-Icport/include/cport/win32)
$(filter $(BUILD)/cport/win32/%,$(TESTS)) $(if $(filter linux,$(SYSTEM)),$(SAMPLES)): $(BUILD)/libcport-win32.a
# A test that runs them.
$(filter %/test_samples,$(TESTS)): | $(SAMPLES)
$(TESTS): LDLIBS := $(CMOCKA.$(SYSTEM)) $(LDLIBS)

$(EXAMPLES) $(TESTS) $(BENCHES) $(STRESS) $(FUZZERS) $(SAMPLES): %$(EXE): %.o

# As from an installation: the examples have the port's own library alone.
$(EXAMPLES): $(BUILD)/libcport.a
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $@.o $(BUILD)/libcport.a $(LDLIBS)

# These tests run the examples.
$(filter $(BUILD)/examples/%,$(TESTS)): | $(EXAMPLES)

$(FUZZERS): ALL_LDFLAGS += -fsanitize=fuzzer

# Without a library its server is not linked, and its lines are skipped.
%/bench_echo: LDLIBS += $(if $(HAS_LIBUV),-luv) $(if $(HAS_ASIO),-lstdc++)
$(BUILD)/cport/tests/bench_echo: $(if $(HAS_LIBUV),$(BUILD)/cport/tests/echo/libuv.o) $(if $(HAS_ASIO),$(BUILD)/cport/tests/echo/asio.o)

# These tests make each allocation fail in turn.
%_memory: ALL_LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# A test that counts how often a scheme goes beyond its thread.
%/test_block_cache: ALL_LDFLAGS += -Wl,--wrap=pool_take,--wrap=pool_give,--wrap=block_cache_take,--wrap=mpsc_stack_push,--wrap=os_unpark

# A bench that counts how often the port's locks are taken.
%/bench_locks: ALL_LDFLAGS += -Wl,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock

# A test that schedules the port's threads itself.
%/test_port_schedules: ALL_LDFLAGS += -Wl,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock,--wrap=os_now_ns,--wrap=os_park,--wrap=os_unpark,--wrap=worker_join,--wrap=worker_current

# This test makes accepts fail.
%/test_port_connect: ALL_LDFLAGS += -Wl,--wrap=accept4

# This test sets the wall clock, after clocks were compared.
%/test_clocks: ALL_LDFLAGS += -Wl,--wrap=os_wall_ns,--wrap=clock_offset_ask

# This test makes liburing calls fail.
%/test_uring: ALL_LDFLAGS += -Wl,--wrap=io_uring_queue_init,--wrap=io_uring_get_probe_ring,--wrap=io_uring_submit

$(LIBRARY): $(OBJECTS)
$(TEST_LIBRARY): $(SHARED:%.c=$(BUILD)/%.o)
$(LIBRARY) $(TEST_LIBRARY):
	$(SAY) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/%.o: %.c
	$(SAY) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc
	$(SAY) CXX $<
	@mkdir -p $(@D)
	$(Q)$(CXX) $(ALL_CXXFLAGS) -MMD -MP -c -o $@ $<

# What is given to a file by the command line: it is compiled again when that changes.
# stamp(NAME,TEXT): the file $(BUILD)/NAME, new when TEXT is.
stamp = $(shell mkdir -p $(BUILD) && { echo '$(2)' | cmp -s - $(BUILD)/$(1) || echo '$(2)' >$(BUILD)/$(1); })

# Every row names the commit.
NAMED := $(BUILD)/client/collector/row.o $(BUILD)/client/monitor/row.o $(BUILD)/scenarios/sweep/record.o $(BUILD)/mock_servers/hosted_linux.o
$(NAMED): ALL_CFLAGS += -DFANIN_COMMIT='"$(VERSION)"'
$(NAMED): $(BUILD)/commit
$(call stamp,commit,$(VERSION))

LISTED := $(BUILD)/cport/engines.o $(BUILD)/pic/cport/engines.o
$(LISTED): ALL_CFLAGS += -DENGINES='$(patsubst %,X(%),$(ENGINES))'
$(LISTED) $(LIBRARY): $(BUILD)/engines
$(call stamp,engines,$(ENGINES))

# The cross compiler must not see /usr/include; this is the only header that it needs from there.
ifeq ($(OS),windows)
$(BUILD)/include/xxhash.h: /usr/include/xxhash.h
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(OBJECTS) $(SHARED:%.c=$(BUILD)/%.o): | $(BUILD)/include/xxhash.h
endif

-include $(OBJECTS:.o=.d) $(patsubst %.c,$(BUILD)/%.d,$(MAINS) $(SHARED)) $(patsubst %$(EXE),%.d,$(EXAMPLES) $(TESTS) $(BENCHES) $(STRESS) $(FUZZERS)) $(patsubst %,$(BUILD)/%.d,$(basename $(ECHO_PEERS)))

ifeq ($(SYSTEM),linux)
include cport/library.mk
endif

deps-%:
	@.ci/deps $*

test: ; @.ci/deps build test report && .ci/tests
windows: ; @.ci/deps windows && $(MAKE) --no-print-directory OS=windows tests
hostile: ; @.ci/deps build test && .ci/hostile $(HOSTILE)
stress: $(STRESS) ; @$(STRESS) --seconds=$(STRESS_SECONDS) $(if $(SEED),--seed=$(SEED))
fuzz: ; @.ci/deps build test && .ci/fuzz $(FUZZ_RUNS)
reproduce: ; @.ci/deps build report && scenarios/reproduce
bench: ; @.ci/deps build bench && scenarios/bench
scale100k:
	@.ci/deps build guest
	@$(MAKE) --no-print-directory CC=gcc SANITIZER=
	@scenarios/guest scenarios/scale100k.conf
profile: ; @.ci/deps build profile && scenarios/profile
reference: ; @.ci/deps build report profile && scenarios/reference
tidy: ; @.ci/deps build test && .ci/tidy
schema: ; @plot/schema.py

format:
	$(Q)git ls-files '*.c' '*.h' '*.cc' | xargs clang-format -i

clean:
	rm -rf build

help:
	@printf '%s\n' 'make            builds the programs into $(BUILD)/' \
	  'make lib        builds the completion port alone, as libcport.so and libcport.a' \
	  'make install    installs it, with <cport.h>, cport.pc and man pages (PREFIX=, DESTDIR=; make uninstall)' \
	  'make test       installs what is missing, runs every test, also under the sanitizers' \
	  'make windows    installs mingw-w64 and Wine, builds the Windows programs into build/windows/' \
	  'make hostile    runs the examples against 10,000 hostile connections each, also under the sanitizers (HOSTILE=)' \
	  'make stress     checks the completion port'"'"'s law with random operations, for minutes' \
	  'make fuzz       feeds what reads bytes from outside with inputs that tests made up, for minutes (FUZZ_RUNS=)' \
	  'make reproduce  installs what is missing, runs the papers'"'"' experiments, ends on one screen (QUICK=1, FULL=1)' \
	  'make bench      speed and memory as ratios measured side by side, each with its target (eight minutes)' \
	  'make scale100k  client and servers with 100,000 connections in a guest kernel, whatever the limits here (15 to 30 min)' \
  'make profile    where the time of each client goes, by stage (SCENARIO=, SECTION=, KEYS=, TOOL=perf|callgrind)' \
	  'make reference  renews results/reference and the figures of README and docs (twenty minutes, on a quiet machine)' \
	  'make tidy       formatting, lengths, layering' \
	  'make schema     rewrites the tables of keys in results/README.md from base/row_keys.h' \
	  'make format     formats every C file' \
	  'make clean      removes build/'
