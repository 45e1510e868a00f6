/* The only list of services, in the order of the OpenAPI document: SERVICE(room in src/svc). Each room describes its service in
 * `const struct service <room>_service` (model/service.h). */
SERVICE(account)
SERVICE(users)
SERVICE(teams)
SERVICE(databases)
SERVICE(health)
SERVICE(mock)
SERVICE(platform)
SERVICE(projects)
