/* Events of the kernel, internal to the servers: EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). Those of the services stand in
 * src/svc/<room>/events.h. */
EVENT(project_create, "projects.[projectId].create", "", false, "", "A project was created (internal).")
EVENT(project_update, "projects.[projectId].update", "", false, "", "A project's settings, platforms or keys changed (internal).")
EVENT(project_delete, "projects.[projectId].delete", "", false, "", "A project was deleted (internal).")
EVENT(roles_update, "roles.[userId].update", "", false, "", "The roles of a user changed with somebody else's write (internal).")
