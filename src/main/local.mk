badal_SOURCES = src/main/main.c
badal_SOURCES += src/main/admin.c
badal_SOURCES += src/main/doctor.c
badal_SOURCES += src/main/embed.c
badal_SOURCES += src/main/embed_postgres.c
badal_SOURCES += src/main/embed_redis.c
badal_SOURCES += src/main/launch.c
badal_SOURCES += src/main/main_priv.h
badal_SOURCES += src/main/manual.c
badal_SOURCES += src/main/place.c
badal_SOURCES += src/main/role.c
badal_SOURCES += src/main/rotate.c
badal_SOURCES += src/main/role_web.c
badal_SOURCES += src/main/serve.c
# Arrows point one way: main -> svc, rt, relay, jobs -> gate -> model -> io -> core.
BADAL_LIBS = libbadal-svc.a libbadal-rt.a libbadal-relay.a libbadal-jobs.a libbadal-picture.a libbadal-scan.a libbadal-gate.a libbadal-model.a libbadal-io.a libbadal-core.a
badal_LDADD = $(BADAL_LIBS) $(LIBS_ALL)
