/* Events outside of the services: EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). */
EVENT(project_ping, "projects.[projectId].ping", "console", false, "", "A client of a project answered for the first time; told on the console.")
