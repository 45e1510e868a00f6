/* Events of the functions service: EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). Channels are the 1.0 names; later names are
 * derived from them (service.c). */
EVENT(function_create, "functions.[functionId].create", "", true, "function", "A function was created.")
EVENT(function_update, "functions.[functionId].update", "", true, "function", "A function was changed.")
EVENT(function_delete, "functions.[functionId].delete", "", true, "", "A function was deleted.")
EVENT(variables_update, "function_variables.[functionId].update", "", false, "", "The variables of a function changed (internal).")
EVENT(shared_variables_update, "project_variables.[projectId].update", "", false, "", "The variables that all functions of a project get changed (internal).")
EVENT(deployment_create, "functions.[functionId].deployments.[deploymentId].create", "console", true, "deployment", "A deployment is complete.")
EVENT(deployment_update, "functions.[functionId].deployments.[deploymentId].update", "console", true, "", "A deployment was activated, or its build went on.")
EVENT(deployment_delete, "functions.[functionId].deployments.[deploymentId].delete", "console", true, "", "A deployment was deleted.")
EVENT(execution_create, "functions.[functionId].executions.[executionId].create", "console|executions|executions.[executionId]|functions.[functionId]", true, "", "An execution was asked for.")
EVENT(execution_update, "functions.[functionId].executions.[executionId].update", "console|executions|executions.[executionId]|functions.[functionId]", true, "", "An execution ended.")
EVENT(execution_delete, "functions.[functionId].executions.[executionId].delete", "console|executions|executions.[executionId]|functions.[functionId]", true, "", "An execution was deleted.")
