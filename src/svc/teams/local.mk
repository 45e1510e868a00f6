libbadal_svc_a_SOURCES += src/svc/teams/errors.h
libbadal_svc_a_SOURCES += src/svc/teams/events.h
libbadal_svc_a_SOURCES += src/svc/teams/service.c
libbadal_svc_a_SOURCES += src/svc/teams/team.c
libbadal_svc_a_SOURCES += src/svc/teams/team.h
libbadal_svc_a_SOURCES += src/svc/teams/teams.c
