# Load generators; the measurements themselves are the scripts beside them.
check_PROGRAMS += t/bench/fanload
t_bench_fanload_SOURCES = t/bench/fanload.c
