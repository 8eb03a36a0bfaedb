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
# make install      PREFIX=/usr/local, DESTDIR       make dist       build/eval-VERSION.tar.gz of the last commit
# V=1 shows the commands. CC, CLANG, BPFTOOL, PKG_CONFIG, CFLAGS and LDFLAGS are taken from the command line or the environment.

VERSION := 0.1.0
COMMIT := $(shell git -c safe.directory='$(CURDIR)' describe --always --dirty 2>/dev/null)
# make itself sets CC to cc.
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
BPFTOOL ?= bpftool
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
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

LIBRARIES := libbpf libelf yaml-0.1 sqlite3 libmnl jansson libmd gsl
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
BASE_CFLAGS := -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -iquote include -iquote user -iquote $(BUILD) -iquote $(BUILD)/bpf -pthread
LDLIBS = @$(BUILD)/libraries -lresolv -lm -pthread
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

BPF_SOURCES := $(wildcard bpf/*.bpf.c)
SKELETONS := $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/bpf/%.skel.h)
SOURCES := $(shell find user -name '*.c')
LIB_SOURCES := $(filter-out user/cli/main.c,$(SOURCES))
# What a page has inside: user/report/assets.c.
UPLOT := $(addprefix web/node_modules/uplot/,LICENSE dist/uPlot.min.css dist/uPlot.iife.min.js)
GENERATED := $(SKELETONS) $(BUILD)/version.h $(BUILD)/commit.h
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(shell find tests/unit -name 'test_*.c'))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c))
BENCH_TOOLS := $(patsubst scripts/bench/tools/%.c,$(BUILD)/bench/%,$(wildcard scripts/bench/tools/*.c))

.PHONY: all deps test $(SUITES:%=test-%) test-build test-matrix test-gate test-all fuzzers fuzz demo bench bench-vm check valgrind \
	coverage format install dist clean always
all: eval

eval: $(BUILD)/user/cli/main.o $(BUILD)/user/eval.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# What pkg-config says, asked once, before the first compiler error could come.
$(BUILD)/libraries: Makefile
	$(Q)mkdir -p $(@D)
	$(Q)$(PKG_CONFIG) --print-errors --exists libcurl && $(PKG_CONFIG) --print-errors --libs $(LIBRARIES) >$@.tmp || \
		{ echo "make: something that eval is built with is missing, see above: 'sudo make deps' installs it" >&2; exit 1; }
	$(Q)mv $@.tmp $@

# Written anew only if they change. Only main.c includes commit.h, so that a commit does not relink everything.
$(BUILD)/version.h: TEXT = EVAL_VERSION "$(VERSION)"
$(BUILD)/commit.h: TEXT = EVAL_COMMIT "$(COMMIT)"
$(BUILD)/version.h $(BUILD)/commit.h: always
	$(Q)mkdir -p $(@D)
	$(Q)echo '#define $(TEXT)' >$@.tmp
	$(Q)cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@

vmlinux/$(ARCH)/vmlinux.h:
	@echo "make: $@ is missing: scripts/gen-vmlinux.sh makes it, on a machine of that architecture" >&2; exit 1

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c vmlinux/$(ARCH)/vmlinux.h | $(BUILD)/libraries
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -mcpu=$(BPF_CPU) -g -O2 $(WARNINGS) -Wno-missing-prototypes -D__TARGET_ARCH_$(BPF_ARCH) \
		-Iinclude -Ibpf -Ivmlinux/$(ARCH) -MMD -MP -MF $@.d -MT $@ -c $< -o $@

# They use compare-and-exchange, or fetch-and-add, which need v3 (Linux 5.12, commit 5ffa25502b5a).
$(BUILD)/bpf/disk_pressure.bpf.o $(BUILD)/bpf/io_error.bpf.o: BPF_CPU := v3

# The skeleton uses types of eval_calls.h, eval_disk.h and eval_net.h.
$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)printf '#include "eval_%s.h"\n' calls disk net >$@.tmp
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf >>$@.tmp 2>$@.log || { cat $@.log >&2; exit 1; }
	$(Q)mv $@.tmp $@

# variant FOLDER,WORD,COMPILER,FLAGS: the sources of user/ in $(BUILD)/FOLDER, all but main.c in its eval.a.
define variant
$(BUILD)/$(1)/%.o: user/%.c Makefile | $(GENERATED) $(BUILD)/libraries
	$$(call say,$(2),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(3) $$(BASE_CFLAGS) $(4) -MMD -MP -c $$< -o $$@

$(BUILD)/$(1)/eval.a: $(LIB_SOURCES:user/%.c=$(BUILD)/$(1)/%.o)
	$$(Q)rm -f $$@
	$$(Q)$$(AR) rc $$@ $$^
endef
$(eval $(call variant,user,CC,$$(CC),$$(CFLAGS)))
$(eval $(call variant,asan,ASANCC,$$(CC),-O1 -g $$(SANITIZE)))
# -w: gcc's build warns.
$(eval $(call variant,fuzz/user,FUZZCC,$$(CLANG),-w -O1 -g -fsanitize=fuzzer-no-link $$(SANITIZE)))

$(patsubst %,$(BUILD)/%/report/assets.o,user asan fuzz/user): web/page.css web/page.js $(UPLOT)

web/node_modules/%:
	@echo "make: $@ is missing: 'sudo make deps' installs it" >&2; exit 1

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/asan/eval.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -iquote tests/lib -O1 -g $(SANITIZE) -MMD -MP -o $@ $< $(BUILD)/asan/eval.a $(LDLIBS) -lcmocka

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/fuzz/user/eval.a
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) $(BASE_CFLAGS) -w -O1 -g -fsanitize=fuzzer $(SANITIZE) -MMD -MP -o $@ $< $(BUILD)/fuzz/user/eval.a $(LDLIBS)

define TOOL
$(call say,TOOL,$@)
$(Q)mkdir -p $(@D)
$(Q)$(CC) $(BASE_CFLAGS) -iquote tests/tools $(CFLAGS) -MMD -MP -o $@ $< $(BUILD)/user/eval.a $(LDLIBS)
endef
$(BUILD)/tools/disk_calls $(BUILD)/tools/file_calls: LDLIBS += -laio -luring
$(BUILD)/tools/%: tests/tools/%.c $(BUILD)/user/eval.a
	$(TOOL)

$(BUILD)/bench/%: scripts/bench/tools/%.c $(BUILD)/user/eval.a
	$(TOOL)

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

test-build: eval $(UNIT_TESTS) $(TOOLS) $(BENCH_TOOLS)

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

bench: eval $(BENCH_TOOLS) $(BUILD)/tools/file_calls
	$(Q)scripts/bench.sh

bench-vm: eval $(BENCH_TOOLS)
	$(Q)scripts/bench.sh --guests --write --kernels "$(KERNELS)"

check:
	$(Q)scripts/check.sh

valgrind: test-build
	$(Q)scripts/check/valgrind.sh

coverage:
	$(Q)scripts/check/coverage.sh

format:
	$(Q)clang-format -i $(shell find user include bpf tests scripts -name '*.[ch]')

install: eval
	install -D -m 0755 eval $(DESTDIR)$(PREFIX)/sbin/eval
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/eval README.md CHANGELOG.md
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/eval/examples examples/*.yaml

dist:
	$(Q)mkdir -p $(BUILD)
	git archive --prefix=eval-$(VERSION)/ -o $(BUILD)/eval-$(VERSION).tar.gz HEAD

clean:
	$(Q)rm -rf $(BUILD) eval

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
