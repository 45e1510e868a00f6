libbadal_svc_a_SOURCES += src/svc/avatars/errors.h
libbadal_svc_a_SOURCES += src/svc/avatars/service.c
