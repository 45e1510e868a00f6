libbadal_svc_a_SOURCES += src/svc/projects/errors.h
libbadal_svc_a_SOURCES += src/svc/projects/project.c
libbadal_svc_a_SOURCES += src/svc/projects/project.h
libbadal_svc_a_SOURCES += src/svc/projects/project_child.c
libbadal_svc_a_SOURCES += src/svc/projects/projects.c
libbadal_svc_a_SOURCES += src/svc/projects/service.c
libbadal_svc_a_SOURCES += src/svc/projects/spare.c
libbadal_svc_a_SOURCES += src/svc/projects/spare.h
