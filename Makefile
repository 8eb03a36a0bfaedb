# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# make [all]        builds ./eval                    make demo       runs examples/etcd-lab.yaml on a real cluster
# make test         installs missing packages, runs the suites here and a smoke test on Linux 6.1
# make test-unit | test-cli | test-net | test-fault | test-disk | test-fuzz | test-smoke | test-vm   one suite
# make test-matrix  VM_SUITES on each of KERNELS, in guests (scripts/vm.sh), two at a time
# make test-gate    what .ci/run runs: all suites here, and in guests the tests that the gate needs on each of KERNELS
# make test-all     all suites here, and all of VM_SUITES on each of KERNELS
# make fuzz         SECONDS=600 for each target      make valgrind   the command line tests under valgrind
# make coverage     statement coverage of user/ by unit, cli, net and fault tests
# make bench        figures, not pass or fail        make check      format, clang-tidy, cppcheck, shellcheck, layers
# make bench-vm     compares netem with our delay lines in guests, writes docs/benchmarks-guests.md
# V=1 shows the commands.

VERSION := 0.1.0
CC := gcc
CLANG := clang
BPFTOOL := bpftool
PKG_CONFIG := pkg-config
PREFIX ?= /usr/local
ARCH := $(shell uname -m)
BPF_ARCH := $(subst x86_64,x86,$(subst aarch64,arm64,$(ARCH)))
BPF_CPU := v2
BUILD := build
SUITES := unit cli net fault disk fuzz smoke vm
KERNELS ?= 5.10 6.1 6.12 sid
VM_SUITES ?= disk net fault

ifeq ($(V),1)
Q :=
say :=
else
Q := @
say = @printf '  %-7s %s\n' $(1) $(2);
endif

LIBRARIES := libbpf libelf yaml-0.1 sqlite3 libmnl jansson libmd
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
CFLAGS ?= -O2 -g
BASE_CFLAGS := -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -DEVAL_VERSION='"$(VERSION)"' -iquote include -iquote user -iquote $(BUILD)/bpf -pthread
LDLIBS = $(shell $(PKG_CONFIG) --libs $(LIBRARIES)) -lm -pthread
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_OBJECTS := $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/bpf/%.bpf.o)
SKELETONS := $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/bpf/%.skel.h)
SOURCES := $(shell find user -name '*.c')
OBJECTS := $(SOURCES:user/%.c=$(BUILD)/user/%.o)
LIB_OBJECTS := $(filter-out $(BUILD)/user/cli/main.o,$(OBJECTS))
ASAN_OBJECTS := $(LIB_OBJECTS:$(BUILD)/user/%=$(BUILD)/asan/%)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(shell find tests/unit -name 'test_*.c'))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJECTS := $(LIB_OBJECTS:$(BUILD)/user/%=$(BUILD)/fuzz/user/%)
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c))

.PHONY: all deps test $(SUITES:%=test-%) test-build test-matrix test-gate test-all fuzzers fuzz demo bench bench-vm check valgrind \
	coverage format install clean
all: eval

eval: $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -mcpu=$(BPF_CPU) -g -O2 $(WARNINGS) -Wno-missing-prototypes -D__TARGET_ARCH_$(BPF_ARCH) \
		-Iinclude -Ibpf -Ivmlinux/$(ARCH) -MMD -MP -MF $@.d -MT $@ -c $< -o $@

# disk_pressure uses compare-and-exchange, which needs v3 (Linux 5.12, commit 5ffa25502b5a).
$(BUILD)/bpf/disk_pressure.bpf.o: BPF_CPU := v3

# The skeleton uses types of eval_disk.h and eval_net.h.
$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)printf '#include "eval_%s.h"\n' disk net >$@.tmp
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf >>$@.tmp 2>$@.log || { cat $@.log >&2; exit 1; }
	$(Q)mv $@.tmp $@

$(BUILD)/user/%.o: user/%.c Makefile | $(SKELETONS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/asan/%.o: user/%.c Makefile | $(SKELETONS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -O1 -g $(SANITIZE) -MMD -MP -c $< -o $@

$(BUILD)/unit/%: tests/unit/%.c $(ASAN_OBJECTS)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -iquote tests/lib -O1 -g $(SANITIZE) -MMD -MP -o $@ $(filter %.c %.o,$^) $(LDLIBS) -lcmocka

# An archive, so that a fuzz target that includes one of the sources is not linked with it twice. -w: gcc's build warns.
$(BUILD)/fuzz/user/%.o: user/%.c Makefile | $(SKELETONS)
	$(call say,FUZZCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BASE_CFLAGS) -w -O1 -g -fsanitize=fuzzer-no-link $(SANITIZE) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/user.a: $(FUZZ_OBJECTS)
	$(Q)rm -f $@
	$(Q)ar rc $@ $^

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/fuzz/user.a
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) $(BASE_CFLAGS) -w -O1 -g -fsanitize=fuzzer $(SANITIZE) -MMD -MP -o $@ $< $(BUILD)/fuzz/user.a $(LDLIBS)

$(BUILD)/tools/disk_calls: LDLIBS += -laio -luring
$(BUILD)/tools/%: tests/tools/%.c $(LIB_OBJECTS)
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) -MMD -MP -o $@ $(filter %.c %.o,$^) $(LDLIBS)

deps:
	$(Q)scripts/install-deps.sh

# `deps` may install what the build needs, so the build is a second make, which starts after it.
test: deps
	$(Q)$(MAKE) --no-print-directory test-build fuzzers
	$(Q)tests/all "unit cli net fault disk fuzz vm/command vm/matrix" 6.1 smoke

test-gate: deps
	$(Q)$(MAKE) --no-print-directory test-build fuzzers
	$(Q)tests/all --gate "unit cli net fault disk fuzz vm" "$(KERNELS)" "$(VM_SUITES)"

test-all: deps
	$(Q)$(MAKE) --no-print-directory test-build fuzzers
	$(Q)tests/all "unit cli net fault disk fuzz vm" "$(KERNELS)" "$(VM_SUITES)"

test-build: eval $(UNIT_TESTS) $(TOOLS)

$(SUITES:%=test-%): test-%: test-build
	$(Q)tests/run $*

test-fuzz: fuzzers
fuzzers: $(FUZZERS)

# Seconds per fuzz target.
SECONDS := 600
fuzz: fuzzers
	$(Q)EVAL_FUZZ_SECONDS=$(SECONDS) tests/fuzz/targets.sh

test-matrix: test-build
	$(Q)scripts/vm/matrix.sh "$(KERNELS)" $(VM_SUITES)

demo: deps
	$(Q)$(MAKE) --no-print-directory eval
	$(Q)scripts/demo.sh

bench: eval $(TOOLS)
	$(Q)scripts/bench.sh

bench-vm: eval $(TOOLS)
	$(Q)scripts/bench-vm.sh --write $(KERNELS)

check:
	$(Q)scripts/check.sh

valgrind: test-build
	$(Q)scripts/check/valgrind.sh

coverage:
	$(Q)scripts/check/coverage.sh

format:
	$(Q)clang-format -i $(SOURCES) $(shell find user include bpf tests -name '*.[ch]')

install: eval
	install -D -m 0755 eval $(DESTDIR)$(PREFIX)/sbin/eval

clean:
	$(Q)rm -rf $(BUILD) eval

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
