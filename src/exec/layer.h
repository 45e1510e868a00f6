/* A root that can be written to: a layer of its own, in memory and bounded, over a directory that nobody writes to (overlayfs). */
#ifndef BADAL_EXEC_LAYER_H
#define BADAL_EXEC_LAYER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct layer {
	const char *place;		/* an empty directory: the layer is there, for the child alone */
	const char *under;		/* what it lies over */
	char options[64];		/* its bounds */
	uid_t owner, uid;		/* as root: whose files those are, and whose they become; the same: as they are */
	int out;			/* where the child says what came of it */
};

/* In the directory of sandboxes: what the two below need. */
bool layer_setup(const char *dir);
/* Over `under`, NULL: nothing. */
void layer_init(struct layer *l, const char *under, int64_t bytes, uid_t owner, uid_t uid, int out);

/* In the child, after a fork alone: makes it. It sees its mounts by itself from now on: the root is at `root`, the directory that is told of at `told`. */
bool layer_enter(const struct layer *l);
const char *layer_root(void), *layer_told(void);	/* paths, in the child */

/* What layer_enter said: the directory `told`, or -1 and *why_out, or NULL when nothing was said. */
int layer_heard(int in, char why[200]);

#endif
