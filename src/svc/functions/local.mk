libbadal_svc_a_SOURCES += src/svc/functions/build.c src/svc/functions/deployment.c src/svc/functions/deployments.c src/svc/functions/errors.h
libbadal_svc_a_SOURCES += src/svc/functions/events.h src/svc/functions/execution.c src/svc/functions/execution.h src/svc/functions/execution_care.c
libbadal_svc_a_SOURCES += src/svc/functions/execution_line.c src/svc/functions/execution_now.c src/svc/functions/execution_run.c src/svc/functions/execution_write.c src/svc/functions/executions.c
libbadal_svc_a_SOURCES += src/svc/functions/function.c src/svc/functions/functions.c src/svc/functions/functions.h src/svc/functions/functions_priv.h
libbadal_svc_a_SOURCES += src/svc/functions/heard.c src/svc/functions/logs.c src/svc/functions/runnable.c src/svc/functions/schedule.c src/svc/functions/schedules.c src/svc/functions/schedules.h
libbadal_svc_a_SOURCES += src/svc/functions/service.c src/svc/functions/shared_variable.c src/svc/functions/variable.c src/svc/functions/warm.c src/svc/functions/work.c
