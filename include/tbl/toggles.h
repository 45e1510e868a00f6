/* What a project may switch off. SERVICE(name, name in the project model); AUTH(path value, stored key, name in the project model). */
#ifndef SERVICE
#define SERVICE(name, label)
#endif
#ifndef AUTH
#define AUTH(path, key, label)
#endif
AUTH("email-password", "emailPassword", "authEmailPassword")
AUTH("magic-url", "usersAuthMagicURL", "authUsersAuthMagicURL")
AUTH("anonymous", "anonymous", "authAnonymous")
AUTH("invites", "invites", "authInvites")
AUTH("jwt", "JWT", "authJWT")
AUTH("phone", "phone", "authPhone")
SERVICE("account", "serviceStatusForAccount")
SERVICE("avatars", "serviceStatusForAvatars")
SERVICE("databases", "serviceStatusForDatabases")
SERVICE("locale", "serviceStatusForLocale")
SERVICE("health", "serviceStatusForHealth")
SERVICE("storage", "serviceStatusForStorage")
SERVICE("teams", "serviceStatusForTeams")
SERVICE("users", "serviceStatusForUsers")
SERVICE("functions", "serviceStatusForFunctions")
#undef SERVICE
#undef AUTH
