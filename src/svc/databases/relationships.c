/* The routes of relationships. What a relationship is, the model says (relation.c). */
#include "databases_priv.h"

struct relationship_in {
	const char *db, *col, *related, *type, *key, *two_way_key, *end, *new_key;
	int two_way;
};
#define ON_DELETE(...) \
	OPTIONAL("onDelete", P_ENUM, struct relationship_in, end, "What comes of related documents when one is deleted.", .list = relation_ends, __VA_ARGS__)
static const struct param relationship_params[] = {
    DATABASE(struct relationship_in),
    COLLECTION(struct relationship_in),
    REQUIRED("relatedCollectionId", P_UID, struct relationship_in, related, "ID of the other collection of the database."),
    REQUIRED("type", P_ENUM, struct relationship_in, type, "How many there are of this side, and of the other.", .list = relation_kinds),
    OPTIONAL("twoWay", P_BOOL, struct relationship_in, two_way, "The other collection gets an attribute, too.", .def = "false"),
    OPTIONAL("key", P_KEY, struct relationship_in, key, "Attribute key; omitted: the other collection's ID."),
    OPTIONAL("twoWayKey", P_KEY, struct relationship_in, two_way_key, "Key of the other collection's attribute; omitted: this collection's ID."),
    ON_DELETE(.def = "\"restrict\""),
};
static const struct param relationship_changes[] = {
    DATABASE(struct relationship_in),
    COLLECTION(struct relationship_in),
    PATH("key", P_KEY, struct relationship_in, key, "Attribute key."),
    ON_DELETE(),
    OPTIONAL("newKey", P_KEY, struct relationship_in, new_key, "Another key of the attribute."),
};

static err_t
databases_create_relationship_attribute(struct req *rq, void *arg)
{
	const struct relationship_in *in = arg;
	struct relation_in r = {.related = in->related, .key = in->key, .two_way_key = in->two_way_key, .two_way = in->two_way == 1,
	    .kind = (enum relation_kind)relation_name(relation_kinds, in->type), .end = (enum relation_end)relation_name(relation_ends, in->end)};
	struct str json;

	TRY(relation_create(&rq->cx, rq->project, databases_actor(rq), in->db, in->col, &r, &json));
	return reply_json(rq, 202, json);
}

static err_t
databases_update_relationship_attribute(struct req *rq, void *arg)
{
	const struct relationship_in *in = arg;
	enum relation_end end = (enum relation_end)relation_name(relation_ends, in->end);
	struct str json;

	TRY(relation_update(&rq->cx, rq->project, databases_actor(rq), in->db, in->col, in->key, in->end ? &end : NULL, in->new_key, &json));
	return reply_json(rq, 200, json);
}

#define CHANGE_AT(path, name)                                                                                                          \
	BELOW("PATCH", "/:collectionId/attributes/" path, name, "collections.write", databases_update_relationship_attribute, 200,      \
	    "Change a relationship.", struct relationship_in, relationship_changes, .model = &attribute_relationship_shape,            \
	    ON_COLLECTION("attribute.update"), CHANGES)
static const struct route rows[] = {
    BELOW("POST", "/:collectionId/attributes/relationship", "createRelationshipAttribute", "collections.write", databases_create_relationship_attribute, 202,
	"Create a relationship to another collection, or to this one.", struct relationship_in, relationship_params, .model = &attribute_relationship_shape,
	ON_COLLECTION("attribute.create"), CHANGES),
    CHANGE_AT("relationship/:key", "updateRelationshipAttribute"),
    CHANGE_AT(":key/relationship", "updateAttributeRelationship"),	/* as later clients ask for it, and those of 1.3 to 1.8 did */
};
const struct routes relationship_routes = ROUTES(rows);
