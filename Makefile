# libsio -- `make help` lists the targets.
#
# Objects go to build/<variant>/, so changing variant never needs a clean.
# Every object writes its own .d file; no header is ever listed by hand.

BUILD ?= release
OUT   := build/$(BUILD)

FLAGS.release  := -O2 -g
FLAGS.debug    := -O0 -g3
FLAGS.asan     := -O1 -g -fno-omit-frame-pointer \
                  -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS.tsan     := -O1 -g -fsanitize=thread
FLAGS.coverage := -O0 -g --coverage
ifeq ($(FLAGS.$(BUILD)),)
$(error BUILD=$(BUILD): expected release, debug, asan, tsan or coverage)
endif

# SOVERSION changes when the ABI does; VERSION is what sio_version() says.
VERSION   := $(shell sed -n 's/^.define SIO_VERSION "\(.*\)"/\1/p' include/sio/version.h)
SOVERSION := 0

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR     ?= $(PREFIX)/lib

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wcast-qual -Werror
DEFS := -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -D_GNU_SOURCE
# Brotli is for the client bundle alone: without the library it is left out.
ifeq ($(shell pkg-config --exists libbrotlienc && echo yes),yes)
DEFS   += -DSIO_WITH_BROTLI
BROTLI := -lbrotlienc
endif
# So are the Redis adapters without hiredis, or with REDIS=0.
ifeq ($(origin REDIS),undefined)
REDIS := $(shell pkg-config --exists hiredis && echo 1 || echo 0)
endif
ifeq ($(REDIS),1)
DEFS    += -DSIO_WITH_REDIS
HIREDIS := -lhiredis
REDIS_SERVERS := redis emitter
NO_REDIS := src/adapter/without_redis.c
else
NO_REDIS := src/adapter/redis% tests/unit/test_redis% tests/flow/test_redis% \
            tests/flow/fake_redis.c tests/fuzz/redis%
endif
ALL  := -std=c11 $(DEFS) -I. -Iinclude -fPIC -fvisibility=hidden -pthread \
        $(WARN) $(FLAGS.$(BUILD)) $(CFLAGS)
LIBS := -levent -levent_pthreads -lhttp_parser -lssl -lcrypto -lcjson -lz \
        $(BROTLI) $(HIREDIS) -lm -pthread

