/* The services' tables, in the order of the OpenAPI document. */
#include "api_priv.h"

static const struct routes *const tables[] = {
    &account_routes,
    &account_token_routes,
    &account_oauth_routes,
    &user_routes,
    &usage_routes,
    &team_routes,
    &log_routes,
    &database_routes,
    &attribute_routes,
    &document_routes,
    &health_routes,
    &mock_routes,
    &page_routes,
    &platform_routes,
    &project_routes,
};

const struct routes *const *
routes_all(int *n_out)
{
	*n_out = (int)(sizeof tables / sizeof *tables);
	return tables;
}
