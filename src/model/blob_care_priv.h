/* The care of blobs, private: blob_care.c, blob_move.c. */
#ifndef BADAL_MODEL_BLOB_CARE_PRIV_H
#define BADAL_MODEL_BLOB_CARE_PRIV_H

#include "io/device.h"

/* Awaits. Whether an object's bytes have this sum. */
err_t blob_read_again(struct ctx *cx, struct device *d, const char *key, uint64_t size, const char *sum, bool *same_out) MUST_CHECK;

#endif