PROTO   := $(wildcard protocol/*/*.c)
CORE    := $(filter-out src/daemon/% src/cli/% $(NO_REDIS),$(wildcard src/*/*.c))
CLI     := $(wildcard src/cli/*.c)
UNIT    := $(filter-out $(NO_REDIS),$(wildcard tests/unit/test_*.c))
FLOW    := $(filter-out $(NO_REDIS),$(wildcard tests/flow/test_*.c))
SUPPORT := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)) \
           $(filter-out tests/flow/test_% $(NO_REDIS),$(wildcard tests/flow/*.c))
DEMOS   := $(filter-out common,$(patsubst demo/%/,%,$(sort $(dir $(wildcard demo/*/*.c)))))
SERVERS := conformance bench e2e $(REDIS_SERVERS)
FUZZ    := $(patsubst tests/fuzz/%.c,%,$(filter-out $(NO_REDIS),$(wildcard tests/fuzz/*.c)))
obj      = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

TESTS := $(UNIT:tests/unit/%.c=$(OUT)/unit/%) \
         $(FLOW:tests/flow/%.c=$(OUT)/flow/%) $(FUZZ:%=$(OUT)/fuzz/%)
LIB   := $(OUT)/libsio.a
SO    := $(OUT)/libsio.so.$(SOVERSION)
SIO   := $(OUT)/sio

# `make V=1` shows the commands themselves.
ifeq ($(V),1)
say = @:
Q :=
else
say = @printf '  %-5s %s\n' '$(1)' '$@'
Q := @
endif

# What sets up and builds by itself uses every core, unless told otherwise.
JOBS := $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

all: $(LIB) $(SO) $(SIO) demos

help:
	@sed -n 's/^#: //p' Makefile

# ---------------------------------------------------------------- libraries

$(OUT)/libsioproto.a: $(call obj,$(PROTO))
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
# One relocatable object, so that everything but SIO_API symbols turns local.
$(LIB): $(call obj,$(PROTO) $(CORE))
	$(call say,AR)
	$(Q)$(LD) -r -o $(OUT)/sio.o $^ && objcopy --localize-hidden $(OUT)/sio.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(OUT)/sio.o
$(SO): $(call obj,$(PROTO) $(CORE))
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -shared -Wl,-soname,libsio.so.$(SOVERSION) \
	    -o $@ $^ $(LIBS)
	$(Q)ln -sf libsio.so.$(SOVERSION) $(OUT)/libsio.so
# The tool is linked with the objects that it shares with the library.
$(SIO): $(call obj,$(CLI) $(PROTO) $(wildcard src/net/*.c))
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/obj/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL) -MMD -MP -c -o $@ $<
# Touched only when the compiler or its flags change: then all is rebuilt.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL)' | cmp -s - $@ || echo '$(CC) $(ALL)' > $@

#: make                 libsio.a, libsio.so, sio and the demos, in build/release
#: make install         headers, libraries, libsio.pc, sio; PREFIX= DESTDIR= as usual
install: $(LIB) $(SO) $(SIO) $(OUT)/libsio.pc
	install -d $(DESTDIR)$(INCLUDEDIR)/sio $(DESTDIR)$(LIBDIR)/pkgconfig \
	    $(DESTDIR)$(BINDIR)
	install -m 755 $(SIO) $(DESTDIR)$(BINDIR)/sio
	install -m 644 include/sio/*.h $(DESTDIR)$(INCLUDEDIR)/sio
	install -m 644 $(LIB) $(DESTDIR)$(LIBDIR)
	install -m 755 $(SO) $(DESTDIR)$(LIBDIR)/libsio.so.$(VERSION)
	ln -sf libsio.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libsio.so.$(SOVERSION)
	ln -sf libsio.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libsio.so
	install -m 644 $(OUT)/libsio.pc $(DESTDIR)$(LIBDIR)/pkgconfig
uninstall:
	rm -rf $(DESTDIR)$(BINDIR)/sio \
	    $(DESTDIR)$(INCLUDEDIR)/sio $(DESTDIR)$(LIBDIR)/libsio.* \
	    $(DESTDIR)$(LIBDIR)/pkgconfig/libsio.pc
$(OUT)/libsio.pc: Makefile FORCE
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$(INCLUDEDIR)' \
	    'libdir=$(LIBDIR)' '' 'Name: libsio' \
	    'Description: Socket.IO server' 'Version: $(VERSION)' \
	    'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lsio' \
	    'Libs.private: $(LIBS)' > $@

# ------------------------------------------------------------ demos, servers

.SECONDEXPANSION:
$(DEMOS:%=$(OUT)/demo/%): $(OUT)/demo/%: $$(call obj,$$(wildcard demo/$$*/*.c demo/common/*.c)) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)
demos: $(DEMOS:%=$(OUT)/demo/%)

#: make demo            set up, build and run the chat, print its URL (PORT=3000)
#: make demo DEMO=X     another one: whiteboard, sensors, messages, cluster
DEMO ?= chat
PORT ?= 3000
RUN.cluster := node demo/cluster/run.mjs --program
demo: setup-demo
	+@$(MAKE) --no-print-directory $(JOBS) demos
	$(RUN.$(DEMO)) $(OUT)/demo/$(DEMO) $(PORT)

#: make servers         the servers of tests/servers, for outside checks
servers: $(SERVERS:%=$(OUT)/servers/%)
$(OUT)/servers/conformance: \
    $(call obj,$(filter-out %/bench.c,$(wildcard tests/servers/*.c))) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)
$(OUT)/servers/bench: $(OUT)/obj/tests/servers/bench.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/servers/e2e: $(call obj,$(wildcard tests/e2e/server*.c) \
    tests/flow/toy.c tests/servers/counters.c) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

# It is inside the library, so this is linked with its objects.
$(OUT)/servers/redis: $(call obj,tests/e2e/redis_client.c $(PROTO) $(CORE))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/servers/emitter: $(OUT)/obj/tests/cluster/emitter.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

# -------------------------------------------------------------------- tests

# malloc and its siblings are wrapped, so that a test can fail the n-th call.
WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
TEST_OBJS := $(call obj,$(PROTO) $(CORE) $(SUPPORT) \
    $(filter-out src/cli/main.c,$(CLI)))
$(OUT)/unit/%: $(OUT)/obj/tests/unit/%.o $(TEST_OBJS)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) $(WRAP) -o $@ $^ $(LIBS)
$(OUT)/flow/%: $(OUT)/obj/tests/flow/%.o $(TEST_OBJS)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) $(WRAP) -o $@ $^ $(LIBS)

# What the TLS tests show each other.
certs:
	@sh tests/certs.sh build/certs

# The fuzz targets without a fuzzer, over the inputs in tests/fuzz/corpus.
$(OUT)/fuzz/%: $(OUT)/obj/tests/fuzz/%.o \
    $(call obj,tests/fuzz/driver/replay.c $(PROTO) $(CORE))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

#: make test            set up what is missing, then run every test
test: setup
	+@$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD) test-only
test-only: certs $(LIB) $(SO) $(SIO) demos servers $(TESTS) $(OUT)/libsioproto.a
	@sh tests/run.sh $(OUT) $(TESTS)
#: make check           unit and flow tests only: needs no network, no Node
check: certs $(TESTS)
	@sh tests/run.sh --quick $(OUT) $(TESTS)
#: make asan tsan debug the same as `make test` under that variant
asan tsan debug:
	@$(MAKE) --no-print-directory BUILD=$@ test
#: make churn           100,000 clients that come and go badly (CHURN=)
CHURN ?= 100000
churn: setup servers
	SIO_BUILD=$(OUT) SIO_CHURN=$(CHURN) \
	    node --test --test-reporter=tap tests/e2e/churn.test.mjs
#: make test-cluster    nodes in C and in JavaScript at one Redis
test-cluster: setup servers
	SIO_BUILD=$(OUT) node --test --test-reporter=tap tests/cluster/*.test.mjs
#: make faults          what goes wrong around a cluster, between all kinds of
#:                      nodes; writes what it has seen into docs/CLUSTER.md
faults: setup servers
	SIO_BUILD=$(OUT) SIO_FAULTS=1 \
	    node --test-reporter=tap tests/cluster/faults.test.mjs
#: make coverage        line coverage of protocol/ and src/ by all tests
coverage:
	@$(MAKE) --no-print-directory BUILD=coverage test; status=$$?; \
	    sh tests/coverage.sh build/coverage; exit $$status

#: make conformance     the checklist numbers that the last `make test` covered
conformance:
	@sh tests/conformance.sh $(OUT)

#: make lint            layers, purity, exports, banned calls, format
lint: $(OUT)/libsioproto.a $(LIB)
	@sh tests/lint/lint.sh $(OUT)
#: make format          clang-format over the tree
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
#: make sizes           functions and files worth a second look
sizes:
	@sh tests/lint/size.sh

#: make fuzz            every fuzz target, FUZZ_SECONDS=20 each
FUZZ_SECONDS ?= 20
FUZZ_FLAGS := -std=c11 $(DEFS) -I. -Iinclude -O1 -g -fno-omit-frame-pointer \
              -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=all
FUZZ_OBJS  := $(patsubst %.c,build/fuzz/obj/%.o,$(PROTO) $(CORE))
build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)clang $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<
build/fuzz/%: build/fuzz/obj/tests/fuzz/%.o $(FUZZ_OBJS)
	$(call say,FUZZ)
	$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)
fuzz: setup
	+@$(MAKE) --no-print-directory $(JOBS) $(FUZZ:%=build/fuzz/%)
	@sh tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ)

#: make bench           libsio beside Node and the floor; writes
#:                      docs/BENCHMARKS.md (BENCH_ROUNDS=5; BENCH_ONLY=row,row
#:                      prints these rows instead)
BENCH_ROUNDS  ?= 5
BENCH_SECONDS ?= 0.5
BENCH_ONLY    ?=
BENCH_NOTE    ?=
build/bench/sioload: tests/bench/codec.c tests/bench/codec.h
build/bench/sioload: BENCH_LIBS := -lssl -lcrypto -lz
build/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=c11 -O2 -Wall -Wextra -Wshadow -Werror -o $@ \
	    $(filter %.c,$^) $(BENCH_LIBS)
bench: build/bench/sioload build/bench/cfloor certs
	@$(MAKE) --no-print-directory BUILD=release servers
	@[ -d tests/bench/node/node_modules ] || npm --prefix tests/bench/node ci
	python3 tests/bench/bench.py --rounds $(BENCH_ROUNDS) \
	    --seconds $(BENCH_SECONDS) --only '$(BENCH_ONLY)' --note '$(BENCH_NOTE)'
#: make bench-cluster   an event across two nodes and a Redis, of libsio and of
#:                      Node; writes its part of docs/BENCHMARKS.md (BENCH_*)
bench-cluster: setup build/bench/sioload
	@$(MAKE) --no-print-directory BUILD=release servers
	python3 tests/bench/cluster.py --rounds $(BENCH_ROUNDS) \
	    --seconds $(BENCH_SECONDS) --only '$(BENCH_ONLY)' --note '$(BENCH_NOTE)'
#: make bench-memory    bytes of RSS per idle client, and after they have left
bench-memory: certs
	@$(MAKE) --no-print-directory BUILD=release servers
	python3 tests/bench/memory.py

# -------------------------------------------------------------------- set-up

#: make setup           install what is missing: apt packages, npm packages
setup:
	@sh tests/setup.sh all
setup-demo:
	@sh tests/setup.sh demo $(DEMO)

clean:
	rm -rf build

-include $(FUZZ_OBJS:.o=.d) $(FUZZ:%=build/fuzz/obj/tests/fuzz/%.d)
-include $(patsubst %.o,%.d,$(call obj,$(PROTO) $(CORE) $(CLI) $(UNIT) $(FLOW) \
    $(SUPPORT) $(wildcard tests/fuzz/*.c tests/fuzz/driver/*.c demo/*/*.c tests/servers/*.c tests/e2e/*.c)))
.PHONY: all certs help install uninstall demos demo servers test test-only check \
    asan tsan debug churn test-cluster faults coverage bench bench-cluster bench-memory \
    conformance lint format sizes fuzz setup setup-demo clean FORCE
.SECONDARY:
