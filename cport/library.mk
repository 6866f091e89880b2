# libcport: the completion port alone, for programs outside of this tree. Linux only; the Makefile includes this.
# make lib | make man | make install PREFIX=/usr/local DESTDIR= | make uninstall

.PHONY: lib man install uninstall

PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
INCDIR  ?= $(PREFIX)/include
MANDIR  ?= $(PREFIX)/share/man
INSTALL ?= install
OBJCOPY ?= objcopy

# The header has the version. The soname's number is the major one.
cport_number  = $(shell sed -n 's/^\#define CP_VERSION_$(1) *//p' cport/include/cport.h)
CPORT_MAJOR  := $(call cport_number,MAJOR)
CPORT_VERSION := $(CPORT_MAJOR).$(call cport_number,MINOR).$(call cport_number,PATCH)

# What the port needs of base/; sections that nothing refers to are left out, once what they refer to is known.
CPORT_BASE    := $(filter base/heap.c base/os.c base/os_% base/machine_% base/cgroup_%,$(SOURCES))
CPORT_OBJECTS := $(patsubst %.c,$(BUILD)/pic/%.o,$(filter cport/%,$(SOURCES)) $(CPORT_BASE))
CPORT_HEADERS := $(patsubst cport/include/%,%,$(wildcard cport/include/*.h))
CPORT_SHARED  := $(BUILD)/libcport.so.$(CPORT_VERSION)
CPORT_FILES   := $(BUILD)/libcport.a $(CPORT_SHARED)

lib: $(CPORT_FILES)

# A shared library's code. What it does not declare in a public header is hidden.
$(BUILD)/pic/%.o: ALL_CFLAGS += -fvisibility=hidden -ffunction-sections -fdata-sections -fPIC
$(BUILD)/pic/%.o: %.c
	$(SAY) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
-include $(CPORT_OBJECTS:.o=.d)

# Both libraries are made of one object, in which all names but the public ones are local: a static
# library has no other way to keep its names to itself.
$(BUILD)/pic/libcport.o: $(CPORT_OBJECTS)
	$(Q)$(CC) -r -nostdlib -Wl,--gc-sections,--gc-keep-exported -o $@ $^
	$(Q)$(OBJCOPY) --localize-hidden $@

$(BUILD)/libcport.a: $(BUILD)/pic/libcport.o
	$(SAY) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(CPORT_SHARED): $(BUILD)/pic/libcport.o
	$(SAY) LINK $@
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -Wl,-soname,libcport.so.$(CPORT_MAJOR) $(if $(SANITIZER),,-Wl,-z,defs) -o $@ $^ $(if $(HAS_LIBURING),-luring)

# ---- installing -----------------------------------------------------------------------------

define CPORT_PC
prefix=$(PREFIX)
libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))
includedir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCDIR))

Name: cport
Description: The semantics of Windows' I/O completion ports on Linux
Version: $(CPORT_VERSION)
Requires.private: $(if $(HAS_LIBURING),liburing)
Libs: -L$${libdir} -lcport
Libs.private: -pthread
Cflags: -I$${includedir}
endef
export CPORT_PC

# What an installation consists of; links and pages are made from names alone.
CPORT_LINKS  = $(LIBDIR)/libcport.so.$(CPORT_MAJOR) $(LIBDIR)/libcport.so
CPORT_PLACES = $(LIBDIR)/$(notdir $(CPORT_SHARED)) $(CPORT_LINKS) $(LIBDIR)/libcport.a $(LIBDIR)/pkgconfig/cport.pc \
               $(CPORT_HEADERS:%=$(INCDIR)/%)

install: lib
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR),$(LIBDIR)/pkgconfig $(sort $(dir $(CPORT_HEADERS:%=$(INCDIR)/%))))
	$(Q)$(INSTALL) -m 755 $(CPORT_SHARED) $(DESTDIR)$(LIBDIR)
	$(Q)for link in $(CPORT_LINKS); do ln -sf $(notdir $(CPORT_SHARED)) $(DESTDIR)$$link || exit; done
	$(Q)$(INSTALL) -m 644 $(BUILD)/libcport.a $(DESTDIR)$(LIBDIR)
	$(Q)for header in $(CPORT_HEADERS); do \
	        $(INSTALL) -m 644 cport/include/$$header $(DESTDIR)$(INCDIR)/$$header || exit; done
	$(Q)printf '%s\n' "$$CPORT_PC" >$(DESTDIR)$(LIBDIR)/pkgconfig/cport.pc

uninstall:
	$(Q)rm -f $(addprefix $(DESTDIR),$(CPORT_PLACES))
