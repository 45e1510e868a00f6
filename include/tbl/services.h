/* The only list of services, in the order of the contract: SERVICE(room in src/svc, member of the project model that says whether it is on);
 * FIXED(room): it cannot be switched off; FAMILY(name, member, since): a later family of paths of the service above it has a switch of its own,
 * and so has SWITCH(name, member, since), a service of later versions that is part of another room, or of none. Each room describes its service in `const struct service <room>_service` (model/service.h). */
#ifndef FAMILY
#define FAMILY(name, label, since)
#endif
#ifndef SWITCH
#define SWITCH(name, label, since) FAMILY(name, label, since)
#endif
#ifndef FIXED
#define FIXED(room) SERVICE(room, NULL)
#define FIXED_IS_SERVICE
#endif
SERVICE(account, "serviceStatusForAccount")
SERVICE(avatars, "serviceStatusForAvatars")
SERVICE(databases, "serviceStatusForDatabases")
FAMILY(tablesdb, "serviceStatusForTablesdb", 1008000)
SERVICE(locale, "serviceStatusForLocale")
SERVICE(health, "serviceStatusForHealth")
SWITCH(project, "serviceStatusForProject", 1004000)
SERVICE(storage, "serviceStatusForStorage")
SERVICE(teams, "serviceStatusForTeams")
SERVICE(users, "serviceStatusForUsers")
SWITCH(vcs, "serviceStatusForVcs", 1004000)
SWITCH(sites, "serviceStatusForSites", 1007000)
SERVICE(functions, "serviceStatusForFunctions")
SWITCH(proxy, "serviceStatusForProxy", 1004000)
SWITCH(graphql, "serviceStatusForGraphql", 1004000)
SWITCH(migrations, "serviceStatusForMigrations", 1004000)
SWITCH(messaging, "serviceStatusForMessaging", 1005000)
SWITCH(advisor, "serviceStatusForAdvisor", SINCE_CONSOLES)
FIXED(general)
FIXED(messages)
FIXED(mock)
FIXED(presences)
FIXED(projects)
FIXED(webhooks)
#ifdef FIXED_IS_SERVICE
#undef FIXED
#undef FIXED_IS_SERVICE
#endif
#undef SWITCH
#undef FAMILY
#undef SERVICE
