libbadal_svc_a_SOURCES += src/svc/storage/errors.h
libbadal_svc_a_SOURCES += src/svc/storage/events.h
libbadal_svc_a_SOURCES += src/svc/storage/service.c
