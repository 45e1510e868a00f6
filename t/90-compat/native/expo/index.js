/* A peer of the SDK, which uses nothing of it. */
