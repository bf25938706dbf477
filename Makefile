# SPDX-License-Identifier: LGPL-2.1-or-later
# Corral's only makefile. `make help` lists the targets.

# The version's one place is CORRAL_VERSION in shm/corral.h.
VERSION := $(shell sed -n 's/^.define CORRAL_VERSION "\(.*\)"$$/\1/p' shm/corral.h)
SOMAJOR := 0

# What one may set on the command line ------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
BUILD   ?= build
CFLAGS  ?= -O2 -g
WERROR  ?=
# Comma-separated, for -fsanitize=; give a BUILD of its own with it.
SANITIZE ?=
# DEPS=skip: do not look for (and install) missing packages.
DEPS    ?=
DESTDIR ?=
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
LIBDIR  ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
DATADIR ?= $(PREFIX)/share/corral
# Arguments of the program that `make run` and `make bench` start.
ARGS    ?=
# A regular expression: `make test K=lock` runs the tests whose names match.
K       ?=
# A revision to compare with, and how many pairs of runs `make compare` makes (at least 10).
BASE    ?=
PAIRS   ?= 10
# V=1: show the commands, not one short line for each file that is made.
V       ?=
# How long `make fuzz` runs each target.
FUZZ_SECONDS ?= 60

# As many jobs as there are processors if none were asked for. Not for several goals that do more than build: they would run
# side by side (make clean all, make lint test).
ifeq ($(MAKELEVEL)$(filter-out 1,$(words $(or $(filter-out all tests,$(MAKECMDGOALS)),all)))$(and $(filter clean,$(MAKECMDGOALS)),$(filter all tests,$(MAKECMDGOALS))),0)
MAKEFLAGS += -j$(shell nproc)
endif

# In front of a command: V=1 shows it, otherwise one short line says what is made (none with -s).
Q   := $(if $(V),,@)
say  = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,printf '  %-4s %s\n' $(1) $(@:$(BUILD)/%=%);)

# What is made of what ----------------------------------------------------------------------------

lib_objects   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shm/*/*.c))
# What the programs share: each takes what it needs of it.
common_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/common/*.c))
agent_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard agent/*.c))
tool_objects  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/*.c))
web_objects   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard web/*.c))
bench_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.c bench/*/*.c))
example_programs := $(patsubst %.c,$(BUILD)/%,$(wildcard examples/*.c))
# tests/LAYER/NN_*.c are programs, BUILD/tests/NN_*; tests/kit is what they share.
test_sources  := $(wildcard tests/*/[0-9][0-9]_*.c)
test_mains    := $(test_sources:%.c=$(BUILD)/%.o)
test_programs := $(addprefix $(BUILD)/tests/,$(basename $(notdir $(test_sources))))
test_objects  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/kit/*.c))
# A fuzz target is linked with replay.c, or with libFuzzer (make fuzz).
fuzz_targets  := arena cart arguments control snapshot journal steps
fuzz_objects  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/fuzz/*.c))
replays       := $(fuzz_targets:%=$(BUILD)/tests/fuzz/replay_%)
fuzzers       := $(fuzz_targets:%=$(BUILD)/tests/fuzz/fuzz_%)
# It damages whole directories and runs the programs on them; needs no libFuzzer.
mutator       := $(BUILD)/tests/fuzz/mutate
# What the public header promises, as cases that are run against a location.
contract      := $(BUILD)/tests/contract/contract
contract_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/contract/*.c))
# It stops in the middle of a change, for the tests of other languages.
holder        := $(BUILD)/tests/holder
tool_parts     := $(filter-out %/main.o,$(tool_objects)) $(BUILD)/common.a
# Workers that change carts while servers are killed, and a judge; and the same calls on two locations.
redis_tests := $(addprefix $(BUILD)/tests/redis/,history differential crowd ratios forked killed waits)
# The engine for carts on other machines, a module of its own. tests/redis/*.c are built with it.
redis_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard redis/*.c))
all_objects   := $(redis_objects) $(redis_tests:=.o) $(lib_objects) $(common_objects) $(agent_objects) $(tool_objects) $(web_objects) $(bench_objects) \
                 $(test_objects) $(test_mains) $(fuzz_objects) $(contract_objects) $(example_programs:=.o) \
                 $(BUILD)/tests/whole/holder.o \
                 $(patsubst %.c,$(BUILD)/%.o,$(wildcard clients/*/*.c))

