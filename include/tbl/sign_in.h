/* Ways to sign in that a project may switch off: AUTH(path value, stored key, name in the project model, name in words,
 * first version of the protocol whose clients are told of it). */
AUTH("email-password", "emailPassword", "authEmailPassword", "Email / Password", 0)
AUTH("magic-url", "usersAuthMagicURL", "authUsersAuthMagicURL", "Magic URL", 0)
AUTH("email-otp", "emailOtp", "authEmailOtp", "Email OTP", SINCE_1_5)
AUTH("anonymous", "anonymous", "authAnonymous", "Anonymous", 0)
AUTH("invites", "invites", "authInvites", "Invites", 0)
AUTH("jwt", "JWT", "authJWT", "JWT", 0)
AUTH("phone", "phone", "authPhone", "Phone", 0)
#undef AUTH
