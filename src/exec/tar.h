/* Headers of tar archives, as far as badal-unpack (unpack.c) knows them: ustar and GNU, long names of either, files, directories and links. What else there may
 * be is TAR_OTHER, and is tar's own work. No input or output here. */
#ifndef BADAL_EXEC_TAR_H
#define BADAL_EXEC_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAR_BLOCK = 512, TAR_NAME_MAX = 4096, TAR_TEXT_MAX = 64 * 1024 };

enum tar_kind {
	TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_HARDLINK,
	TAR_LONG_NAME, TAR_LONG_LINK, TAR_PAX,	/* what follows is a text about the next one */
	TAR_END,				/* a block of zeros */
	TAR_OTHER,				/* damaged, or not known here */
};

struct tar_entry {
	enum tar_kind kind;
	char name[TAR_NAME_MAX], link[TAR_NAME_MAX];	/* link: of TAR_SYMLINK its target as it is, of TAR_HARDLINK a name of the archive */
	int64_t size, time;
	unsigned mode;
};

/* Reads a block. What texts have said of it (tar_told) goes before what it says itself, and is forgotten with it. */
void tar_read(const unsigned char block[TAR_BLOCK], struct tar_entry *told, struct tar_entry *out);
/* Reads the text behind a header of kind `kind`. False: there is something in it that is not known here. */
bool tar_told(enum tar_kind kind, const char *text, size_t n, struct tar_entry *told);
void tar_told_none(struct tar_entry *told);
/* The name without what means nothing ("./", "a//b"), in place; "" is the directory itself. False: it leads elsewhere. */
bool tar_name_clean(char *name);

#endif
