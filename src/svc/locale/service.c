/* The locale service: what projects and keys can be told of it. */
#include "model/service.h"

static const struct scope scopes[] = {
	{"locale.read", "gua", 23},
	{0},
};

const struct service locale_service = {
	.name = "locale",
	.scopes = scopes,
};
