# The bench's own programs, for tests/bench/bench: not installed, and built by
# "make bench-tools" or with the test of them.
BENCH_TOOLS = tests/bench/limit tests/bench/link tests/bench/sink
EXTRA_PROGRAMS = $(BENCH_TOOLS) tests/bench/store
CLEANFILES += $(BENCH_TOOLS)
tests_bench_limit_SOURCES = tests/bench/limit.c
tests_bench_limit_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_bench_limit_LDADD = $(OPENSSL_LIBS)
tests_bench_link_SOURCES = tests/bench/link.c
tests_bench_sink_SOURCES = tests/bench/sink.c
tests_bench_sink_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_bench_sink_LDADD = $(OPENSSL_LIBS) -lpthread

# It prints what the state database costs.
tests_bench_store_SOURCES = tests/bench/store.c
tests_bench_store_LDADD = libstore.a libbase.a $(SQLITE_LIBS) $(SYSTEMD_LIBS) \
	-lpthread

bench-tools: $(BENCH_TOOLS)
.PHONY: bench-tools

TESTS += tests/bench/tools.sh
tests/bench/tools.log: $(BENCH_TOOLS)

EXTRA_DIST += tests/bench/README tests/bench/bars.py tests/bench/bench \
	tests/bench/measure tests/bench/plot tests/bench/profile \
	tests/bench/programs.py tests/bench/runner.py \
	tests/bench/tools.sh tests/bench/workload.py tests/bench/world.py
