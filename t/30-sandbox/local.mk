# A command in a sandbox; sandbox.test.mjs tries to get out of it.
check_PROGRAMS += t/30-sandbox/box t/30-sandbox/try t/30-sandbox/runtime
t_30_sandbox_try_SOURCES = t/30-sandbox/try.c
t_30_sandbox_try_CFLAGS = -std=gnu11 -O2 $(WARN_CFLAGS)
t_30_sandbox_try_LDFLAGS = -static
t_30_sandbox_runtime_SOURCES = t/30-sandbox/runtime.c
t_30_sandbox_runtime_CFLAGS = -std=gnu11 -O2 $(WARN_CFLAGS)
t_30_sandbox_runtime_LDFLAGS = -static
t_30_sandbox_box_SOURCES = t/30-sandbox/box.c
t_30_sandbox_box_LDADD = libbadal-exec.a libbadal-model.a libbadal-io.a libbadal-core.a $(LIBS_ALL)
