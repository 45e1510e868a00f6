/* Errors of the general service. The contract gives the type of a server error, the status of an unavailable one, and shows the words. */
ERR(GRAPHQL, 503, "general_server_error", "GraphQL support is coming soon!")
