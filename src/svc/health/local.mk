libbadal_svc_a_SOURCES += src/svc/health/errors.h
libbadal_svc_a_SOURCES += src/svc/health/health.c
libbadal_svc_a_SOURCES += src/svc/health/service.c