# A program whose sources are not there yet is not built.
programs := $(if $(tool_objects),$(BUILD)/corral) \
            $(if $(agent_objects),$(BUILD)/corral-agent) \
            $(if $(web_objects),$(BUILD)/corral-web) \
            $(if $(bench_objects),$(BUILD)/corral-bench)
redis_module := $(BUILD)/libcorral-redis.so.$(SOMAJOR)
libraries := $(BUILD)/libcorral.a $(BUILD)/libcorral.so.$(VERSION) $(redis_module)
links     := $(BUILD)/libcorral.so.$(SOMAJOR) $(BUILD)/libcorral.so

# Flags -------------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
            $(if $(filter 1 yes,$(WERROR)),-Werror)
sanitize := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
cflags    = -std=gnu11 -D_GNU_SOURCE -Ishm -Itools -Iagent -Ibench -Itests/kit $(warnings) -fPIC -fvisibility=hidden -pthread \
            $(sanitize) $(CPPFLAGS) $(CFLAGS)
ldflags   = -pthread -Wl,-z,relro,-z,now $(sanitize) $(LDFLAGS)
# Never unloaded: threads that used it call it at their end. With a sanitizer the names of its runtime stay undefined.
so_flags  = -shared -Wl,-z,nodelete -Wl,-soname,libcorral.so.$(SOMAJOR) -Wl,--version-script=shm/corral.map \
            $(if $(SANITIZE),,-Wl,-z,defs)

# pkg-config is asked when a program is linked (once for each library), not when this file is
# read: it may not be installed yet.
pkg_libs = $(eval libs_$(1) := $(shell pkg-config --libs $(1) 2>/dev/null || echo $(2)))$(libs_$(1))
msgpack_libs = $(or $(libs_msgpack),$(call pkg_libs,msgpack,-lmsgpackc))
ncurses_libs = $(or $(libs_ncursesw),$(call pkg_libs,ncursesw,-lncursesw -ltinfo))
jansson_libs = $(or $(libs_jansson),$(call pkg_libs,jansson,-ljansson))
# What grace periods are compared with.
urcu_libs    = $(foreach f,memb mb qsbr,$(or $(libs_liburcu-$f),$(call pkg_libs,liburcu-$f,-lurcu-$f)))
# Of the peers that corral-bench is compared with, those that are installed (make bench-deps).
peer_libs    = $(foreach p,hiredis libmemcached lmdb sqlite3,$(or $(libs_$(p)),$(call pkg_libs,$(p),)))
microhttpd_libs = $(or $(libs_libmicrohttpd),$(call pkg_libs,libmicrohttpd,-lmicrohttpd))
openssl_libs = $(or $(libs_openssl),$(call pkg_libs,openssl,-lssl -lcrypto))
hiredis_libs = $(or $(libs_hiredis),$(call pkg_libs,hiredis,-lhiredis))
test_libs    = $(or $(libs_cmocka),$(call pkg_libs,cmocka,-lcmocka)) -lgmp

# Build -------------------------------------------------------------------------------------------

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY: $(all_objects)

all: $(libraries) $(links) $(programs) ## build the libraries and programs into build/ (the default)

# What was compiled with a warning is compiled again each time, until it is mended: so WERROR=1 finds it, though it is not
# among the flags that make everything anew.
$(BUILD)/%.o: %.c $(BUILD)/flags | deps-build
	$(Q)$(call say,CC)mkdir -p $(@D); $(CC) $(cflags) -MMD -MP -c -o $@ $< 2>$(@:.o=.said); code=$$?; \
		if [ -s $(@:.o=.said) ]; then cat $(@:.o=.said) >&2; [ $$code -ne 0 ] || touch -d @0 $@; fi; exit $$code

