libbadal_svc_a_SOURCES += src/svc/locale/errors.h
libbadal_svc_a_SOURCES += src/svc/locale/service.c
libbadal_svc_a_SOURCES += src/svc/locale/locale.c
libbadal_svc_a_SOURCES += src/svc/locale/currencies.h src/svc/locale/languages.h
