noinst_LIBRARIES += libbadal-gate.a
libbadal_gate_a_SOURCES = src/gate/gate_priv.h src/gate/aside.c src/gate/aside.h
libbadal_gate_a_SOURCES += src/gate/body.c src/gate/multipart.c src/gate/form.c src/gate/multipart.h src/gate/compat.c src/gate/cors.c src/gate/dispatch.c src/gate/family.c src/gate/gate.c src/gate/limit.c src/gate/limit_text.c
libbadal_gate_a_SOURCES += src/gate/logs.c src/gate/openapi.c src/gate/openapi_models.c src/gate/params.c src/gate/reply.c src/gate/reply_pieces.c src/gate/router.c src/gate/scopes.c
libbadal_gate_a_SOURCES += src/gate/usage.c src/gate/validators.c
libbadal_gate_a_SOURCES += src/gate/incoming.c
