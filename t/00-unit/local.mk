# Units: criterion, one program per module, mirroring src/.
if HAVE_CRITERION
UNIT_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) -Wno-missing-prototypes -Wno-strict-prototypes -Wno-shadow
UNIT_LIBS = $(CRITERION_LIBS) $(LIBS_ALL)

check_PROGRAMS += t/00-unit/test_core t/00-unit/test_fiber t/00-unit/test_lanes
TESTS += t/00-unit/test_core t/00-unit/test_fiber t/00-unit/test_lanes
t_00_unit_test_lanes_SOURCES = t/00-unit/test_lanes.c
t_00_unit_test_lanes_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_lanes_LDADD = libbadal-core.a $(UNIT_LIBS)
t_00_unit_test_core_SOURCES = t/00-unit/test_core.c
t_00_unit_test_core_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_core_LDADD = libbadal-core.a $(UNIT_LIBS)
t_00_unit_test_fiber_SOURCES = t/00-unit/test_fiber.c
t_00_unit_test_fiber_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_fiber_LDADD = libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_cron
TESTS += t/00-unit/test_cron
t_00_unit_test_cron_SOURCES = t/00-unit/test_cron.c
t_00_unit_test_cron_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_cron_LDADD = libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_multipart
TESTS += t/00-unit/test_multipart
t_00_unit_test_multipart_SOURCES = t/00-unit/test_multipart.c t/00-unit/multipart_world.h
t_00_unit_test_multipart_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_multipart_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_aside
TESTS += t/00-unit/test_aside
t_00_unit_test_aside_SOURCES = t/00-unit/test_aside.c
t_00_unit_test_aside_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_aside_LDADD = libbadal-gate.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_letters
TESTS += t/00-unit/test_letters
t_00_unit_test_letters_SOURCES = t/00-unit/test_letters.c
t_00_unit_test_letters_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_letters_LDADD = libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_answer
TESTS += t/00-unit/test_answer
t_00_unit_test_answer_SOURCES = t/00-unit/test_answer.c
t_00_unit_test_answer_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_answer_LDADD = libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_heap
TESTS += t/00-unit/test_heap
t_00_unit_test_heap_SOURCES = t/00-unit/test_heap.c
t_00_unit_test_heap_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_heap_LDADD = libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_record
TESTS += t/00-unit/test_record
t_00_unit_test_record_SOURCES = t/00-unit/test_record.c
t_00_unit_test_record_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_record_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_budget
TESTS += t/00-unit/test_budget
t_00_unit_test_budget_SOURCES = t/00-unit/test_budget.c
t_00_unit_test_budget_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_budget_LDADD = libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_ws
TESTS += t/00-unit/test_ws
t_00_unit_test_ws_SOURCES = t/00-unit/test_ws.c t/00-unit/ws_world.h
t_00_unit_test_ws_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_ws_LDADD = libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_event
TESTS += t/00-unit/test_event
t_00_unit_test_event_SOURCES = t/00-unit/test_event.c
t_00_unit_test_event_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_event_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_function
TESTS += t/00-unit/test_function
t_00_unit_test_function_SOURCES = t/00-unit/test_function.c
t_00_unit_test_function_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_function_LDADD = libbadal-exec.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_seal
TESTS += t/00-unit/test_seal
t_00_unit_test_seal_SOURCES = t/00-unit/test_seal.c
t_00_unit_test_seal_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_seal_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_agent
TESTS += t/00-unit/test_agent
t_00_unit_test_agent_SOURCES = t/00-unit/test_agent.c
t_00_unit_test_agent_CFLAGS = $(UNIT_CFLAGS) -DRULES_DIR='"$(abs_top_srcdir)/t/rules"'
t_00_unit_test_agent_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_password
TESTS += t/00-unit/test_password
t_00_unit_test_password_SOURCES = t/00-unit/test_password.c
t_00_unit_test_password_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_password_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_link
TESTS += t/00-unit/test_link
t_00_unit_test_link_SOURCES = t/00-unit/test_link.c
t_00_unit_test_link_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_link_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_query t/00-unit/test_permission t/00-unit/test_document
TESTS += t/00-unit/test_query t/00-unit/test_permission t/00-unit/test_document
t_00_unit_test_query_SOURCES = t/00-unit/test_query.c
t_00_unit_test_query_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_query_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
t_00_unit_test_permission_SOURCES = t/00-unit/test_permission.c
t_00_unit_test_permission_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_permission_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
t_00_unit_test_document_SOURCES = t/00-unit/test_document.c
t_00_unit_test_document_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_document_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_mail_words
TESTS += t/00-unit/test_mail_words
t_00_unit_test_mail_words_SOURCES = t/00-unit/test_mail_words.c
t_00_unit_test_mail_words_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_mail_words_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
check_PROGRAMS += t/00-unit/test_gate t/00-unit/test_origin
TESTS += t/00-unit/test_gate t/00-unit/test_origin
t_00_unit_test_gate_SOURCES = t/00-unit/test_gate.c
t_00_unit_test_gate_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_gate_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
t_00_unit_test_origin_SOURCES = t/00-unit/test_origin.c
t_00_unit_test_origin_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_origin_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
check_PROGRAMS += t/00-unit/test_rt t/00-unit/test_rt_channel t/00-unit/test_rt_index
TESTS += t/00-unit/test_rt t/00-unit/test_rt_channel t/00-unit/test_rt_index
t_00_unit_test_rt_SOURCES = t/00-unit/test_rt.c t/00-unit/rt_world.h
t_00_unit_test_rt_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_rt_LDADD = libbadal-rt.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
t_00_unit_test_rt_channel_SOURCES = t/00-unit/test_rt_channel.c
t_00_unit_test_rt_channel_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_rt_channel_LDADD = libbadal-rt.a libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
t_00_unit_test_rt_index_SOURCES = t/00-unit/test_rt_index.c
t_00_unit_test_rt_index_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_rt_index_LDADD = libbadal-rt.a libbadal-core.a $(UNIT_LIBS)
check_PROGRAMS += t/00-unit/test_oauth
TESTS += t/00-unit/test_oauth
t_00_unit_test_oauth_SOURCES = t/00-unit/test_oauth.c
t_00_unit_test_oauth_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_oauth_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
check_PROGRAMS += t/00-unit/test_picture_canvas
TESTS += t/00-unit/test_picture_canvas
t_00_unit_test_picture_canvas_SOURCES = t/00-unit/test_picture_canvas.c
t_00_unit_test_picture_canvas_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_picture_canvas_LDADD = libbadal-picture.a libbadal-core.a $(UNIT_LIBS)

check_PROGRAMS += t/00-unit/test_blob
TESTS += t/00-unit/test_blob
t_00_unit_test_blob_SOURCES = t/00-unit/test_blob.c
t_00_unit_test_blob_CFLAGS = $(UNIT_CFLAGS)
t_00_unit_test_blob_LDADD = libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
endif