# What page.c and pages.c have in them.
$(BUILD)/bench/report/page.o: bench/report/page.html
$(BUILD)/web/pages.o: $(wildcard web/page/*)

archive = $(Q)$(call say,AR)mkdir -p $(@D); rm -f $@; $(AR) rcs $@ $^

$(BUILD)/libcorral.a: $(lib_objects)
	$(archive)

$(BUILD)/libcorral.so.$(VERSION): $(lib_objects) shm/corral.map $(BUILD)/flags
	$(Q)$(call say,LD)$(CC) $(cflags) $(ldflags) $(so_flags) -o $@ $(lib_objects)

# It imports nothing from libcorral, which may be linked into the program that loads it.
$(redis_module): $(redis_objects) redis/module.map $(BUILD)/flags
	$(Q)$(call say,LD)$(CC) $(cflags) $(ldflags) -shared -Wl,-soname,$(@F) -Wl,--version-script=redis/module.map \
		$(if $(SANITIZE),,-Wl,-z,defs) -o $@ $(redis_objects) $(hiredis_libs) $(openssl_libs)

$(links): $(BUILD)/libcorral.so.$(VERSION)
	$(Q)ln -sf $(<F) $@

$(BUILD)/corral: $(tool_objects) $(BUILD)/common.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(msgpack_libs) $(jansson_libs) $(ncurses_libs)

$(BUILD)/corral-agent: $(agent_objects) $(BUILD)/common.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(msgpack_libs) $(jansson_libs)

# What it shows, the tool shows in the same form.
$(BUILD)/corral-web: $(web_objects) $(BUILD)/tool.a $(BUILD)/common.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(microhttpd_libs) $(msgpack_libs) $(jansson_libs)

$(BUILD)/tool.a: $(filter-out $(BUILD)/tools/main.o,$(tool_objects))
	$(archive)

$(BUILD)/corral-bench: $(bench_objects) $(BUILD)/common.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(msgpack_libs) $(jansson_libs) $(peer_libs) $(urcu_libs) -lm

$(test_objects) $(test_mains) $(fuzz_objects) $(contract_objects): | deps-test

$(BUILD)/tests/support.a: $(test_objects)
	$(archive)

$(BUILD)/common.a: $(common_objects)
	$(archive)

# The agent without its main(): the crash tests take up arenas as an agent does.
$(BUILD)/agent.a: $(filter-out $(BUILD)/agent/main.o,$(agent_objects))
	$(archive)

# The power-loss test stands between the agent and the clock, and the system calls that change files (tests/kit/power_trace.c).
power_calls := openat mkdirat unlinkat renameat renameat2 pwrite ftruncate fsync fdatasync msync arena_wall_ms
$(BUILD)/tests/68_power_loss: test_ldflags := $(power_calls:%=-Wl,--wrap=%)

# The model of corral top is one of the tools' modules.
$(BUILD)/tests/70_top_model: $(filter-out %/main.o,$(tool_objects))
$(BUILD)/tests/70_top_model: test_own_libs = $(ncurses_libs)

# The messages of corral-web are one of its modules, and use one of the tools'.
$(BUILD)/tests/75_stream: $(BUILD)/web/stream.o $(filter-out %/main.o,$(tool_objects))
$(BUILD)/tests/75_stream: test_own_libs = $(ncurses_libs)

# The torture of grace periods runs over those of liburcu, too.
$(BUILD)/tests/35_grace_torture: test_own_libs = $(urcu_libs)

$(foreach s,$(test_sources),$(eval $(BUILD)/tests/$(basename $(notdir $s)): $(BUILD)/$(s:.c=.o)))
$(test_programs): $(BUILD)/tests/support.a $(BUILD)/agent.a $(BUILD)/common.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) $(test_ldflags) -o $@ $(filter %.o,$^) $(filter %.a,$^) \
		$(test_libs) $(msgpack_libs) $(jansson_libs) $(test_own_libs) -lm

$(example_programs): $(BUILD)/examples/%: $(BUILD)/examples/%.o $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(msgpack_libs)

examples: $(example_programs) ## build the small programs in examples/ into build/examples

# What a fuzz target needs besides the library.
fuzz_parts = $($*_parts) $(BUILD)/tests/support.a $(BUILD)/libcorral.a
arena_parts := $(BUILD)/tests/fuzz/damage.o
cart_parts := $(tool_parts)
steps_parts := $(tool_parts)
arguments_parts := $(tool_parts) $(addprefix $(BUILD)/bench/,harness/bench.o replay/orders.o replay/order_row.o)
journal_parts := $(addprefix $(BUILD)/agent/,recover.o recover_ends.o recover_index.o recover_second.o aside.o ends.o journal_file.o versions.o log.o) $(BUILD)/common.a
control_parts := $(addprefix $(BUILD)/agent/,control.o log.o usage.o) $(BUILD)/common.a
$(foreach t,$(fuzz_targets),$(eval $(BUILD)/tests/fuzz/replay_$(t) $(BUILD)/tests/fuzz/fuzz_$(t): $($(t)_parts)))

$(replays): $(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/tests/support.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $(filter %/fuzz_$*.o %/replay.o,$^) $(fuzz_parts) $(msgpack_libs) $(jansson_libs) \
		$(ncurses_libs)

$(fuzzers): $(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/support.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -fsanitize=fuzzer -o $@ $< $(fuzz_parts) $(msgpack_libs) $(jansson_libs) \
		$(ncurses_libs)

$(mutator): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/fuzz/mutate*.c)) $(BUILD)/tests/support.a $(BUILD)/agent.a $(BUILD)/common.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(msgpack_libs) $(jansson_libs)

$(contract): $(contract_objects) $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(test_libs) $(msgpack_libs) $(jansson_libs)

$(holder): $(BUILD)/tests/whole/holder.o $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(msgpack_libs)

$(redis_tests): $(BUILD)/tests/redis/%: $(BUILD)/tests/redis/%.o $(BUILD)/libcorral.a
	$(Q)$(call say,LD)$(CC) $(ldflags) -o $@ $^ $(msgpack_libs) $(hiredis_libs)

fuzzers: $(fuzzers) $(mutator) $(programs)

tests: $(test_programs) $(replays) $(mutator) $(contract) $(redis_tests) ## build the test programs

# What the tests that K selects are run with: its C programs, and, for scripts, the test programs that scripts call.
selected := $(if $(K),$(shell printf '%s\n' $(basename $(notdir $(wildcard tests/*/[0-9][0-9]_*.c tests/*/[0-9][0-9]_*.sh))) | grep -E -- '$(K)'))
script_programs := $(addprefix $(BUILD)/tests/,60_agent_socket 62_readers_quiet 67_sync) $(replays) $(mutator) $(contract) $(redis_tests)
selected_tests = $(filter $(selected:%=$(BUILD)/tests/%),$(test_programs)) \
                 $(if $(wildcard $(selected:%=tests/*/%.sh)),$(script_programs))

