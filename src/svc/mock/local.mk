libbadal_svc_a_SOURCES += src/svc/mock/errors.h
libbadal_svc_a_SOURCES += src/svc/mock/mock.c
libbadal_svc_a_SOURCES += src/svc/mock/service.c
