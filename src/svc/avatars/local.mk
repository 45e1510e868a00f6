libbadal_svc_a_SOURCES += src/svc/avatars/errors.h
libbadal_svc_a_SOURCES += src/svc/avatars/service.c
libbadal_svc_a_SOURCES += src/svc/avatars/avatars_priv.h src/svc/avatars/drawn.c src/svc/avatars/elsewhere.c src/svc/avatars/icons.c
libbadal_svc_a_SOURCES += src/svc/avatars/remote.c src/svc/avatars/reply.c
libbadal_svc_a_SOURCES += src/svc/avatars/photo.c src/svc/avatars/shot.c
