# Fuzzing: one libFuzzer program for each parser of outside bytes, four lines each, and seeds in corpus/<name>.
#   ./configure --enable-fuzz CC=clang && make check TESTS= && t/fuzz/run.sh [seconds] [name…]
# What once crashed becomes a file in regress/<name>; run.sh runs those first.
FUZZ_LIBS = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(LIBS_ALL)
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_DIST += t/fuzz/fuzz.h t/fuzz/run.sh t/fuzz/corpus t/fuzz/regress

if FUZZ
check_PROGRAMS += t/fuzz/fuzz_query
t_fuzz_fuzz_query_SOURCES = t/fuzz/fuzz_query.c
t_fuzz_fuzz_query_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_query_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_permission
t_fuzz_fuzz_permission_SOURCES = t/fuzz/fuzz_permission.c
t_fuzz_fuzz_permission_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_permission_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_json
t_fuzz_fuzz_json_SOURCES = t/fuzz/fuzz_json.c
t_fuzz_fuzz_json_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_json_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_cron
t_fuzz_fuzz_cron_SOURCES = t/fuzz/fuzz_cron.c
t_fuzz_fuzz_cron_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_cron_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_date
t_fuzz_fuzz_date_SOURCES = t/fuzz/fuzz_date.c
t_fuzz_fuzz_date_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_date_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_id_token
t_fuzz_fuzz_id_token_SOURCES = t/fuzz/fuzz_id_token.c
t_fuzz_fuzz_id_token_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_id_token_LDADD = $(FUZZ_LIBS)
check_PROGRAMS += t/fuzz/fuzz_document
t_fuzz_fuzz_document_SOURCES = t/fuzz/fuzz_document.c
t_fuzz_fuzz_document_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_document_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_channel
t_fuzz_fuzz_channel_SOURCES = t/fuzz/fuzz_channel.c
t_fuzz_fuzz_channel_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_channel_LDADD = libbadal-rt.a $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_agent
t_fuzz_fuzz_agent_SOURCES = t/fuzz/fuzz_agent.c
t_fuzz_fuzz_agent_CPPFLAGS = $(AM_CPPFLAGS) -DRULES_DIR='"$(abs_top_srcdir)/t/rules"'
t_fuzz_fuzz_agent_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_agent_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_ws
t_fuzz_fuzz_ws_SOURCES = t/fuzz/fuzz_ws.c t/00-unit/ws_world.h
t_fuzz_fuzz_ws_CFLAGS = $(AM_CFLAGS) -Wno-missing-prototypes
t_fuzz_fuzz_ws_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_ws_LDADD = libbadal-core.a $(LIBS_ALL)

check_PROGRAMS += t/fuzz/fuzz_body
t_fuzz_fuzz_body_SOURCES = t/fuzz/fuzz_body.c
t_fuzz_fuzz_body_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_body_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_multipart
t_fuzz_fuzz_multipart_SOURCES = t/fuzz/fuzz_multipart.c
t_fuzz_fuzz_multipart_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_multipart_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_chunks
t_fuzz_fuzz_chunks_SOURCES = t/fuzz/fuzz_chunks.c
t_fuzz_fuzz_chunks_CFLAGS = $(AM_CFLAGS) -Wno-missing-prototypes
t_fuzz_fuzz_chunks_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_chunks_LDADD = libbadal-core.a $(LIBS_ALL)

check_PROGRAMS += t/fuzz/fuzz_answer
t_fuzz_fuzz_answer_SOURCES = t/fuzz/fuzz_answer.c
t_fuzz_fuzz_answer_CFLAGS = $(AM_CFLAGS) -Wno-missing-prototypes
t_fuzz_fuzz_answer_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_answer_LDADD = libbadal-core.a $(LIBS_ALL)

check_PROGRAMS += t/fuzz/fuzz_range
t_fuzz_fuzz_range_SOURCES = t/fuzz/fuzz_range.c
t_fuzz_fuzz_range_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_range_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_picture
t_fuzz_fuzz_picture_SOURCES = t/fuzz/fuzz_picture.c
t_fuzz_fuzz_picture_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_picture_LDADD = libbadal-picture.a libbadal-core.a $(LIBS_ALL)

check_PROGRAMS += t/fuzz/fuzz_blob
t_fuzz_fuzz_blob_SOURCES = t/fuzz/fuzz_blob.c
t_fuzz_fuzz_blob_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_blob_LDADD = $(FUZZ_LIBS)

check_PROGRAMS += t/fuzz/fuzz_page
t_fuzz_fuzz_page_SOURCES = t/fuzz/fuzz_page.c
t_fuzz_fuzz_page_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_page_LDADD = libbadal-picture.a libbadal-io.a libbadal-core.a $(LIBS_ALL)

check_PROGRAMS += t/fuzz/fuzz_letters
t_fuzz_fuzz_letters_SOURCES = t/fuzz/fuzz_letters.c
t_fuzz_fuzz_letters_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_letters_LDADD = libbadal-io.a libbadal-core.a $(LIBS_ALL)

check_PROGRAMS += t/fuzz/fuzz_task
t_fuzz_fuzz_task_SOURCES = t/fuzz/fuzz_task.c
t_fuzz_fuzz_task_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_task_LDADD = libbadal-picture.a libbadal-core.a $(LIBS_ALL)

check_PROGRAMS += t/fuzz/fuzz_tar
t_fuzz_fuzz_tar_SOURCES = t/fuzz/fuzz_tar.c
t_fuzz_fuzz_tar_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src
t_fuzz_fuzz_tar_LDFLAGS = $(FUZZ_LINK)
t_fuzz_fuzz_tar_LDADD = libbadal-core.a $(LIBS_ALL)
endif
