libbadal_svc_a_SOURCES += src/svc/webhooks/deliver.c src/svc/webhooks/heard.c src/svc/webhooks/log.c src/svc/webhooks/service.c src/svc/webhooks/state.c
libbadal_svc_a_SOURCES += src/svc/webhooks/webhooks.h src/svc/webhooks/webhooks_priv.h src/svc/webhooks/work.c src/svc/webhooks/errors.h
