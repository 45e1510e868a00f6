libbadal_svc_a_SOURCES += src/svc/functions/errors.h src/svc/functions/events.h src/svc/functions/functions_priv.h
libbadal_svc_a_SOURCES += src/svc/functions/build.c src/svc/functions/deployment.c src/svc/functions/deployments.c src/svc/functions/function.c
libbadal_svc_a_SOURCES += src/svc/functions/functions.c src/svc/functions/runnable.c src/svc/functions/service.c src/svc/functions/variable.c
libbadal_svc_a_SOURCES += src/svc/functions/work.c
