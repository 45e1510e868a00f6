libbadal_svc_a_SOURCES += src/svc/presences/errors.h src/svc/presences/events.h src/svc/presences/presence.c src/svc/presences/presence.h
libbadal_svc_a_SOURCES += src/svc/presences/presences.c src/svc/presences/said.c src/svc/presences/service.c src/svc/presences/work.c
