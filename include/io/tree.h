/* Data files in YAML (so JSON too) as trees, by libyaml. Nodes are numbers; 0 is none, and all that is asked of it is none. */
#ifndef BADAL_IO_TREE_H
#define BADAL_IO_TREE_H

#include "core/str.h"

struct tree;
/* The first document of `text`; NULL when it is malformed or empty, then `why` says what is wrong and where. */
struct tree *tree_read(struct str text, char *why, size_t why_size);
void tree_free(struct tree **tp);

enum { TREE_ROOT = 1 };
/* Entry i of a list or map, 0 past its end; `key` is the map's key, else NULL. */
int tree_at(const struct tree *t, int node, size_t i, const char **key);
int tree_get(const struct tree *t, int map, const char *key);
size_t tree_count(const struct tree *t, int node);
/* The text under that key of the map; "" for none. */
const char *tree_text(const struct tree *t, int map, const char *key);

#endif
