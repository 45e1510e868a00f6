/* The only list of services, in the order of the contract: SERVICE(room in src/svc, member of the project model that says whether it is on);
 * FIXED(room): it cannot be switched off. Each room describes its service in `const struct service <room>_service` (model/service.h). */
#ifndef FIXED
#define FIXED(room) SERVICE(room, NULL)
#define FIXED_IS_SERVICE
#endif
SERVICE(account, "serviceStatusForAccount")
SERVICE(avatars, "serviceStatusForAvatars")
SERVICE(databases, "serviceStatusForDatabases")
SERVICE(locale, "serviceStatusForLocale")
SERVICE(health, "serviceStatusForHealth")
SERVICE(storage, "serviceStatusForStorage")
SERVICE(teams, "serviceStatusForTeams")
SERVICE(users, "serviceStatusForUsers")
SERVICE(functions, "serviceStatusForFunctions")
FIXED(general)
FIXED(messages)
FIXED(mock)
FIXED(projects)
FIXED(webhooks)
#ifdef FIXED_IS_SERVICE
#undef FIXED
#undef FIXED_IS_SERVICE
#endif
#undef SERVICE