# Changes when the compiler or its flags do: then everything is built again.
flags_text = $(filter-out -Werror,$(CC) $(cflags) $(ldflags))
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(flags_text)' | cmp -s - $@ || echo '$(flags_text)' > $@

-include $(all_objects:.o=.d)

# The Node client ---------------------------------------------------------------------------------

# What clients share: one thread for all that a process waits for.
client_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard clients/common/*.c))
# clients/node as it is installed: the addon and the agent's program beside the JavaScript, in BUILD/node.
node_dir     := $(BUILD)/node
node_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard clients/node/*.c))
node_scripts := $(wildcard clients/node/index.* clients/node/lib/* clients/node/package.json clients/node/README.md)
node_arch     = $(shell node -p 'process.platform + "-" + process.arch' 2>/dev/null)
node_native   = $(node_dir)/native/$(node_arch)
# The headers of the node that runs, if they lie beside it, else those of libnode-dev.
node_headers  = $(firstword $(wildcard $(addsuffix /node_api.h,$(shell node -p 'require("path").resolve(process.execPath, "../../include/node")' 2>/dev/null) /usr/include/node)))
# What else the library needs is linked in: a user of the package has only glibc. A distribution has
# the library: NODE_LIBS=BUILD/libcorral.so.
static_msgpack := -l:libmsgpackc.a
static_jansson := -l:libjansson.a
NODE_LIBS ?= $(BUILD)/libcorral.a $(static_msgpack)

$(node_objects): private cflags += -Iclients $(if $(node_headers),-isystem $(patsubst %/,%,$(dir $(node_headers)))) -DNAPI_VERSION=8
$(node_objects): | deps-node
$(client_objects): private cflags += -Iclients

node: deps-node ## build the Node client into build/node
	@$(MAKE) --no-print-directory DEPS=skip node-files

# (names with the architecture in them need node, which deps-node has installed by now)
node-files: $(node_native)/corral.node $(node_native)/corral-agent $(node_native)/$(notdir $(redis_module)) $(node_scripts:clients/node/%=$(node_dir)/%)

$(node_dir)/native/%/corral.node: $(node_objects) $(client_objects) $(firstword $(NODE_LIBS)) clients/node/addon.map
	$(Q)$(call say,LD)mkdir -p $(@D); $(CC) $(cflags) $(ldflags) -shared -Wl,-z,nodelete -Wl,--version-script=clients/node/addon.map \
		-o $@ $(node_objects) $(client_objects) $(NODE_LIBS)

$(node_dir)/native/%/corral-agent: $(agent_objects) $(BUILD)/common.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)mkdir -p $(@D); $(CC) $(ldflags) -o $@ $^ $(static_msgpack) $(static_jansson)

# It has an OpenSSL of its own, whose names no other object sees: a Node that has OpenSSL in its program,
# of another version, would otherwise lend the module some of its functions.
static_redis := -l:libhiredis.a -l:libssl.a -l:libcrypto.a
$(node_dir)/native/%/$(notdir $(redis_module)): $(redis_objects) redis/module.map
	$(Q)$(call say,LD)mkdir -p $(@D); $(CC) $(cflags) $(ldflags) -shared -Wl,-soname,$(@F) -Wl,--version-script=redis/module.map \
		-o $@ $(redis_objects) $(static_redis)

$(node_dir)/%: clients/node/%
	$(Q)mkdir -p $(@D); cp $< $@

node-package: node ## make the npm package build/corral-client-*.tgz, with the addon and the agent in it
	@clients/node/package.sh $(BUILD)

bench-node: deps-node deps-bench ## compare the Node client with Map, Redis, SQLite and LMDB, as Markdown (ARGS=calls or cluster: one part)
	@$(MAKE) --no-print-directory DEPS=skip node-files $(holder)
	@clients/node/bench/run.sh $(BUILD) $(ARGS)

node-test: deps-node $(if $(filter long,$(NODE_TEST)),deps-browser) ## test the Node client; K=pattern selects, NODE_TEST=long repeats as often as the nightly run does
	@$(MAKE) --no-print-directory DEPS=skip node-files $(BUILD)/corral $(holder) $(redis_module)
	@BUILD=$(BUILD) SANITIZE='$(SANITIZE)' clients/node/test/run.sh '$(or $(K),.)'

# The Python client -------------------------------------------------------------------------------

# clients/python/corral as it is used: the extension and the agent's program beside the modules, in BUILD/python/corral.
# The extension is made for the limited API, so any headers do, and any CPython since 3.11 loads it.
PYTHON         ?= $(firstword $(wildcard /usr/bin/python3) python3)
python_dir     := $(BUILD)/python/corral
python_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard clients/python/*.c))
python_modules := $(wildcard clients/python/corral/*.py clients/python/corral/*.pyi clients/python/corral/py.typed)
# As NODE_LIBS: a distribution has the library.
PYTHON_LIBS ?= $(BUILD)/libcorral.a $(static_msgpack)
python_headers  = $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))' 2>/dev/null)

$(python_objects): private cflags += -Iclients $(if $(python_headers),-isystem $(python_headers))
$(python_objects): | deps-python

python: deps-python ## build the Python client into build/python
	@$(MAKE) --no-print-directory DEPS=skip python-files

python-files: $(python_dir)/_corral.abi3.so $(python_dir)/corral-agent $(python_modules:clients/python/%=$(BUILD)/python/%)

$(python_dir)/_corral.abi3.so: $(python_objects) $(client_objects) $(firstword $(PYTHON_LIBS)) clients/python/ext.map
	$(Q)$(call say,LD)mkdir -p $(@D); $(CC) $(cflags) $(ldflags) -shared -Wl,-z,nodelete -Wl,--version-script=clients/python/ext.map \
		-o $@ $(python_objects) $(client_objects) $(PYTHON_LIBS)

$(python_dir)/corral-agent: $(agent_objects) $(BUILD)/common.a $(BUILD)/libcorral.a
	$(Q)$(call say,LD)mkdir -p $(@D); $(CC) $(ldflags) -o $@ $^ $(static_msgpack) $(static_jansson)

$(BUILD)/python/%: clients/python/%
	$(Q)mkdir -p $(@D); cp $< $@

python-package: python ## make the wheel build/corral_client-*.whl, with the extension and the agent in it
	@$(PYTHON) clients/python/package.py $(BUILD) $(VERSION)

bench-python: python deps-bench-python ## compare the Python client with a dict, copy.deepcopy and Redis, as Markdown
	@PYTHON=$(PYTHON) clients/python/bench/run.sh $(BUILD)

python-test: python $(BUILD)/corral $(holder) $(redis_module) $(if $(filter long,$(PYTHON_TEST)),deps-python-long) ## test the Python client; K=pattern selects, PYTHON_TEST=long repeats as often as the nightly run does
	@BUILD=$(BUILD) SANITIZE='$(SANITIZE)' PYTHON=$(PYTHON) clients/python/test/run.sh '$(or $(K),.)'

# Packages: looked for in some milliseconds, installed when they are missing ------------------------

deps-%:
	@$(if $(filter skip,$(DEPS)),:,CC="$(CC)" tools/deps.sh $*)

# (one after the other: apt-get has a lock)
deps-test deps-lint deps-check deps-fuzz deps-model deps-bench deps-bare deps-node deps-python deps-python-long deps-bench-python deps-browser: deps-build

deps: deps-build deps-test ## install the packages that build and tests need (deps-lint, deps-check, deps-fuzz, deps-model: the others)

# Run ---------------------------------------------------------------------------------------------

run: all ## run the agent in the foreground: make run ARGS="--dir ~/carts"
	$(BUILD)/corral-agent $(ARGS)

demo: all ## a guided tour in the terminal; ORDERS=file.tsv replays real orders
	BUILD=$(BUILD) ORDERS="$(ORDERS)" tools/demo.sh

demo-web: all ## the same orders in the browser: a board that follows callers, while workers and agent die
	BUILD=$(BUILD) ORDERS="$(ORDERS)" web/demo.sh

bench: all ## five minutes of benchmarks, and a report in bench/out; or one: make bench ARGS=get (peers, "replay FILE", --help)
	$(if $(ARGS),$(BUILD)/corral-bench $(ARGS),bench/select.sh $(BUILD) bench/out)

# Both in one run, since what another run had says little: machines change by more than the programs do.
compare: all ## measure two builds in turns, and print each ratio with its interval: make compare BASE=REV ARGS="get --carts 100"
	@$(if $(BASE),,echo 'compare: BASE=REV is the revision to compare with' >&2; exit 2;) \
		bench/compare.sh -n $(PAIRS) $(BUILD) '$(BASE)' $(or $(ARGS),get)

bench-deps: deps-bench ## install the programs that `corral-bench peers` compares Corral with
	@rm -f $(BUILD)/bench/peers/*.o $(BUILD)/corral-bench

# Test --------------------------------------------------------------------------------------------

# a sanitizer makes slow
run_tests = tests/run.sh $(if $(K),-k '$(K)') $(if $(SANITIZE),-s 2)

test: all $(if $(K),$(selected_tests),tests) deps-test ## build and run all tests; K=pattern builds and runs those that match
	@CC="$(CC)" $(run_tests) $(BUILD)

asan ubsan: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory test BUILD=$(BUILD)/asan SANITIZE=address,undefined

tsan: deps-test ## the tests' thread bodies under ThreadSanitizer
	@$(MAKE) --no-print-directory all tests BUILD=$(BUILD)/tsan SANITIZE=thread
	@CORRAL_TEST_MODE=threads $(run_tests) -c -s 2 -w "$$(setarch -R true 2>/dev/null && echo setarch -R)" $(BUILD)/tsan

soak: all deps-test ## callers, deployed workers, deaths, top and the board for an hour; nothing lost, memory flat; SOAK_SECONDS=n
	@BUILD=$(BUILD) web/soak.sh

web-test: all deps-browser ## the pages in a headless Chromium; SHOTS=dir keeps pictures, K=claims selects
	@BUILD=$(BUILD) SHOTS="$(SHOTS)" python3 tests/web/pages.py $(K)

crash: all tests ## the whole crash matrix: death at every instruction (`make test` runs a sample)
	@tests/crash.sh $(BUILD)

power: all tests ## the whole power-loss test: every state of the disk (`make test` looks at a sample)
	CORRAL_POWER=all $(BUILD)/tests/68_power_loss

bare: deps-bare ## the README's two commands on a bare Debian, in a temporary directory; the commit that is checked out, as root
	@tests/bare.sh demo $(BUILD)

bare-node: deps-bare ## in such a root: `make node-test` with Debian's own Node; K=pattern selects
	@tests/bare.sh node $(BUILD) '$(or $(K),.)'

bare-python: deps-bare ## in such a root: `make python-test` with Debian's own Python; K=pattern selects
	@tests/bare.sh python $(BUILD) '$(or $(K),.)'

deb: deps-bare ## in such a root: the Debian packages, into build/deb, and what lintian says of them
	@tests/bare.sh deb $(BUILD)

deb-test: deb ## the packages: built again to the same bytes, installed, upgraded, removed, purged under systemd
	@tests/bare.sh packages $(BUILD)

arm64: deps-bare ## in such a root: everything cross-built for arm64 with -Werror, and the C tests (K=pattern: some) under qemu-user
	@tests/bare.sh arm64 $(BUILD) '$(or $(K),.)'

nightly: ## all that `.ci/run` has no time for, whole: crash, power, mutants, model, fuzz, storm. Hours
	@env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL bash .ci/run nightly

cluster: all tests node python ## carts on a Redis Cluster whose servers are killed, stopped and moved; K=claims selects. Minutes
	@BUILD=$(BUILD) tests/redis/cluster.sh $(K)

cluster-mutants: all tests ## take what makes a cluster's carts safe away, piece by piece: a test must turn red
	@BUILD=$(BUILD) tests/redis/mutants.sh '$(or $(K),.)'

mutants: all tests ## take steps of the death protocol away one at a time: the crash tests must turn red
	@tests/mutants.sh '$(or $(K),.)'

fuzz: deps-fuzz ## fuzz each target for FUZZ_SECONDS, from the corpus in tests/fuzz; K=pattern selects
	@$(MAKE) --no-print-directory fuzzers BUILD=$(BUILD)/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined
	@tests/fuzz/fuzz.sh -s '$(FUZZ_SECONDS)' -k '$(or $(K),.)' $(BUILD)/fuzz

model: deps-model ## check the models of grace periods and locks with spin; K=pattern selects
	@tests/model/run.sh $(BUILD)/model '$(or $(K),.)'

# The thread bodies only: at the end of each process valgrind reads all that is mapped, which on a full
# disk is a SIGBUS for every word.
valgrind: all tests deps-check ## the unit tests (10 to 59) under valgrind
	@CORRAL_TEST_MODE=threads tests/run.sh -c -k '$(or $(K),^[1-5])' -s 8 \
		-w 'valgrind -q --fair-sched=try --error-exitcode=99 --leak-check=full --suppressions=tests/lint/valgrind.supp' $(BUILD)

lint: deps-lint ## layers, labels, names, manuals, format, clang-tidy
	@CC="$(CC)" tests/lint/lint.sh

lint-slow: deps-lint ## modules that use each other in circles; clang-tidy over tests, benchmark and examples
	@CC="$(CC)" tests/lint/lint.sh circles tidy_bench tidy_tests

analyze: deps-lint ## the static analyzer of clang, over library and agent; takes minutes
	@CC="$(CC)" tests/lint/lint.sh analyze

analyze-all: deps-lint ## the same over all sources but the tests
	@CC="$(CC)" tests/lint/lint.sh analyze_all

format: deps-lint ## apply .clang-format to all C files
	clang-format -i $(wildcard shm/*.h shm/*/*.[ch] redis/*.[ch] agent/*.[ch] tools/*.[ch] tools/common/*.[ch] web/*.[ch] bench/*.[ch] bench/*/*.[ch] tests/*/*.[ch] examples/*.c clients/*/*.[ch])

