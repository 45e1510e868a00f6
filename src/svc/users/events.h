/* Events of the users service: EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). Channels are the 1.0 names; later names are
 * derived from them (service.c). */
EVENT(user_create, "users.[userId].create", "account|account.[userId]", true, "account|user", "A user was created.")
EVENT(user_delete, "users.[userId].delete", "account|account.[userId]", true, "account|user", "A user was deleted.")
EVENT(user_update_email, "users.[userId].update.email", "account|account.[userId]", true, "account|user", "A user's e-mail changed.")
EVENT(user_update_name, "users.[userId].update.name", "account|account.[userId]", true, "account|user", "A user's name changed.")
EVENT(user_update_password, "users.[userId].update.password", "account|account.[userId]", true, "account|user", "A user's password changed.")
EVENT(user_update_phone, "users.[userId].update.phone", "account|account.[userId]", false, "account|user", "A user's phone changed.")
EVENT(user_update_status, "users.[userId].update.status", "account|account.[userId]", true, "account|user", "A user was blocked or unblocked.")
EVENT(user_update_prefs, "users.[userId].update.prefs", "account|account.[userId]", true, "account|user|preferences", "A user's preferences changed.")
EVENT(user_update_verification, "users.[userId].update.verification", "account|account.[userId]", false, "account|user", "A user's verification changed.")
EVENT(session_create, "users.[userId].sessions.[sessionId].create", "account|account.[userId]", true, "session", "A session began.")
EVENT(session_update, "users.[userId].sessions.[sessionId].update", "account|account.[userId]", false, "session", "A session was refreshed.")
EVENT(session_delete, "users.[userId].sessions.[sessionId].delete", "account|account.[userId]", true, "session", "A session ended.")
