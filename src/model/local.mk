noinst_LIBRARIES += libbadal-model.a
libbadal_model_a_SOURCES = \
	src/model/collection_cache.c src/model/collection_shape.c src/model/database.c \
	src/model/login.c src/model/password.c src/model/permission.c src/model/project_cache.c \
	src/model/query.c src/model/query_check.c src/model/query_json.c src/model/query_page.c src/model/query_sql.c src/model/query_text.c src/model/query_words.c \
	src/model/roles.c src/model/seal.c src/model/session.c src/model/user.c
libbadal_model_a_SOURCES += src/model/format.c
libbadal_model_a_SOURCES += src/model/agent.c src/model/agent_ask.c src/model/agent_priv.h src/model/agent_rules.c src/model/link.c src/model/mail.c src/model/team.c
libbadal_model_a_SOURCES += src/model/document.c src/model/document_check.c src/model/document_json.c src/model/document_stats.c src/model/document_write.c
libbadal_model_a_SOURCES += src/model/origin.c src/model/proxy.c
libbadal_model_a_SOURCES += src/model/password_kinds.c
libbadal_model_a_SOURCES += src/model/schema_list.c src/model/attribute.c src/model/collection.c src/model/collection_json.c src/model/index.c
libbadal_model_a_SOURCES += src/model/index_plan.c src/model/schema_rebuild.c src/model/schema_work.c
libbadal_model_a_SOURCES += src/model/event.c src/model/shape.c src/model/shape_all.c
libbadal_model_a_SOURCES += src/model/event_subscribable.c src/model/project.c src/model/project_child.c src/model/project_priv.h src/model/project_shape.c
libbadal_model_a_SOURCES += src/model/audit.c
libbadal_model_a_SOURCES += src/model/expire.c src/model/job.c
libbadal_model_a_SOURCES += src/model/usage.c
libbadal_model_a_SOURCES += src/model/sms.c src/model/token.c
libbadal_model_a_SOURCES += src/model/oauth.c src/model/oauth_apple.c src/model/oauth_priv.h src/model/oauth_profile.c src/model/oauth_state.c src/model/oauth_user.c
