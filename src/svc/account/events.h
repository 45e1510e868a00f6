/* Events of the account service: EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). Channels are the 1.0 names; later names are
 * derived from them (service.c). */
EVENT(recovery_create, "users.[userId].recovery.[tokenId].create", "account|account.[userId]", true, "token", "A recovery was asked for.")
EVENT(recovery_update, "users.[userId].recovery.[tokenId].update", "account|account.[userId]", true, "token", "A recovery was completed.")
EVENT(verification_create, "users.[userId].verification.[tokenId].create", "account|account.[userId]", true, "token", "A verification was asked for.")
EVENT(verification_update, "users.[userId].verification.[tokenId].update", "account|account.[userId]", true, "token", "A verification was completed.")
