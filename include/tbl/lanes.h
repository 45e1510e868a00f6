/* Lanes of heavy work: LANE(name, threads, how many may wait, what it is). Each has threads and a queue of its own, so that nothing waits
 * behind something slower of another kind. Settings (offload_<name>_threads, offload_<name>_queue) and metrics follow. */
LANE(password, 2, 1000, "password hashes (processes of their own, where badal serve starts them)")
LANE(agent, 1, 1000, "user agents that are looked up in the device rules")
LANE(resolve, 2, 200, "look-ups of names, and connections that a library makes")
LANE(picture, 2, 1000, "pictures that are kept on disk, and making room for them")
LANE(file, 2, 10000, "parts of files that are not in memory")
LANE(sync, 4, 10000, "files that are brought to disk")
LANE(compress, 2, 10000, "compression")
LANE(json, 1, 200, "large JSON documents")
LANE(password_slow, 1, 200, "comparisons with imported password hashes that take long")
LANE(draw, 1, 100, "QR codes")
