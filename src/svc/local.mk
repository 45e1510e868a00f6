# One room a service; include/tbl/services.h is their list for the program, this one for the build.
noinst_LIBRARIES += libbadal-svc.a
libbadal_svc_a_SOURCES = src/svc/services.c src/svc/services.h
include src/svc/account/local.mk
include src/svc/avatars/local.mk
include src/svc/databases/local.mk
include src/svc/functions/local.mk
include src/svc/general/local.mk
include src/svc/health/local.mk
include src/svc/locale/local.mk
include src/svc/messages/local.mk
include src/svc/mock/local.mk
include src/svc/presences/local.mk
include src/svc/projects/local.mk
include src/svc/storage/local.mk
include src/svc/teams/local.mk
include src/svc/users/local.mk
include src/svc/webhooks/local.mk
