/* Events of the storage service: EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). Channels are the 1.0 names; later names are
 * derived from them (service.c). */
EVENT(bucket_create, "buckets.[bucketId].create", "", true, "bucket", "A bucket was created.")
EVENT(bucket_update, "buckets.[bucketId].update", "", true, "bucket", "A bucket was changed.")
EVENT(bucket_delete, "buckets.[bucketId].delete", "", true, "bucket", "A bucket was deleted.")
EVENT(file_create, "buckets.[bucketId].files.[fileId].create", "files|buckets.[bucketId].files|buckets.[bucketId].files.[fileId]", true, "file", "A file is complete.")
EVENT(file_update, "buckets.[bucketId].files.[fileId].update", "files|buckets.[bucketId].files|buckets.[bucketId].files.[fileId]", true, "file", "A file was changed.")
EVENT(file_delete, "buckets.[bucketId].files.[fileId].delete", "files|buckets.[bucketId].files|buckets.[bucketId].files.[fileId]", true, "file", "A file was deleted.")
