/* Errors of the webhooks room: ERR(name, HTTP status, type on the wire, words for the client). */
ERR(WEBHOOK_DELIVERY_NOT_FOUND, 404, "webhook_delivery_not_found", "No delivery of this webhook has this id, or it is not kept.")
