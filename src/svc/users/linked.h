/* Identities: who a user is at OAuth2 providers. The provider's own id of the user finds the user again; what the provider gave is sealed at rest. */
#ifndef BADAL_SVC_USERS_LINKED_H
#define BADAL_SVC_USERS_LINKED_H

#include "svc/users/user.h"

struct linked {			/* the model identity */
	int64_t internal, user_internal;
	const char *id, *user_id, *provider, *provider_uid, *email, *access_token, *refresh_token, *id_token;
	int64_t created, updated, access_token_expiry;
};
extern const struct shape linked_shape;

struct linked_in {		/* what a provider says; NULL: nothing */
	const char *provider, *uid, *email, *access_token, *refresh_token;
	int64_t access_token_expiry;
	bool vouched;		/* the provider says that the address is theirs */
	const char *id_token;	/* that an app signed in by */
};

/* Awaits. Stores it with the user. ERR_USER_ALREADY_EXISTS: it is somebody else's, and stays so. */
err_t linked_put(struct db_tx *tx, const struct project *p, const struct user *u, const struct linked_in *in) MUST_CHECK;
/* Awaits. The user whose identity this is, with what the provider gave just now in it. *out NULL: it is nobody's. */
err_t linked_find(struct ctx *cx, const struct project *p, const struct linked_in *in, struct user **out) MUST_CHECK;
/* Awaits. The same with new tokens, if it is there still and `u`'s. */
err_t linked_renew(struct ctx *cx, const struct project *p, const struct user *u, const struct linked_in *in) MUST_CHECK;
/* Awaits. *taken_out: an identity with this address, vouched for, is there, of somebody else than `u` (NULL: of anybody). */
err_t linked_has_email(struct ctx *cx, const struct project *p, const char *email, const struct user *u, bool *taken_out) MUST_CHECK;
/* Awaits. The newest of the user's at that provider. ERR_USER_IDENTITY_NOT_FOUND. */
err_t linked_newest(struct ctx *cx, const struct project *p, const struct user *u, const char *provider, struct linked **out) MUST_CHECK;
/* Awaits. Of `u`, or of all (NULL). */
err_t linked_list(struct ctx *cx, const struct project *p, const struct user *u, const struct strs *queries, const char *search,
    struct query_page *out) MUST_CHECK;
/* Awaits. `u` NULL: anybody's. ERR_USER_IDENTITY_NOT_FOUND. */
err_t linked_delete(struct ctx *cx, const struct project *p, const struct user *u, const char *id, const char *actor) MUST_CHECK;

#endif
