/* Errors of the presences service: ERR(name, HTTP status, type on the wire, words for the client). */
ERR(PRESENCE_NOT_FOUND, 404, "presence_not_found", "No presence has this id.")
ERR(PRESENCE_ALREADY_EXISTS, 409, "presence_already_exists", "A presence with this id, or of this user, exists already.")
