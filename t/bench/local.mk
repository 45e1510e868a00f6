# Load generators; the measurements themselves are the scripts beside them.
check_PROGRAMS += t/bench/fanload
t_bench_fanload_SOURCES = t/bench/fanload.c
check_PROGRAMS += t/bench/cipher
t_bench_cipher_SOURCES = t/bench/cipher.c
t_bench_cipher_LDADD = $(SODIUM_LIBS) $(SSL_LIBS)
