libbadal_svc_a_SOURCES += src/svc/platform/platform.c
libbadal_svc_a_SOURCES += src/svc/platform/service.c
