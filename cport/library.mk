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

# What is installed: libNAME.so and .a of SOURCES.NAME, linked with LIBS.NAME; headers; NAME.pc with PACKAGES.NAME.
LIBRARIES      := cport cport-win32
CPORT_HEADERS  := cport.h $(patsubst cport/include/%,%,$(wildcard cport/include/cport/*.h cport/include/cport/win32/*.h))
# The port needs a little of base/; sections that nothing refers to are left out, once what they refer to is known.
SOURCES.cport  := $(filter $(wildcard cport/*.c) base/heap.c base/os.c base/os_% base/machine_% base/cgroup_%,$(SOURCES))
LIBS.cport     := $(if $(HAS_LIBURING),-luring)
SUMMARY.cport  := The semantics of Windows' I/O completion ports on Linux
PACKAGES.cport := Requires.private: $(if $(HAS_LIBURING),liburing)
# Win32's names over it. With the flags of its package <winsock2.h> is <cport/win32.h>.
SOURCES.cport-win32  := $(wildcard cport/win32/*.c)
LIBS.cport-win32      = $(BUILD)/libcport.so.$(CPORT_VERSION)
SUMMARY.cport-win32  := Windows' completion ports and overlapped sockets by their own names, over cport
PACKAGES.cport-win32 := Requires: cport = $(CPORT_VERSION)
INCLUDE.cport-win32  := -I$${includedir}/cport/win32

# ---- building -------------------------------------------------------------------------------

# A shared library's code. What is not declared in a public header is hidden.
$(BUILD)/pic/%.o: ALL_CFLAGS += -fvisibility=hidden -ffunction-sections -fdata-sections -fPIC
$(BUILD)/pic/%.o: %.c
	$(SAY) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Both libraries are made of one object, in which all names but the public ones are local: a static
# library has no other way to keep its names to itself.
define library
objects.$(1) := $$(SOURCES.$(1):%.c=$(BUILD)/pic/%.o)
-include $$(objects.$(1):.o=.d)

$(BUILD)/pic/lib$(1).o: $$(objects.$(1))
	$$(Q)$$(CC) -r -nostdlib -Wl,--gc-sections,--gc-keep-exported -o $$@ $$^
	$$(Q)$$(OBJCOPY) --localize-hidden $$@

$(BUILD)/lib$(1).a: $(BUILD)/pic/lib$(1).o
	$$(SAY) AR $$@
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$<

$(BUILD)/lib$(1).so.$(CPORT_VERSION): $(BUILD)/pic/lib$(1).o
	$$(SAY) LINK $$@
	$$(Q)$$(CC) -shared $$(ALL_LDFLAGS) -Wl,-soname,lib$(1).so.$(CPORT_MAJOR) $$(if $$(SANITIZER),,-Wl,-z,defs) -o $$@ $$< $$(LIBS.$(1))
endef
$(foreach name,$(LIBRARIES),$(eval $(call library,$(name))))
$(BUILD)/libcport-win32.so.$(CPORT_VERSION): $(BUILD)/libcport.so.$(CPORT_VERSION)

lib: $(foreach name,$(LIBRARIES),$(BUILD)/lib$(name).a $(BUILD)/lib$(name).so.$(CPORT_VERSION))

# The manual is made of the header's comments, where there is a Python.
CPORT_MANUAL := $(if $(shell command -v python3),$(BUILD)/man/cport.3)
man: $(CPORT_MANUAL)
	@$(if $<,:,echo 'the manual needs python3; it is left out')
$(BUILD)/man/cport.3: cport/man/manual.py $(CPORT_HEADERS:%=cport/include/%) cport/README.md
	$(Q)rm -rf $(@D) && python3 $< $(@D)

# ---- installing -----------------------------------------------------------------------------

define PC
prefix=$(PREFIX)
libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))
includedir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCDIR))

Name: $(1)
Description: $(SUMMARY.$(1))
Version: $(CPORT_VERSION)
$(PACKAGES.$(1))
Libs: -L$${libdir} -l$(1)
Libs.private: -pthread
Cflags: -I$${includedir} $(INCLUDE.$(1))
endef
$(foreach name,$(LIBRARIES),$(eval export PC_$(subst -,_,$(name)) := $$(call PC,$(name))))

# What `make uninstall` takes away, besides the manual.
CPORT_PLACES := $(foreach name,$(LIBRARIES),$(addprefix $(LIBDIR)/,lib$(name).a lib$(name).so lib$(name).so.$(CPORT_MAJOR) \
                  lib$(name).so.$(CPORT_VERSION) pkgconfig/$(name).pc)) $(CPORT_HEADERS:%=$(INCDIR)/%)

define install_library
	$(Q)$(INSTALL) -m 755 $(BUILD)/lib$(1).so.$(CPORT_VERSION) $(DESTDIR)$(LIBDIR)
	$(Q)ln -sf lib$(1).so.$(CPORT_VERSION) $(DESTDIR)$(LIBDIR)/lib$(1).so.$(CPORT_MAJOR)
	$(Q)ln -sf lib$(1).so.$(CPORT_MAJOR) $(DESTDIR)$(LIBDIR)/lib$(1).so
	$(Q)$(INSTALL) -m 644 $(BUILD)/lib$(1).a $(DESTDIR)$(LIBDIR)
	$(Q)printf '%s\n' "$$PC_$(subst -,_,$(1))" >$(DESTDIR)$(LIBDIR)/pkgconfig/$(1).pc

endef

install: lib man
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR),$(LIBDIR)/pkgconfig $(MANDIR)/man3 $(sort $(dir $(CPORT_HEADERS:%=$(INCDIR)/%))))
	$(foreach name,$(LIBRARIES),$(call install_library,$(name)))
	$(Q)for header in $(CPORT_HEADERS); do \
	        $(INSTALL) -m 644 cport/include/$$header $(DESTDIR)$(INCDIR)/$$header || exit; done
	$(if $(CPORT_MANUAL),$(Q)$(INSTALL) -m 644 $(BUILD)/man/*.3 $(DESTDIR)$(MANDIR)/man3)

uninstall: man
	$(Q)rm -f $(addprefix $(DESTDIR),$(CPORT_PLACES))
	$(if $(CPORT_MANUAL),$(Q)for page in $(BUILD)/man/*.3; do rm -f $(DESTDIR)$(MANDIR)/man3/$${page##*/}; done)
