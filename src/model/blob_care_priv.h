/* The care of blobs, private: blob_care.c, blob_move.c. */
#ifndef BADAL_MODEL_BLOB_CARE_PRIV_H
#define BADAL_MODEL_BLOB_CARE_PRIV_H

#include "io/device.h"

/* Awaits. The MD5 of an object's bytes, hex. */
err_t blob_sum(struct ctx *cx, struct device *d, const char *key, uint64_t size, char out[33]) MUST_CHECK;

#endif
