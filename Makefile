# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One file, not recursive; everything made lands in $(BUILD). `make help` lists the targets.
# A program, plugin, test or fuzzer is found by its file name: adding one needs no edit here.

VERSION := 0.1.0

BUILD ?= build
prefix ?= /usr
bindir ?= $(prefix)/bin
libexecdir ?= $(prefix)/libexec/aiops
datadir ?= $(prefix)/lib/aiops
sqldir ?= $(prefix)/share/aiops/sql
grafanadir ?= $(prefix)/share/aiops/grafana
sysconfdir ?= /etc
unitdir ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
catalogdir ?= $(prefix)/lib/systemd/catalog
polkitdir ?= $(prefix)/share/polkit-1/rules.d
mandir ?= $(prefix)/share/man
bashcompletiondir ?= $(prefix)/share/bash-completion/completions
zshcompletiondir ?= $(prefix)/share/zsh/vendor-completions
fishcompletiondir ?= $(prefix)/share/fish/vendor_completions.d
targetlibexecdir ?= $(prefix)/libexec/aiops-target

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
LLVM_STRIP ?= llvm-strip
PKG_CONFIG ?= pkg-config
INSTALL ?= install
VMLINUX_BTF ?= /sys/kernel/btf/vmlinux
CFLAGS ?= -O2 -g
WERROR ?= -Werror
FUZZ_SECONDS ?= 60
CASE ?=

# As many jobs as cores, unless the caller says.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif

OBJ := $(BUILD)/obj
GEN := $(BUILD)/gen
BIN := $(BUILD)/bin

ifneq ($(V),1)
say = @printf '  %-8s %s\n' '$1' '$(patsubst $(BUILD)/%,%,$2)';
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all
.PHONY: FORCE

# ---- flags -------------------------------------------------------------------------------------

is_clang := $(findstring clang,$(shell $(CC) --version 2>/dev/null))

# No -Wsign-conversion: a bpftool skeleton does not compile under it.
WARN := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	-Wvla -Wundef -Wswitch-enum -Wconversion -Wno-sign-conversion
WARN += $(if $(is_clang),-Wmissing-variable-declarations,-Wformat-truncation=2)

# clang before 16 hides -ftrivial-auto-var-init=zero behind a second flag.
HARDEN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	$(if $(is_clang),,-ftrivial-auto-var-init=zero)
SANITIZE := -fno-omit-frame-pointer -fno-sanitize-recover=all -U_FORTIFY_SOURCE

# MODE: empty = release, san = ASan and UBSan, fuzz = the same and libFuzzer's coverage.
ifeq ($(MODE),san)
MODE_CFLAGS := -fsanitize=address,undefined $(SANITIZE)
MODE_LDFLAGS := -fsanitize=address,undefined
else ifeq ($(MODE),fuzz)
MODE_CFLAGS := -fsanitize=fuzzer-no-link,address,undefined $(SANITIZE)
MODE_LDFLAGS := -fsanitize=fuzzer,address,undefined
else
MODE_CFLAGS := $(HARDEN)
endif

PKGS := libsystemd libbpf libcurl libnl-3.0 libnl-route-3.0 json-c libseccomp libmicrohttpd \
	sqlite3 yaml-0.1 smartcols libcap-ng libcrypto libpq
# Third-party headers are system headers: our warnings are for our code.
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null))

DEFINES := -D_GNU_SOURCE \
	-DAIOPS_VERSION='"$(VERSION)"' \
	-DAIOPS_LIBEXECDIR='"$(libexecdir)"' \
	-DAIOPS_DATADIR='"$(datadir)"' \
	-DAIOPS_CONFDIR='"$(sysconfdir)/aiops"' \
	-DAIOPS_RUNDIR='"/run/aiops"' \
	-DAIOPS_STATEDIR='"/var/lib/aiops"'

# Objects hold no path of the machine that made them.
REPRODUCIBLE := -ffile-prefix-map=$(CURDIR)=.

