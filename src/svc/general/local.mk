libbadal_svc_a_SOURCES += src/svc/general/errors.h
libbadal_svc_a_SOURCES += src/svc/general/events.h
libbadal_svc_a_SOURCES += src/svc/general/general.c
libbadal_svc_a_SOURCES += src/svc/general/none.c
libbadal_svc_a_SOURCES += src/svc/general/service.c
