/* The users service: a project's users, for its servers (keys) and its team (admin mode). */
#include "core/map.h"
#include "core/protocol.h"
#include "gate/caller.h"
#include "model/usage.h"
#include "svc/teams/team.h"
#include "svc/users/linked.h"
#include "svc/users/password.h"
#include "svc/users/user.h"

static struct user_by
by_caller(const struct req *rq)
{
	return (struct user_by){.actor = caller_id(rq)};
}

/* ---- creation ---- */

struct create_in {
	const char *id, *email, *phone, *password, *name;
	const char *version, *salt, *separator, *signer;
	struct opt_int cpu, memory, parallel, length;
};
#define USER_ID REQUIRED("userId", P_CUSTOM_ID, struct create_in, id, "User ID, or unique() for a generated one.")
#define USER_NAME OPTIONAL("name", P_TEXT, struct create_in, name, "User name.", .def = "\"\"", .max = 128)
/* A hash is kept and shown as it is, so it is bounded: lists show a hundred. */
#define IMPORT                                                                              \
	USER_ID, REQUIRED("email", P_EMAIL, struct create_in, email, "E-mail address."),    \
	    REQUIRED("password", P_PASSWORD, struct create_in, password, "The stored hash.", .max = 16384)
static const struct param create_params[] = {
	USER_ID,
	OPTIONAL("email", P_EMAIL, struct create_in, email, "E-mail address."),
	OPTIONAL("phone", P_PHONE, struct create_in, phone, "Phone number: + and digits."),
	OPTIONAL("password", P_PASSWORD, struct create_in, password, "Password in clear, of at least 8 bytes."),
	USER_NAME,
};
static const struct param import_params[] = {IMPORT, USER_NAME};
static const struct param sha_params[] = {
	IMPORT,
	OPTIONAL("passwordVersion", P_ENUM_NOCASE, struct create_in, version, "Digest; sha3-512 when absent.", .def = "\"\"",
	    .list = password_sha_versions),
	USER_NAME,
};
static const struct param scrypt_params[] = {
	IMPORT,
	REQUIRED("passwordSalt", P_TEXT, struct create_in, salt, "Salt.", .max = 128),
	REQUIRED("passwordCpu", P_INT, struct create_in, cpu, "CPU cost N.", .def = "8"),
	REQUIRED("passwordMemory", P_INT, struct create_in, memory, "Memory cost r.", .def = "14"),
	REQUIRED("passwordParallel", P_INT, struct create_in, parallel, "Parallelisation p.", .def = "1"),
	REQUIRED("passwordLength", P_INT, struct create_in, length, "Bytes of the hash.", .def = "64"),
	USER_NAME,
};
static const struct param scrypt_modified_params[] = {
	IMPORT,
	REQUIRED("passwordSalt", P_TEXT, struct create_in, salt, "Salt, base64.", .max = 128),
	REQUIRED("passwordSaltSeparator", P_TEXT, struct create_in, separator, "Salt separator, base64.", .max = 128),
	REQUIRED("passwordSignerKey", P_TEXT, struct create_in, signer, "Signer key, base64.", .max = 128),
	USER_NAME,
};

/* To later clients: an address that somebody else has at a provider is taken. */
static err_t
check_linked(struct req *rq, const char *email, const struct user *u)
{
	bool taken = false;

	if (email != NULL && email[0] != '\0' && rq->cx.format >= SINCE_1_5)
		TRY(linked_has_email(&rq->cx, rq->project, email, u, &taken));
	return taken ? fail(&rq->cx, ERR_USER_EMAIL_ALREADY_EXISTS, "an identity has it") : OK;
}

static err_t
users_create_hashed(struct req *rq, const struct create_in *in, const char *hash, struct str options)
{
	const struct user_in user = {
		.id = in->id,
		.email = in->email,
		.phone = in->phone,
		.name = in->name ? in->name : "",
		.password = in->password,
		.hash = hash,
		.hash_options = options,
		.actor = caller_id(rq),
	};
	struct user *u;

	TRY(check_linked(rq, in->email, NULL));
	if (hash != NULL)
		TRY(password_import_check(&rq->cx, hash, options, in->password));
	TRY(user_create(&rq->cx, rq->project, &user, 0, &u));
	return reply(rq, 201, &user_shape, u);
}

static err_t
users_create(struct req *rq, void *in)
{
	return users_create_hashed(rq, in, NULL, STR_NONE);
}

