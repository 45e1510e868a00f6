/* Later names of requests: PATH_ALIAS(method, later path, path of the route that answers). Limits are counted for the route, whatever name
 * was used. Only what means the same thing is here. */
PATH_ALIAS("POST", "/v1/account/jwts", "/v1/account/jwt")
PATH_ALIAS("POST", "/v1/account/tokens/magic-url", "/v1/account/sessions/magic-url")
PATH_ALIAS("POST", "/v1/account/tokens/phone", "/v1/account/sessions/phone")
PATH_ALIAS("POST", "/v1/account/verifications/email", "/v1/account/verification")
PATH_ALIAS("PUT", "/v1/account/verifications/email", "/v1/account/verification")
PATH_ALIAS("POST", "/v1/account/verifications/phone", "/v1/account/verification/phone")
PATH_ALIAS("PUT", "/v1/account/verifications/phone", "/v1/account/verification/phone")
