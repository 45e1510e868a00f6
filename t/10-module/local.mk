# Modules against real servers: each test starts its own PostgreSQL and Redis (servers.c).
if HAVE_CRITERION
MODULE_CFLAGS = $(UNIT_CFLAGS) -I$(top_srcdir)/t/10-module
MODULE_LIBS = libbadal-relay.a libbadal-jobs.a libbadal-svc.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS)
SERVERS = t/10-module/servers.c t/10-module/servers.h

check_PROGRAMS += t/10-module/test_db
TESTS += t/10-module/test_db
t_10_module_test_db_SOURCES = t/10-module/test_db.c $(SERVERS)
t_10_module_test_db_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_db_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_bus
TESTS += t/10-module/test_bus
t_10_module_test_bus_SOURCES = t/10-module/test_bus.c $(SERVERS)
t_10_module_test_bus_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_bus_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_relay
TESTS += t/10-module/test_relay
t_10_module_test_relay_SOURCES = t/10-module/test_relay.c $(SERVERS)
t_10_module_test_relay_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_relay_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_fetch
TESTS += t/10-module/test_fetch
t_10_module_test_fetch_SOURCES = t/10-module/test_fetch.c $(SERVERS)
t_10_module_test_fetch_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_fetch_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_fetch_stream
TESTS += t/10-module/test_fetch_stream
t_10_module_test_fetch_stream_SOURCES = t/10-module/test_fetch_stream.c
t_10_module_test_fetch_stream_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_fetch_stream_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_fetch_local
TESTS += t/10-module/test_fetch_local
t_10_module_test_fetch_local_SOURCES = t/10-module/test_fetch_local.c
t_10_module_test_fetch_local_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_fetch_local_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_identity
TESTS += t/10-module/test_identity
t_10_module_test_identity_SOURCES = t/10-module/test_identity.c t/10-module/space.h $(SERVERS)
t_10_module_test_identity_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_identity_LDADD = $(MODULE_LIBS)
check_PROGRAMS += t/10-module/test_schema
TESTS += t/10-module/test_schema
t_10_module_test_schema_SOURCES = t/10-module/test_schema.c $(SERVERS)
t_10_module_test_schema_CFLAGS = $(MODULE_CFLAGS) -DSOURCE_SQL='"$(abs_top_srcdir)/sql"'
t_10_module_test_schema_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_jobs
TESTS += t/10-module/test_jobs
t_10_module_test_jobs_SOURCES = t/10-module/test_jobs.c $(SERVERS)
t_10_module_test_jobs_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_jobs_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_deliveries
TESTS += t/10-module/test_deliveries
t_10_module_test_deliveries_SOURCES = t/10-module/test_deliveries.c $(SERVERS)
t_10_module_test_deliveries_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_deliveries_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_upkeep
TESTS += t/10-module/test_upkeep
t_10_module_test_upkeep_SOURCES = t/10-module/test_upkeep.c t/10-module/space.h $(SERVERS)
t_10_module_test_upkeep_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_upkeep_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_exec
TESTS += t/10-module/test_exec
t_10_module_test_exec_SOURCES = t/10-module/test_exec.c t/10-module/space.h $(SERVERS)
t_10_module_test_exec_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_exec_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_group
TESTS += t/10-module/test_group
t_10_module_test_group_SOURCES = t/10-module/test_group.c
t_10_module_test_group_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_group_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_blob
TESTS += t/10-module/test_blob
t_10_module_test_blob_SOURCES = t/10-module/test_blob.c t/10-module/space.h $(SERVERS)
t_10_module_test_blob_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_blob_LDADD = $(MODULE_LIBS)

check_PROGRAMS += t/10-module/test_picture t/10-module/late_threads.so
t_10_module_late_threads_so_SOURCES = t/10-module/late_threads.c
t_10_module_late_threads_so_CFLAGS = -std=gnu11 -D_GNU_SOURCE -O2 -fPIC $(WARN_CFLAGS)
t_10_module_late_threads_so_LDFLAGS = -shared
TESTS += t/10-module/test_picture
t_10_module_test_picture_SOURCES = t/10-module/test_picture.c t/10-module/picture_lab.h
t_10_module_test_picture_CFLAGS = $(MODULE_CFLAGS) $(GM_CFLAGS) -DBADAL_PROGRAM='"$(abs_top_builddir)/badal"' -DLATE_THREADS='"$(abs_top_builddir)/t/10-module/late_threads.so"'
t_10_module_test_picture_LDADD = libbadal-model.a libbadal-io.a libbadal-core.a $(UNIT_LIBS) $(GM_LIBS) -llcms2 -lheif

check_PROGRAMS += t/10-module/test_device
TESTS += t/10-module/test_device
t_10_module_test_device_SOURCES = t/10-module/test_device.c
t_10_module_test_device_CFLAGS = $(MODULE_CFLAGS)
t_10_module_test_device_LDADD = $(MODULE_LIBS)
endif
