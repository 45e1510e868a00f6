/* Errors that have another status for later clients: LATER(error, first version of the protocol, status). The contract says of servers of 1.9 that they do
 * so, and of none before them. */
LATER(GENERAL_SERVICE_DISABLED, SINCE_1_9, 403)
LATER(USER_BLOCKED, SINCE_1_9, 403)
LATER(USER_COUNT_EXCEEDED, SINCE_1_9, 400)
LATER(PROJECT_PROVIDER_UNSUPPORTED, SINCE_1_9, 400)