/* These carry all they need in the hash itself. */
static err_t
users_create_bcrypt_user(struct req *rq, void *in)
{
	return users_create_hashed(rq, in, "bcrypt", STR("[]"));
}

static err_t
users_create_m_d5_user(struct req *rq, void *in)
{
	return users_create_hashed(rq, in, "md5", STR("[]"));
}

static err_t
users_create_argon2_user(struct req *rq, void *in)
{
	return users_create_hashed(rq, in, "argon2", STR("[]"));
}

static err_t
users_create_phpass_user(struct req *rq, void *in)
{
	return users_create_hashed(rq, in, "phpass", STR("[]"));
}

struct option {			/* text, or a number when there is none */
	const char *key, *text;
	int64_t number;
};

static struct str
options_json(struct req *rq, const struct option *v, int n)
{
	struct buf b;
	struct jw w;

	buf_init(&b, rq->cx.arena, 256);
	jw_init(&w, &b);
	jw_obj(&w);
	for (int i = 0; i < n; i++) {
		jw_key(&w, str_c(v[i].key));
		if (v[i].text != NULL)
			jw_cstr(&w, v[i].text);
		else
			jw_i64(&w, v[i].number);
	}
	jw_obj_end(&w);
	return buf_view(&b);
}

static err_t
users_create_sha_user(struct req *rq, void *arg)
{
	const struct create_in *in = arg;
	const struct option v[] = {{"version", in->version, 0}};

	return users_create_hashed(rq, in, "sha", in->version && in->version[0] ? options_json(rq, v, 1) : STR("[]"));
}

static err_t
users_create_scrypt_user(struct req *rq, void *arg)
{
	const struct create_in *in = arg;
	const struct option v[] = {{"salt", in->salt, 0}, {"costCpu", NULL, in->cpu.v}, {"costMemory", NULL, in->memory.v},
		{"costParallel", NULL, in->parallel.v}, {"length", NULL, in->length.v}};

	return users_create_hashed(rq, in, "scrypt", options_json(rq, v, 5));
}

static err_t
users_create_scrypt_modified_user(struct req *rq, void *arg)
{
	const struct create_in *in = arg;
	const struct option v[] = {{"signerKey", in->signer, 0}, {"saltSeparator", in->separator, 0}, {"salt", in->salt, 0}};

	return users_create_hashed(rq, in, "scryptMod", options_json(rq, v, 3));
}

/* ---- reading ---- */

