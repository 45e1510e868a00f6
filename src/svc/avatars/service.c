/* The avatars service: what projects and keys can be told of it. */
#include "model/service.h"

static const struct scope scopes[] = {
	{"avatars.read", "gua", 24},
	{0},
};

const struct service avatars_service = {
	.name = "avatars",
	.scopes = scopes,
};