# Install -----------------------------------------------------------------------------------------

# Not the benchmark: it measures this build, beside the programs that lie there.
installed_programs := $(filter-out %/corral-bench,$(programs))
man_pages := $(wildcard shm/*.[1-8] redis/*.[1-8] agent/*.[1-8] tools/*.[1-8] web/*.[1-8])
units := agent/corral-agent.service web/corral-web.service
# A dashboard for Grafana and alert rules for Prometheus.
monitoring := $(wildcard web/monitoring/*)
# One file for each shell does for all programs; shells look for a file by a program's name.
completed := corral corral-agent corral-web
completion_files := $(completed:%=$(BASHDIR)/%) $(completed:%=$(ZSHDIR)/_%) $(completed:%=$(FISHDIR)/%.fish)

install: all ## install below $(DESTDIR)$(PREFIX), by default /usr/local
	@$(MAKE) --no-print-directory install-files

# What is built, as it is (the tests install a build of whatever flags).
install-files:
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR) $(UNITDIR) \
		$(SYSUSERSDIR) $(TMPFILESDIR) $(BASHDIR) $(ZSHDIR) $(FISHDIR) $(DATADIR))
	install -m 755 $(installed_programs) $(DESTDIR)$(BINDIR)
	install -m 644 $(BUILD)/libcorral.a $(DESTDIR)$(LIBDIR)
	install -m 755 $(BUILD)/libcorral.so.$(VERSION) $(redis_module) $(DESTDIR)$(LIBDIR)
	ln -sf libcorral.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libcorral.so.$(SOMAJOR)
	ln -sf libcorral.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libcorral.so
	install -m 644 shm/corral.h $(DESTDIR)$(INCLUDEDIR)
	sed -e 's,@PREFIX@,$(PREFIX),; s,@LIBDIR@,$(LIBDIR),; s,@INCLUDEDIR@,$(INCLUDEDIR),; s,@VERSION@,$(VERSION),' \
		shm/corral.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/corral.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/corral.pc
	for page in $(man_pages); do \
		to=$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; \
		install -D -m 644 /dev/null $$to && \
			sed 's/^\.Os$$/.Os Corral $(VERSION)/' $$page > $$to || exit 1; \
	done
	for unit in $(units); do \
		to=$(DESTDIR)$(UNITDIR)/$${unit##*/} && \
			sed 's,/usr/bin/corral,$(BINDIR)/corral,g' $$unit > $$to && chmod 644 $$to || exit 1; \
	done
	install -m 644 $(monitoring) $(DESTDIR)$(DATADIR)
	install -m 644 agent/corral.sysusers $(DESTDIR)$(SYSUSERSDIR)/corral.conf
	install -m 644 agent/corral.tmpfiles $(DESTDIR)$(TMPFILESDIR)/corral.conf
	for name in $(completed); do \
		install -m 644 tools/completion/corral.bash $(DESTDIR)$(BASHDIR)/$$name && \
		install -m 644 tools/completion/corral.zsh $(DESTDIR)$(ZSHDIR)/_$$name && \
		install -m 644 tools/completion/corral.fish $(DESTDIR)$(FISHDIR)/$$name.fish || \
		exit 1; \
	done

