/* Errors of the avatars service: ERR(name, HTTP status, type on the wire, words for the client). */
ERR(AVATAR_NOT_FOUND, 404, "avatar_not_found", "This picture is not installed.")
ERR(AVATAR_IMAGE_NOT_FOUND, 404, "avatar_image_not_found", "There is no picture at this address.")
ERR(AVATAR_REMOTE_URL_FAILED, 404, "avatar_remote_url_failed", "There is no page at this address.")
ERR(AVATAR_ICON_NOT_FOUND, 404, "avatar_icon_not_found", "Favicon not found")
