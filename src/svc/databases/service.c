/* The databases service. */
#include "gate/gate.h"
#include "model/service.h"
#include "svc/databases/collection.h"
#include "svc/databases/document.h"

extern const struct routes database_routes;
extern const struct routes attribute_routes;
extern const struct routes document_routes;

static const struct routes *const routes[] = {
	&database_routes,
	&attribute_routes,
	&document_routes,
	NULL,
};

static const struct shape *const shapes[] = {&database_shape, &collection_shape, &attribute_shape, &attribute_string_shape, &attribute_email_shape, &attribute_enum_shape, &attribute_ip_shape, &attribute_url_shape, &attribute_integer_shape, &attribute_float_shape, &attribute_boolean_shape, &attribute_datetime_shape, &index_shape, &document_shape, NULL};

const struct service databases_service = {
	.name = "databases",
	.routes = routes,
	.shapes = shapes,
};