uninstall: ## take away what `make install` with the same PREFIX and DESTDIR put there
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,corral corral-agent corral-web)
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libcorral.a libcorral.so libcorral.so.$(SOMAJOR) \
		libcorral.so.$(VERSION) libcorral-redis.so.$(SOMAJOR) pkgconfig/corral.pc)
	rm -f $(DESTDIR)$(INCLUDEDIR)/corral.h $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(units)))
	rm -f $(addprefix $(DESTDIR)$(DATADIR)/,$(notdir $(monitoring)))
	rm -f $(addprefix $(DESTDIR),$(SYSUSERSDIR)/corral.conf $(TMPFILESDIR)/corral.conf)
	rm -f $(foreach page,$(man_pages),$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page)))
	rm -f $(addprefix $(DESTDIR),$(completion_files))

clean: ## remove build/
	rm -rf $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9 ]*\):.*## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r names text; do printf '  %-12s %s\n' "$$names" "$$text"; done

FORCE:

.PHONY: FORCE all analyze analyze-all arm64 asan bare bare-node bare-python bench bench-deps bench-node bench-python clean cluster cluster-mutants compare crash deb deb-test demo demo-web deps examples format fuzz fuzzers help install install-files lint lint-slow model mutants nightly node node-files node-package node-test power python python-files python-package python-test run soak test tests tsan ubsan uninstall valgrind web-test
