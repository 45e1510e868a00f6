/* YAML by libyaml's documents: arrays of nodes, in which an alias is a second number of one node. */
#include "io/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

struct tree {
	yaml_document_t doc;
};

/* What follows the first document is nobody's: a semicolon, in data written for JavaScript. */
struct tree *
tree_read(struct str text, char *why, size_t why_size)
{
	struct tree *t = mem_zalloc(sizeof *t);
	yaml_parser_t p;
	bool ok;

	if (!yaml_parser_initialize(&p))
		mem_fatal(sizeof p);
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)(text.p ? text.p : ""), text.n);
	ok = yaml_parser_load(&p, &t->doc);
	if (!ok)
		snprintf(why, why_size, "line %zu: %s", p.problem_mark.line + 1, p.problem ? p.problem : "malformed");
	else if (yaml_document_get_root_node(&t->doc) == NULL)
		snprintf(why, why_size, "empty");
	yaml_parser_delete(&p);
	if (!ok) {
		free(t);
		return NULL;
	}
	if (yaml_document_get_root_node(&t->doc) == NULL)
		tree_free(&t);
	return t;
}

void
tree_free(struct tree **tp)
{
	yaml_document_delete(&(*tp)->doc);
	free(*tp);
	*tp = NULL;
}

static const yaml_node_t *
node_of(const struct tree *t, int node)
{
	return node > 0 && node <= t->doc.nodes.top - t->doc.nodes.start ? &t->doc.nodes.start[node - 1] : NULL;
}

static const char *
scalar(const struct tree *t, int node)
{
	const yaml_node_t *n = node_of(t, node);

	return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

size_t
tree_count(const struct tree *t, int node)
{
	const yaml_node_t *n = node_of(t, node);

	if (n != NULL && n->type == YAML_SEQUENCE_NODE)
		return (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	if (n != NULL && n->type == YAML_MAPPING_NODE)
		return (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	return 0;
}

int
tree_at(const struct tree *t, int node, size_t i, const char **key)
{
	const yaml_node_t *n = node_of(t, node);

	*key = NULL;
	if (i >= tree_count(t, node))
		return 0;
	if (n->type == YAML_SEQUENCE_NODE)
		return n->data.sequence.items.start[i];
	*key = scalar(t, n->data.mapping.pairs.start[i].key);
	return n->data.mapping.pairs.start[i].value;
}

int
tree_get(const struct tree *t, int map, const char *key)
{
	for (size_t i = 0; i < tree_count(t, map); i++) {
		const char *k;
		int node = tree_at(t, map, i, &k);

		if (k != NULL && strcmp(k, key) == 0)
			return node;
	}
	return 0;
}

const char *
tree_text(const struct tree *t, int map, const char *key)
{
	const char *text = scalar(t, tree_get(t, map, key));

	return text ? text : "";
}