ALL_CFLAGS = -std=gnu17 $(DEFINES) -I. -Idaemon -I$(GEN) $(PKG_CFLAGS) $(WARN) -fPIE \
	-ffunction-sections -fdata-sections $(REPRODUCIBLE) $(CFLAGS) $(MODE_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed $(MODE_LDFLAGS) $(LDFLAGS)
pkg_libs = $(if $1,$(shell $(PKG_CONFIG) --libs $1))

# ---- what there is -----------------------------------------------------------------------------

PROGRAM_NAMES := aiops-agent aiops-executor aiops-recorder aiops-gateway aiops-shipper aiops-step aiops-fault aiopsctl

# main_P: daemon/MAIN.c with the folder daemon/MAIN/, if there is one.
# dirs_P: further folders whose archives it may draw from; regs_P: plugin tables; pkgs_P: libraries.
# A library that is not listed for a program cannot get into it.
main_aiops-agent := agent
dirs_aiops-agent := daemon/probes daemon/rules daemon/inspectors daemon/notifiers
regs_aiops-agent := probe rule inspector notifier
pkgs_aiops-agent := libsystemd libbpf libmicrohttpd json-c yaml-0.1 libseccomp libcap-ng libcrypto

main_aiops-executor := executor
pkgs_aiops-executor := libsystemd libmicrohttpd json-c yaml-0.1 libseccomp libcap-ng libcrypto

main_aiops-recorder := recorder
dirs_aiops-recorder := daemon/recorder/inspectors daemon/stores
regs_aiops-recorder := recorder_inspector
pkgs_aiops-recorder := libsystemd libmicrohttpd json-c yaml-0.1 sqlite3 libseccomp libcap-ng libcrypto

main_aiops-gateway := gateway
dirs_aiops-gateway := daemon/gateway/inspectors daemon/gateway/probes
regs_aiops-gateway := gateway_inspector gateway_probe
pkgs_aiops-gateway := libsystemd libcurl json-c yaml-0.1 libseccomp libcap-ng libcrypto

main_aiops-shipper := shipper
pkgs_aiops-shipper := libsystemd libpq json-c yaml-0.1 libseccomp libcap-ng libcrypto

main_aiops-step := step
dirs_aiops-step := actions
regs_aiops-step := action
pkgs_aiops-step := libsystemd libcurl libpq json-c yaml-0.1 libseccomp libcap-ng libcrypto

main_aiops-fault := fault
dirs_aiops-fault := faults
regs_aiops-fault := fault
pkgs_aiops-fault := libsystemd libbpf libnl-3.0 libnl-route-3.0 json-c yaml-0.1 libseccomp libcap-ng libcrypto

main_aiopsctl := ctl
dirs_aiopsctl := daemon/rules
regs_aiopsctl := verb rule
pkgs_aiopsctl := libsystemd json-c yaml-0.1 smartcols libcurl sqlite3 libcrypto

# What one program knows and another may not link: P prints it as C when called `P describe`, and the
# table goes to those who ask for it. A program that knows no such verb yet makes no table.
table_action_table := aiops-step
table_fault_table := aiops-fault
table_agent_table := aiops-agent
table_recorder_table := aiops-recorder
tables_aiops-agent := action_table
tables_aiops-executor := action_table
tables_aiopsctl := action_table fault_table agent_table recorder_table
tables_test := action_table fault_table

# Layers that programs may draw from; an archive gives only the members that are asked for. What acts,
# records or speaks to the network holds no engine; steps and faults speak to nobody of ours.
ROOT_DIRS := daemon/sys daemon/ops daemon/model daemon/base
CORE_DIRS := daemon/engine daemon/ipc $(ROOT_DIRS)
core_aiops-recorder := daemon/ipc $(ROOT_DIRS)
core_aiops-gateway := daemon/ipc $(ROOT_DIRS)
core_aiops-shipper := $(ROOT_DIRS)
core_aiops-step := $(ROOT_DIRS)
core_aiops-fault := $(ROOT_DIRS)

# A plugin table: file NAME.c in reg_dir defines `const struct KIND_ops KIND_NAME`.
REGISTRIES := action fault probe rule inspector notifier verb \
	recorder_inspector gateway_inspector gateway_probe
reg_dir_action := actions
reg_dir_fault := faults
reg_dir_probe := daemon/probes
reg_dir_rule := daemon/rules
reg_dir_inspector := daemon/inspectors
reg_dir_notifier := daemon/notifiers
reg_dir_verb := daemon/ctl
reg_dir_recorder_inspector := daemon/recorder/inspectors
reg_dir_gateway_inspector := daemon/gateway/inspectors
reg_dir_gateway_probe := daemon/gateway/probes
reg_kind = $(lastword $(subst _, ,$1))
reg_header = $(if $(filter verb,$1),ctl/verb.h,ops/$(call reg_kind,$1).h)

LIB_SRC := $(sort $(wildcard daemon/*/*.c daemon/*/*/*.c actions/*.c faults/*.c selftests/target/app/*.c))
LIB_DIRS := $(sort $(patsubst %/,%,$(dir $(LIB_SRC))))
MAIN_SRC := $(sort $(wildcard daemon/*.c))
BPF_SRC := $(sort $(wildcard bpf/*.bpf.c))
TEST_SRC := $(sort $(wildcard selftests/unit/test_*.c))
FUZZ_SRC := $(sort $(wildcard selftests/fuzz/fuzz_*.c))
TARGET_SRC := $(sort $(wildcard selftests/target/*.c))
BENCH_SRC := $(sort $(wildcard selftests/bench/*.c))
TRACE_SRC := $(sort $(wildcard selftests/trace/*.c))
INTEGRATION_SRC := $(sort $(wildcard selftests/integration/*.c))

PROGRAMS := $(foreach p,$(PROGRAM_NAMES),$(if $(wildcard daemon/$(main_$p).c),$p))
TESTS := $(patsubst selftests/unit/%.c,$(BUILD)/unit/%,$(TEST_SRC))
FUZZERS := $(patsubst selftests/fuzz/%.c,$(BUILD)/fuzzers/%,$(FUZZ_SRC))
SEEDS := $(patsubst selftests/fuzz/%.c,$(BUILD)/seeds/%,$(FUZZ_SRC))
# selftests/target/api.c and selftests/target/aiops-target-api.c both make aiops-target-api.
target_name = aiops-target-$(patsubst aiops-target-%,%,$(basename $(notdir $1)))
TARGETS := $(foreach s,$(TARGET_SRC),$(BUILD)/target/$(call target_name,$s))
TRACE_REPLAY := $(if $(TRACE_SRC),$(BUILD)/trace/replay)
# An action's profile: the common unit of steps and what is appended to it.
STEP_UNITS := $(patsubst units/%.conf,$(BUILD)/units/%@.service,$(sort $(wildcard units/aiops-step-*.conf)))
# The end of what each of them does for a time.
STEP_UNITS += $(BUILD)/units/aiops-expire@.service $(subst aiops-step-,aiops-expire-,$(STEP_UNITS))
BENCHES := $(patsubst selftests/bench/%.c,$(BUILD)/bench/%,$(BENCH_SRC))
INTEGRATIONS := $(patsubst selftests/integration/%.c,$(BUILD)/integration/%,$(INTEGRATION_SRC))
SKELETONS := $(patsubst bpf/%.bpf.c,$(GEN)/%.skel.h,$(BPF_SRC))

PLUGIN_SRC := $(shell grep -lE '^const struct [a-z]+_ops ' $(LIB_SRC) /dev/null)
plugins = $(patsubst $(reg_dir_$1)/%.c,%,$(filter $(reg_dir_$1)/%.c,$(PLUGIN_SRC)))
# A table can be compiled once its contract exists.
reg_objects = $(foreach r,$1,$(if $(wildcard daemon/$(call reg_header,$r)),$(OBJ)/gen/registry_$r.o))

archives = $(foreach d,$(filter $1,$(LIB_DIRS)),$(OBJ)/$d.a)

DESCRIBERS := $(shell grep -lF '"describe"' $(MAIN_SRC) $(LIB_SRC) /dev/null)
describes = $(filter daemon/$(main_$1).c daemon/$(main_$1)/%,$(DESCRIBERS))
table_objects = $(foreach t,$1,$(if $(call describes,$(table_$t)),$(OBJ)/gen/$t.o))

# ---- goals ---------------------------------------------------------------------------------------

##@ Build
all: $(PROGRAMS:%=$(BIN)/%) $(TARGETS) $(STEP_UNITS)	## Build every program (default)

##@ Test
.PHONY: check check-run check-unit san fuzz fuzz-run vmtest demo bench
check:	## Everything: lint, unit, trace, integration, quick VM cases, sabotaged runs (root)
	@packaging/install-build-deps
	@$(MAKE) --no-print-directory check-run

check-run:
	@BUILD='$(BUILD)' MAKE='$(MAKE)' selftests/check

check-unit: $(TESTS) $(SEEDS) $(TRACE_REPLAY)	## Unit and trace tests: no root, no network, no sleeps
	@BUILD='$(BUILD)' selftests/unit/run $(TESTS) $(SEEDS)

.PHONY: check-integration
check-integration: all $(INTEGRATIONS)	## Our programs by hand, no systemd; CASE=name runs one
	@BUILD='$(BUILD)' selftests/integration/run $(CASE)

san:	## The same tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
		$(MAKE) --no-print-directory BUILD=$(BUILD)/san MODE=san CFLAGS='-O1 -g' check-unit

fuzz:	## Each fuzzer for FUZZ_SECONDS (60), from its seed corpus; CASE=name runs one
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz MODE=fuzz CC=$(CLANG) CFLAGS='-O1 -g' fuzz-run

FUZZERS_WANTED := $(if $(CASE),$(CASE:%=$(BUILD)/fuzzers/fuzz_%),$(FUZZERS))
fuzz-run: $(FUZZERS_WANTED)
	@BUILD='$(BUILD)' FUZZ_SECONDS='$(FUZZ_SECONDS)' selftests/fuzz/run $(FUZZERS_WANTED)

vmtest: deb $(BUILD)/integration/framepeer $(BUILD)/integration/steprecord $(BUILD)/integration/hostileframes	## All cases in a real Debian guest; CASE=name runs one
	@selftests/vm/run $(CASE)

demo:	## Break a real machine and watch it heal (root)
	@packaging/install-build-deps
	@$(MAKE) --no-print-directory deb
	@selftests/vm/demo

bench: deb $(BENCHES)	## Cost beside netdata, node_exporter, libbpf-tools, FastAPI; CASE=part (root)
	@packaging/install-build-deps --bench
	@BUILD='$(BUILD)' selftests/bench/run $(CASE)

##@ Care
.PHONY: lint tidy fmt
lint: $(STEP_UNITS)	## Layers, names, banned calls, sizes, format, units, exposure; under 10 s
	@BUILD='$(BUILD)' selftests/lint/run

tidy:	## clang-tidy over every source file (slow)
	@clang-tidy --quiet $(LIB_SRC) $(MAIN_SRC) -- \
		$(filter-out -ffile-prefix-map=% -Wformat-truncation=% -ftrivial%,$(ALL_CFLAGS))

FORMATTED = $(sort $(wildcard $(foreach d,bpf daemon daemon/* daemon/*/* actions faults \
	selftests/*,$d/*.c $d/*.h)))
fmt:	## Format every C file
	@$(if $(FORMATTED),clang-format -i $(FORMATTED))

##@ Ship
.PHONY: deb install install-target install-target-stack
install:	## Install into DESTDIR with prefix (/usr)
deb: all	## Make build/aiops-agent.deb and build/aiops-target.deb
	@BUILD='$(BUILD)' VERSION='$(VERSION)' packaging/deb/build

##@ Tidy up
.PHONY: all clean distclean help
clean:	## Remove what was built; the guest's image stays
	@! test -d $(BUILD) || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name vm -exec rm -rf {} +

distclean:	## Remove build/ altogether
	rm -rf $(BUILD)

help:	## This text
	@awk 'BEGIN { FS = ":[^#]*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-16s%s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: CC CFLAGS LDFLAGS DESTDIR prefix BUILD V=1 CASE FUZZ_SECONDS\n'

# ---- generated -----------------------------------------------------------------------------------

# Stdin replaces $@ only if it differs, so that nothing is remade without need.
write = cat >$@.new && if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(GEN)/flags: FORCE
	@mkdir -p $(@D); echo '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' | $(write)

# Remade when a source comes or goes, so that archives forget a deleted file.
$(GEN)/sources: FORCE
	@mkdir -p $(@D); echo '$(LIB_SRC)' | $(write)

$(GEN)/registry_%.h: Makefile
	@mkdir -p $(@D); { echo '/* SPDX-License-Identifier: LGPL-2.1-or-later */'; echo '#pragma once'; \
	echo '#include "$(call reg_header,$*)"'; \
	echo 'extern const struct $(call reg_kind,$*)_ops *const $*_registry[];'; } | $(write)

$(REGISTRIES:%=$(GEN)/registry_%.c): $(GEN)/registry_%.c: FORCE | $(GEN)/registry_%.h
	@mkdir -p $(@D); { echo '/* SPDX-License-Identifier: LGPL-2.1-or-later */'; \
	echo '#include <stddef.h>'; echo '#include "registry_$*.h"'; \
	$(foreach p,$(call plugins,$*),echo 'extern const struct $(call reg_kind,$*)_ops $(call reg_kind,$*)_$p;';) \
	echo 'const struct $(call reg_kind,$*)_ops *const $*_registry[] = {'; \
	$(foreach p,$(call plugins,$*),echo '	&$(call reg_kind,$*)_$p,';) \
	echo '	NULL,'; echo '};'; } | $(write)

define table_rule
$(GEN)/$1.c: $(BIN)/$(table_$1)
	@$$< describe >$$@.out && { $$(write); } <$$@.out && rm $$@.out
$(OBJ)/gen/$1.o: WARN += $(if $(is_clang),-Wno-missing-variable-declarations)
endef
$(foreach t,action_table fault_table agent_table recorder_table,$(eval $(call table_rule,$t)))

REGISTRY_HEADERS := $(REGISTRIES:%=$(GEN)/registry_%.h)

$(GEN)/vmlinux.h: $(VMLINUX_BTF)
	$(call say,BTF,$@)mkdir -p $(@D) && $(BPFTOOL) btf dump file $< format c >$@

# BPF_PROG() names parameters that a program need not use.
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu17 -Wall -Wextra -Wno-unused-parameter $(WERROR) \
	-D__TARGET_ARCH_x86 \
	-fdebug-prefix-map=$(CURDIR)=. -I. -I$(GEN)

$(OBJ)/bpf/%.bpf.o: bpf/%.bpf.c $(GEN)/vmlinux.h
	$(call say,BPF,$@)mkdir -p $(@D) && \
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@ && $(LLVM_STRIP) -g $@

$(GEN)/%.skel.h: $(OBJ)/bpf/%.bpf.o
	$(call say,SKEL,$@)mkdir -p $(@D) && $(BPFTOOL) gen skeleton $< >$@

step_unit = $(call say,UNIT,$@)mkdir -p $(@D) && cat $^ >$@

$(BUILD)/units/aiops-step-%@.service: units/aiops-step@.service units/aiops-step-%.conf
	$(step_unit)

$(BUILD)/units/aiops-expire@.service: units/aiops-step@.service units/aiops-expire.conf
	$(step_unit)

$(BUILD)/units/aiops-expire-%@.service: units/aiops-step@.service units/aiops-step-%.conf units/aiops-expire.conf
	$(step_unit)

# ---- compile and link ----------------------------------------------------------------------------

compile = $(call say,CC,$@)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(OBJ)/%.o: %.c $(GEN)/flags | $(REGISTRY_HEADERS)
	$(compile)

$(OBJ)/gen/%.o: $(GEN)/%.c $(GEN)/flags
	$(compile)

# Only these may include a skeleton; elsewhere a broken BPF program stops nobody.
SKELETON_USERS := $(filter daemon/sys/% daemon/probes/% daemon/agent/% faults/%,$(LIB_SRC)) \
	$(MAIN_SRC) $(BENCH_SRC) \
	$(filter-out $(foreach k,base model ipc rule engine store,selftests/unit/test_$k_%),$(TEST_SRC))
$(patsubst %.c,$(OBJ)/%.o,$(SKELETON_USERS)): | $(SKELETONS)

# A fuzz target asks only whether it comes back; a cast to void does not tell gcc so.
$(FUZZ_SRC:%.c=$(OBJ)/%.o): WARN += -Wno-unused-result

# The generated table declares a plugin's symbol; clang would ask for a header.
$(patsubst %.c,$(OBJ)/%.o,$(PLUGIN_SRC)): WARN += $(if $(is_clang),-Wno-missing-variable-declarations)

define archive_rule
$(OBJ)/$1.a: $(patsubst %.c,$(OBJ)/%.o,$(sort $(wildcard $1/*.c))) $(GEN)/sources
	$$(call say,AR,$$@)rm -f $$@ && $(AR) rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach d,$(LIB_DIRS),$(eval $(call archive_rule,$d)))

# Archives may need each other (ops tables point upwards): one group.
link = $(call say,LD,$@)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(ALL_LDFLAGS)

# A fuzzer's own main is not for the programs that print tables.
$(BIN)/%: private MODE_LDFLAGS := $(patsubst -fsanitize=fuzzer%,-fsanitize=fuzzer-no-link%,$(MODE_LDFLAGS))

define program_rule
$(BIN)/$1: $(OBJ)/daemon/$(main_$1).o $(call reg_objects,$(regs_$1)) $(call table_objects,$(tables_$1)) \
		$(call archives,daemon/$(main_$1) $(dirs_$1) $(or $(core_$1),$(CORE_DIRS)))
	$$(link) $$(call pkg_libs,$(pkgs_$1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$p)))

# A test draws from its layer and what that layer may see, by its name: test_base_err has only base, so
# that a broken engine does not stop it; what is not listed here has all. What lies elsewhere is named in
# the source:
#   /* links: daemon/executor/budget.o gen/registry_action.o daemon/recorder.a */
# An object that is named, or a function in the test itself, stands in for an archive's.
TEST_DIRS := daemon/rules daemon/probes daemon/inspectors daemon/notifiers daemon/stores actions faults $(CORE_DIRS)
test_dirs_base := daemon/base
test_dirs_model := daemon/model $(test_dirs_base)
test_dirs_sys := daemon/sys $(test_dirs_model)
test_dirs_ipc := daemon/ipc $(test_dirs_model)
test_dirs_rule := daemon/rules $(test_dirs_model)
test_dirs_engine := daemon/engine daemon/rules $(test_dirs_model)
test_dirs_probe := daemon/probes $(test_dirs_sys)
test_dirs_inspector := daemon/inspectors $(test_dirs_sys)
test_dirs_store := daemon/stores $(test_dirs_sys)
test_dirs_action := actions $(test_dirs_sys)
test_dirs_fault := faults $(test_dirs_sys)
test_dirs_agent := daemon/agent $(dirs_aiops-agent) $(CORE_DIRS)
test_dirs_executor := daemon/executor $(CORE_DIRS)
test_dirs_recorder := daemon/recorder $(dirs_aiops-recorder) $(core_aiops-recorder)
test_dirs_gateway := daemon/gateway $(dirs_aiops-gateway) $(core_aiops-gateway)
test_dirs_shipper := daemon/shipper $(core_aiops-shipper)
test_dirs_step := daemon/step actions $(ROOT_DIRS)
test_dirs_ctl := daemon/ctl $(CORE_DIRS)
test_dirs_verb := daemon/ctl $(CORE_DIRS)
test_dirs_target := selftests/target/app daemon/gateway $(ROOT_DIRS)
test_kind = $(word 2,$(subst _, ,$(basename $(notdir $1))))
test_dirs = $(or $(test_dirs_$(call test_kind,$1)),$(TEST_DIRS))
LINKS := $(shell awk '/\/\* links:/ { f = FILENAME; sub(/.*\//, "", f); sub(/\.c$$/, "", f); \
	for (i = 3; i <= NF; i++) if ($$i ~ /\.[oa]$$/) print f ":" $$i }' \
	$(TEST_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(INTEGRATION_SRC) /dev/null)
links = $(patsubst $1:%,$(OBJ)/%,$(filter $1:%,$(LINKS)))

GEN_TABLES := $(if $(call table_objects,$(tables_test)),$(OBJ)/gen/tables.a)
$(OBJ)/gen/tables.a: $(call table_objects,$(tables_test))
	$(call say,AR,$@)rm -f $@ && $(AR) rcsD $@ $^

define test_rule
$2: $(OBJ)/$(1:.c=.o) $(call links,$(basename $(notdir $1))) \
		$(if $(filter daemon/ops,$(call test_dirs,$1)),$(GEN_TABLES)) $(call archives,$(call test_dirs,$1))
	$$(link) $$(call pkg_libs,$(PKGS) $3)
endef
$(foreach s,$(TEST_SRC),$(eval $(call test_rule,$s,$(patsubst selftests/unit/%.c,$(BUILD)/unit/%,$s),cmocka)))
$(foreach s,$(FUZZ_SRC),$(eval $(call test_rule,$s,$(patsubst selftests/fuzz/%.c,$(BUILD)/fuzzers/%,$s))))
$(foreach s,$(FUZZ_SRC),$(eval $(call test_rule,$s,$(patsubst selftests/fuzz/%.c,$(BUILD)/seeds/%,$s))))
$(SEEDS): $(OBJ)/selftests/fuzz/seeds.o
$(foreach s,$(BENCH_SRC),$(eval $(call test_rule,$s,$(patsubst selftests/bench/%.c,$(BUILD)/bench/%,$s))))
$(foreach s,$(INTEGRATION_SRC),$(eval $(call test_rule,$s,$(patsubst selftests/integration/%.c,$(BUILD)/integration/%,$s))))

# The engine alone, with its rules: the brain replays a trace on any laptop.
$(BUILD)/trace/replay: $(TRACE_SRC:%.c=$(OBJ)/%.o) $(OBJ)/gen/registry_rule.o \
		$(call archives,$(test_dirs_engine))
	$(link) $(call pkg_libs,json-c yaml-0.1)

TARGET_DIRS := selftests/target/app daemon/gateway daemon/sys daemon/base
define target_rule
$(BUILD)/target/$(call target_name,$1): $(OBJ)/$(1:.c=.o) $(call archives,$(TARGET_DIRS))
	$$(link) $$(call pkg_libs,libsystemd libmicrohttpd json-c libpq libcurl libcrypto)
endef
$(foreach s,$(TARGET_SRC),$(eval $(call target_rule,$s)))

# ---- install -------------------------------------------------------------------------------------

put = $(if $(strip $2),$(INSTALL) -d '$(DESTDIR)$1' && $(INSTALL) -m $3 $2 '$(DESTDIR)$1/',:)
CONF_DIRS := $(sort $(wildcard packaging/conf/*.d))
TARGET_CONF_DIRS := $(sort $(wildcard selftests/target/*.d))
unit_files = $(sort $(wildcard $(foreach x,service socket slice target timer path,$1/*.$x)))

install: all
	@$(call put,$(libexecdir),$(patsubst %,$(BIN)/%,$(filter aiops-%,$(PROGRAMS))),0755)
	@ln -sfn aiops-fault '$(DESTDIR)$(libexecdir)/batch-worker' # a fault's worker: daemon/sys/worker.h
	@$(call put,$(bindir),$(patsubst %,$(BIN)/%,$(filter aiopsctl,$(PROGRAMS))),0755)
	@$(call put,$(unitdir),$(call unit_files,units) $(STEP_UNITS),0644)
	@$(INSTALL) -D -m 0644 units/aiops.sysusers '$(DESTDIR)$(sysusersdir)/aiops-agent.conf'
	@$(INSTALL) -D -m 0644 units/aiops.tmpfiles '$(DESTDIR)$(tmpfilesdir)/aiops-agent.conf'
	@$(INSTALL) -D -m 0644 units/60-aiops.rules '$(DESTDIR)$(polkitdir)/60-aiops.rules'
	@$(if $(wildcard units/aiops.catalog),$(INSTALL) -D -m 0644 units/aiops.catalog \
		'$(DESTDIR)$(catalogdir)/aiops-agent.catalog')
	@$(call put,$(datadir)/runbooks.d,$(sort $(wildcard runbooks/*.md)),0644)
	@$(call put,$(datadir)/alerts.d,$(sort $(wildcard runbooks/alerts/*.yaml alerts/*.yaml)),0644)
	@$(call put,$(grafanadir),$(sort $(wildcard packaging/grafana/dashboards/*.json)),0644)
	@$(foreach k,datasources dashboards,$(call put,$(grafanadir)/provisioning/$k,packaging/grafana/provisioning/$k/aiops.yaml,0644) &&) :
	@$(call put,$(sqldir),$(sort $(wildcard packaging/sql/*.sql)),0644)
	@$(foreach d,$(CONF_DIRS),$(call put,$(datadir)/$(notdir $d),$(sort $(wildcard $d/*)),0644) &&) :
	@$(foreach n,1 5 7 8,$(call put,$(mandir)/man$n,$(sort $(wildcard packaging/man/*.$n)),0644) &&) :
	@$(foreach s,bash zsh fish,$(call put,$($scompletiondir),$(sort $(wildcard packaging/completion/$s/*)),0644) &&) :

# The sandbox to break; its own package. Only what needs no database.
install-target: all
	@$(call put,$(targetlibexecdir),$(BUILD)/target/aiops-target-api,0755)
	@$(call put,$(unitdir),$(call unit_files,selftests/target),0644)
	@$(foreach d,$(TARGET_CONF_DIRS),$(call put,$(datadir)/$(notdir $d),$(sort $(wildcard $d/*)),0644) &&) :

# The whole application; a package of its own, for it needs PostgreSQL and a web server.
STACK := selftests/target/stack
targetdatadir = $(prefix)/share/aiops-target
install-target-stack: all
	@$(call put,$(targetlibexecdir),$(filter-out %-api,$(TARGETS)) \
		$(filter-out %/aiops-target,$(shell find $(STACK) -maxdepth 1 -type f -perm -u+x)),0755)
	@$(call put,$(prefix)/sbin,$(STACK)/aiops-target,0755)
	@$(call put,$(unitdir),$(call unit_files,$(STACK)),0644)
	@$(INSTALL) -D -m 0644 $(STACK)/aiops-target.sysusers '$(DESTDIR)$(sysusersdir)/aiops-target-stack.conf'
	@$(INSTALL) -D -m 0644 $(STACK)/aiops-target.tmpfiles '$(DESTDIR)$(tmpfilesdir)/aiops-target-stack.conf'
	@$(foreach d,units containers,$(call put,$(targetdatadir)/$d,$(wildcard $(STACK)/$d/*.conf $(STACK)/$d/*.yaml),0644) && \
		$(call put,$(targetdatadir)/$d/services.d,$(wildcard $(STACK)/$d/services.d/*),0644) &&) :
	@$(call put,$(targetdatadir)/migrations,$(sort $(wildcard selftests/target/migrations/*.sql)),0644)
	@$(call put,$(targetdatadir)/web,$(sort $(wildcard selftests/target/web/*)),0644)
	@$(call put,$(datadir)/policy.d,$(STACK)/policy.d/50-aiops-target-stack.yaml,0644)
	@$(call put,$(mandir)/man8,$(STACK)/aiops-target.8,0644)

-include $(shell test -d $(OBJ) && find $(OBJ) -name '*.d' -type f)
