/* Ways to sign in that a project may switch off: AUTH(path value, stored key, name in the project model, name in words). */
AUTH("email-password", "emailPassword", "authEmailPassword", "Email / Password")
AUTH("magic-url", "usersAuthMagicURL", "authUsersAuthMagicURL", "Magic URL")
AUTH("anonymous", "anonymous", "authAnonymous", "Anonymous")
AUTH("invites", "invites", "authInvites", "Invites")
AUTH("jwt", "JWT", "authJWT", "JWT")
AUTH("phone", "phone", "authPhone", "Phone")
#undef AUTH
