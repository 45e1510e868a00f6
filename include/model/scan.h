/* Scanning for viruses by libclamav, in processes that hold no connection and no secret (src/scan), started when something is to be scanned and ended when
 * nothing was for a while. What cannot be scanned is refused: fail closed. */
#ifndef BADAL_MODEL_SCAN_H
#define BADAL_MODEL_SCAN_H

#include "core/ctx.h"

/* Gives the next bytes of the content; n is 0 at the end. Awaits. */
typedef err_t (*scan_source_fn)(struct ctx *cx, void *arg, struct str *piece_out);

/* Whether content is to be scanned here (conf.antivirus, conf.antivirus_db). ERR_SCAN_NONE: it must be, and there are no signatures. */
err_t scan_wanted(struct ctx *cx, bool *wanted_out) MUST_CHECK;
/* Awaits. OK: nothing was found. ERR_SCAN_FOUND: something was, or a limit of size, depth or time kept the scanner from looking; ERR_SCAN_DOWN: the scanner
 * cannot be asked; ERR_BUSY: too many wait. */
err_t scan_content(struct ctx *cx, scan_source_fn source, void *arg) MUST_CHECK;
/* Awaits. "ClamAV 1.4.6, 8712345 signatures". ERR_SCAN_DOWN. */
err_t scan_version(struct ctx *cx, const char **out) MUST_CHECK;

#endif