struct list_in {
	struct strs queries;
	const char *search;
};
static const struct param list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct list_in, queries,
	    "Queries over name, email, phone, status, passwordUpdate, registration, emailVerification and phoneVerification.", .def = "[]"),
	OPTIONAL("search", P_TEXT, struct list_in, search, "Words to look for.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};

/* Users who may act as others find them here; what opens accounts is not for them. */
static void
veil_user(const struct req *rq, struct user *u)
{
	if (rq->bypass)
		return;
	u->password = u->hash = NULL;
	u->hash_options = STR_NONE;
	u->targets = (struct objs){0};	/* push tokens among them */
}

static err_t
users_list(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	struct query_page page;
	struct objs users = {0};

	TRY(user_list(&rq->cx, rq->project, &in->queries, in->search, &page));
	if (page.res != NULL)
		users = shape_rows(&rq->cx, &user_shape, page.res);
	for (int i = 0; i < users.n; i++)
		veil_user(rq, users.v[i]);
	return reply_list(rq, &user_shape, "users", page.total, &users);
}

struct user_in_path {		/* the path, and the one thing a change sets */
	const char *id, *session, *text;
	int flag;
	json_t *prefs;
	struct strs labels;
};
#define USER_PATH PATH("userId", P_UID, struct user_in_path, id, "User ID.")
static const struct param user_params[] = {USER_PATH};
static const struct param sessions_params[] = {USER_PATH, LIST_TOTAL};

static err_t
users_get(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	veil_user(rq, u);
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_get_prefs(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	return reply_json(rq, 200, u->prefs.n > 0 ? u->prefs : STR("{}"));
}

static err_t
users_get_sessions(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct objs sessions;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(session_list(&rq->cx, rq->project, u, NULL, &sessions));
	return reply_list(rq, &session_shape, "sessions", sessions.n, &sessions);
}

struct members_in {
	const char *id, *search;
	struct strs queries;
};
static const struct param members_params[] = {
	PATH("userId", P_UID, struct members_in, id, "User ID."),
	OPTIONAL("queries", P_QUERIES, struct members_in, queries, "Queries over userId, teamId, invited, joined, confirm and roles.", .def = "[]"),
	OPTIONAL("search", P_TEXT, struct members_in, search, "Words to look for.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};

static err_t
users_get_memberships(struct req *rq, void *arg)
{
	const struct members_in *in = arg;
	struct query_page page;
	struct objs members = {0};
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	if (rq->cx.format < SINCE_1_8 && in->queries.n == 0 && (in->search == NULL || in->search[0] == '\0')) {	/* all at once, as it was */
		TRY(membership_all_user(&rq->cx, rq->project, u, &members));
		return reply_list(rq, &membership_shape, "memberships", members.n, &members);
	}
	TRY(membership_list_user(&rq->cx, rq->project, u, &in->queries, in->search, &page));
	if (page.res != NULL)
		members = shape_rows(&rq->cx, &membership_shape, page.res);
	return reply_list(rq, &membership_shape, "memberships", page.total, &members);
}

/* ---- changes ---- */

static const struct param status_params[] = {USER_PATH,
	REQUIRED("status", P_BOOL_LOOSE, struct user_in_path, flag, "False blocks the user.")};
static const struct param verification_params[] = {USER_PATH,
	REQUIRED("emailVerification", P_BOOL, struct user_in_path, flag, "E-mail verified.", .def = "false")};
static const struct param phone_verification_params[] = {USER_PATH,
	REQUIRED("phoneVerification", P_BOOL, struct user_in_path, flag, "Phone verified.", .def = "false")};
static const struct param name_params[] = {USER_PATH, REQUIRED("name", P_TEXT, struct user_in_path, text, "User name.", .max = 128, .empty_since = SINCE_1_5)};
static const struct param password_params[] = {USER_PATH,
	REQUIRED("password", P_PASSWORD, struct user_in_path, text, "New password of at least 8 bytes; empty: none.", .empty_since = SINCE_1_5)};
static const struct param email_params[] = {USER_PATH, REQUIRED("email", P_EMAIL, struct user_in_path, text, "New e-mail address; empty: none.", .empty_since = SINCE_1_5)};
static const struct param phone_params[] = {USER_PATH, REQUIRED("number", P_PHONE, struct user_in_path, text, "New phone number: + and digits; empty: none.", .empty_since = SINCE_1_5)};
static const struct param prefs_params[] = {USER_PATH,
	REQUIRED("prefs", P_ASSOC, struct user_in_path, prefs, "Preferences; they replace the former ones.")};
static const struct param labels_params[] = {USER_PATH,
	REQUIRED("labels", P_TEXTS, struct user_in_path, labels, "Labels of letters and digits; they replace the former ones. Each is a role, label:NAME.", .count = 1000, .max = 36)};
static const struct param session_params[] = {USER_PATH, PATH("sessionId", P_UID, struct user_in_path, session, "Session ID.")};

static err_t
users_update_status(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_status(&rq->cx, rq->project, u, &by, in->flag == 1, &u));
	audit_as(rq, u);
	return reply(rq, 200, &user_shape, u);
}

static const struct param impersonator_params[] = {USER_PATH,
	REQUIRED("impersonator", P_BOOL_LOOSE, struct user_in_path, flag, "Whether the user may act as other users of the project.")};

static err_t
users_update_impersonator(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_impersonator(&rq->cx, rq->project, u, &by, in->flag == 1, &u));
	audit_as(rq, u);
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_update_email_verification(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_email_verification(&rq->cx, rq->project, u, &by, in->flag == 1, &u));
	audit_as(rq, u);
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_update_phone_verification(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_phone_verification(&rq->cx, rq->project, u, &by, in->flag == 1, &u));
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_update_name(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_name(&rq->cx, rq->project, u, &by, in->text, &u));
	audit_as(rq, u);
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_update_password(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_password(&rq->cx, rq->project, u, &by, in->text, NULL, NULL, &u));
	audit_as(rq, u);
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_update_email(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(check_linked(rq, in->text, u));
	TRY(user_set_email(&rq->cx, rq->project, u, &by, in->text, NULL, &u));
	audit_as(rq, u);
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_update_phone(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_phone(&rq->cx, rq->project, u, &by, in->text, NULL, &u));
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_update_prefs(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_prefs(&rq->cx, rq->project, u, &by, in->prefs, &u));
	return reply_json(rq, 200, u->prefs);
}

/* Each once, in the order in which they came. */
static err_t
distinct_labels(struct req *rq, const struct strs *in, struct strs *out)
{
	struct map *seen = map_for(&rq->cx);

	*out = (struct strs){.set = true, .v = arena_array(rq->cx.arena, const char *, in->n + 1)};
	for (int i = 0; i < in->n; i++) {
		struct str label = str_c(in->v[i]);

		if (!role_label_ok(label))
			return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid labels: Each must be 1 to 36 letters and digits");
		if (map_get(seen, label) != NULL)
			continue;
		(void)map_set(seen, label, out);
		out->v[out->n++] = in->v[i];
	}
	return OK;
}

static err_t
users_update_labels(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct strs labels;
	struct user *u;

	TRY(distinct_labels(rq, &in->labels, &labels));
	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_set_labels(&rq->cx, rq->project, u, &by, &labels, &u));
	audit_as(rq, u);
	return reply(rq, 200, &user_shape, u);
}

/* ---- endings ---- */

static err_t
users_delete_session(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct session *s;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(session_get(&rq->cx, rq->project, u, in->session, NULL, &s));
	TRY(session_delete(&rq->cx, rq->project, u, &by, s));
	return reply_none(rq);
}

static err_t
users_delete_sessions(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(session_delete_all(&rq->cx, rq->project, u, &by, NULL));
	return reply_none(rq);
}

static err_t
users_delete(struct req *rq, void *arg)
{
	const struct user_in_path *in = arg;
	struct user_by by = by_caller(rq);
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(user_delete(&rq->cx, rq->project, u, &by));
	return reply_none(rq);
}

#define CREATE(tail, name_, handler_, doc_, rows_)                                                                                       \
	{.method = "POST", .path = "/v1/users" tail, .service = "users", .name = name_, .scope = "users.write", .limit = "",             \
	    .handler = handler_, .model = &user_shape, .status = 201, .doc = doc_, PARAMS(struct create_in, rows_),                      \
	    .audit = "user.create user/{userId}", .usage = "users.create"}
#define READ(...) READ_AS("users.read", __VA_ARGS__)
/* Open to those who may act as others. */
#define FIND(tail, name_, handler_, model_, list_, doc_, st, rows_)                                                                                \
	{.method = "GET", .path = "/v1/users" tail, .service = "users", .name = name_, .scope = "users.read", .limit = "",               \
	    .handler = handler_, .model = model_, .list = list_, .status = 200, .doc = doc_, PARAMS(st, rows_), .usage = "users.read", .flags = ROUTE_FINDS_PEOPLE}
#define READ_AS(scope_, tail, name_, handler_, model_, list_, doc_, st, rows_)                                                                      \
	{.method = "GET", .path = "/v1/users" tail, .service = "users", .name = name_, .scope = scope_, .limit = "",               \
	    .handler = handler_, .model = model_, .list = list_, .status = 200, .doc = doc_, PARAMS(st, rows_), .usage = "users.read"}
#define CHANGE(...) CHANGE_AS("users.write", __VA_ARGS__)
#define CHANGE_AS(scope_, method_, tail, name_, handler_, model_, status_, doc_, rows_, audit_, usage_)                                 \
	{.method = method_, .path = "/v1/users/:userId" tail, .service = "users", .name = name_, .scope = scope_, .limit = "",    \
	    .handler = handler_, .model = model_, .status = status_, .doc = doc_, PARAMS(struct user_in_path, rows_), .audit = audit_,       \
	    .usage = usage_}

#define USER_UPDATE "user.update user/{userId}"

/* ---- logs ---- */

struct logs_in {
	const char *id;
	struct strs queries;
};
static const struct param logs_params[] = {PATH("userId", P_UID, struct logs_in, id, "User ID."), LOG_QUERIES(struct logs_in)};

static err_t
users_get_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	return reply_logs(rq, AUDIT_OF_USER, u->id, u->created, &in->queries, true);
}

static const struct route rows[] = {
	CREATE("", "create", users_create, "Create a user.", create_params),
	CREATE("/bcrypt", "createBcryptUser", users_create_bcrypt_user, "Import a user with a bcrypt hash.", import_params),
	CREATE("/md5", "createMD5User", users_create_m_d5_user, "Import a user with an MD5 hash.", import_params),
	CREATE("/argon2", "createArgon2User", users_create_argon2_user, "Import a user with an Argon2 hash.", import_params),
	CREATE("/sha", "createSHAUser", users_create_sha_user, "Import a user with a hash of the SHA family.", sha_params),
	CREATE("/phpass", "createPHPassUser", users_create_phpass_user, "Import a user with a PHPass hash.", import_params),
	CREATE("/scrypt", "createScryptUser", users_create_scrypt_user, "Import a user with a scrypt hash.", scrypt_params),
	CREATE("/scrypt-modified", "createScryptModifiedUser", users_create_scrypt_modified_user, "Import a user with a modified scrypt hash.",
	    scrypt_modified_params),
	FIND("", "list", users_list, &user_shape, "users", "The project's users.", struct list_in, list_params),
	FIND("/:userId", "get", users_get, &user_shape, NULL, "One user.", struct user_in_path, user_params),
	FIND("/:userId/prefs", "getPrefs", users_get_prefs, &preferences_shape, NULL, "A user's preferences.", struct user_in_path, user_params),
	READ_AS("users.read|sessions.read", "/:userId/sessions", "getSessions", users_get_sessions, &session_shape, "sessions", "A user's sessions.", struct user_in_path, sessions_params),
	FIND("/:userId/memberships", "getMemberships", users_get_memberships, &membership_shape, "memberships", "A user's memberships.",
	    struct members_in, members_params),
	CHANGE("PATCH", "/status", "updateStatus", users_update_status, &user_shape, 200, "Block or unblock a user.", status_params,
	    USER_UPDATE, "users.update"),
	CHANGE("PATCH", "/verification", "updateEmailVerification", users_update_email_verification, &user_shape, 200, "Set whether the e-mail is verified.",
	    verification_params, "verification.update user/{userId}", "users.update"),
	CHANGE("PATCH", "/verification/phone", "updatePhoneVerification", users_update_phone_verification, &user_shape, 200,
	    "Set whether the phone is verified.", phone_verification_params, "verification.update user/{userId}", "users.update"),
	CHANGE("PATCH", "/name", "updateName", users_update_name, &user_shape, 200, "Change a user's name.", name_params, USER_UPDATE, "users.update"),
	CHANGE("PATCH", "/password", "updatePassword", users_update_password, &user_shape, 200, "Change a user's password.", password_params,
	    USER_UPDATE, "users.update"),
	CHANGE("PATCH", "/email", "updateEmail", users_update_email, &user_shape, 200, "Change a user's e-mail address.", email_params,
	    USER_UPDATE, "users.update"),
	CHANGE("PATCH", "/phone", "updatePhone", users_update_phone, &user_shape, 200, "Change a user's phone number.", phone_params,
	    USER_UPDATE, "users.update"),
	CHANGE("PATCH", "/prefs", "updatePrefs", users_update_prefs, &preferences_shape, 200, "Replace a user's preferences.", prefs_params, NULL, "users.update"),
	{.method = "PUT", .path = "/v1/users/:userId/labels", .service = "users", .name = "updateLabels", .scope = "users.write", .limit = "",
	    .handler = users_update_labels, .model = &user_shape, .status = 200, .doc = "Replace a user's labels.", PARAMS(struct user_in_path, labels_params),
	    .audit = USER_UPDATE, .usage = "users.update", .since = SINCE_1_4},
	{.method = "PATCH", .path = "/v1/users/:userId/impersonator", .service = "users", .name = "updateImpersonator", .scope = "users.write", .limit = "",
	    .handler = users_update_impersonator, .model = &user_shape, .status = 200, .doc = "Let a user act as others, or no longer.",
	    PARAMS(struct user_in_path, impersonator_params), .audit = USER_UPDATE, .usage = "users.update", .since = SINCE_1_9},
	CHANGE_AS("users.write|sessions.write", "DELETE", "/sessions/:sessionId", "deleteSession", users_delete_session, NULL, 204, "End one session of a user.", session_params,
	    "session.delete user/{userId}", "sessions.delete"),
	CHANGE_AS("users.write|sessions.write", "DELETE", "/sessions", "deleteSessions", users_delete_sessions, NULL, 204, "End all sessions of a user.", user_params,
	    NULL, "sessions.delete"),
	CHANGE("DELETE", "", "delete", users_delete, NULL, 204, "Delete a user.", user_params, "user.delete user/{userId}", "users.delete"),
	LOGS("/v1/users/:userId/logs", "users", "users.read", users_get_logs, "What a user did.", struct logs_in, logs_params,
	    .usage = "users.read"),
};
const struct routes user_routes = ROUTES(rows);
