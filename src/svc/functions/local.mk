libbadal_svc_a_SOURCES += src/svc/functions/errors.h
libbadal_svc_a_SOURCES += src/svc/functions/events.h
libbadal_svc_a_SOURCES += src/svc/functions/functions_priv.h
libbadal_svc_a_SOURCES += src/svc/functions/service.c
