noinst_LIBRARIES += libbadal-api.a
libbadal_api_a_SOURCES =
libbadal_api_a_SOURCES += src/api/documents.c
libbadal_api_a_SOURCES += src/api/account.c src/api/teams.c src/api/users.c
libbadal_api_a_SOURCES += src/api/attributes.c src/api/databases.c
