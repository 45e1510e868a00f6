badal_SOURCES = src/main/main.c
# Arrows point one way: main -> api, rt, relay, jobs -> model -> io -> core.
BADAL_LIBS = libbadal-api.a libbadal-rt.a libbadal-relay.a libbadal-jobs.a libbadal-model.a libbadal-io.a libbadal-core.a
badal_LDADD = $(BADAL_LIBS) $(LIBS_ALL)
