/* Errors of the health service: ERR(name, HTTP status, type on the wire, words for the client). */
ERR(HEALTH_QUEUE_SIZE_EXCEEDED, 503, "health_queue_size_exceeded", "More jobs wait than may.")
ERR(HEALTH_INVALID_HOST, 404, "health_invalid_host", "No certificate can be had from this host.")
ERR(HEALTH_CERTIFICATE_EXPIRED, 404, "health_certificate_expired", "The host's certificate has expired.")
