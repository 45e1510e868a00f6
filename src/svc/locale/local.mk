libbadal_svc_a_SOURCES += src/svc/locale/errors.h
libbadal_svc_a_SOURCES += src/svc/locale/service.c
