libbadal_svc_a_SOURCES += src/svc/storage/errors.h src/svc/storage/events.h src/svc/storage/bucket.h src/svc/storage/file.h src/svc/storage/files_priv.h
libbadal_svc_a_SOURCES += src/svc/storage/media.h
libbadal_svc_a_SOURCES += src/svc/storage/bucket.c src/svc/storage/buckets.c src/svc/storage/content.c src/svc/storage/file.c src/svc/storage/file_cache.c src/svc/storage/file_shown.c src/svc/storage/files.c
libbadal_svc_a_SOURCES += src/svc/storage/media.c src/svc/storage/preview.c src/svc/storage/quota.c src/svc/storage/service.c src/svc/storage/upload.c src/svc/storage/work.c
