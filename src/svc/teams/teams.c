/* The teams service. Whoever is not in a team learns nothing of it: it is "not found". Changes are for its owners, for keys, and for
 * the project's own team in admin mode. */
#include "core/id.h"
#include "core/protocol.h"
#include "gate/caller.h"
#include "core/log.h"
#include "core/vtime.h"
#include "model/link.h"
#include "svc/messages/mail.h"
#include "svc/messages/sms.h"
#include "model/origin.h"
#include "model/roles.h"
#include "svc/teams/team.h"

enum { SECRET_BYTES = 128, PASSWORD_BYTES = 20 };

static bool
is_owner(struct req *rq, const struct team *t)
{
	return caller_is_server(rq) || roles_in_team(rq->cx.arena, &rq->roles, t->id, "owner");
}

/* The team that the path names, or else the header: an organization. */
static const char *
named_team(struct req *rq, const char *id)
{
	struct str named = rq->http->hdr[HDR_X_ORGANIZATION];

	return id != NULL ? id : id_valid(named) ? str_dup(rq->cx.arena, named) : "";
}

/* The team, if the caller may see it. */
static err_t
visible_team(struct req *rq, const char *named, struct team **out)
{
	const char *id = named_team(rq, named);

	TRY(team_get(&rq->cx, rq->project, id, out));
	if (!caller_is_server(rq) && !roles_in_team(rq->cx.arena, &rq->roles, (*out)->id, NULL))
		return fail(&rq->cx, ERR_TEAM_NOT_FOUND, "not a member: %s", id);
	return OK;
}

static err_t
owned_team(struct req *rq, const char *id, struct team **out)
{
	TRY(visible_team(rq, id, out));
	return is_owner(rq, *out) ? OK : fail(&rq->cx, ERR_USER_UNAUTHORIZED, "not an owner: %s", id);
}

/* ---- teams ---- */

struct create_in {
	const char *id, *name;
	struct strs roles;
};
static const struct param create_params[] = {
	REQUIRED("teamId", P_CUSTOM_ID, struct create_in, id, "Team ID, or unique() for a generated one."),
	REQUIRED("name", P_TEXT, struct create_in, name, "Team name.", .max = 128),
	OPTIONAL("roles", P_KEYS, struct create_in, roles, "Roles of the creator in the team.", .def = "[\"owner\"]"),
};

static struct strs
with_owner(struct arena *a, const struct strs *roles)
{
	struct strs r = {.set = true, .v = arena_array(a, const char *, roles->n + 1)};

	for (int i = 0; i < roles->n; i++)
		r.v[r.n++] = roles->v[i];
	if (!roles_have(roles, "owner"))
		r.v[r.n++] = "owner";
	return r;
}

static err_t
teams_create(struct req *rq, void *arg)
{
	const struct create_in *in = arg;
	const struct user *owner = caller_user(rq);
	struct strs roles = with_owner(rq->cx.arena, &in->roles);
	struct team *t;

	if (owner == NULL && !caller_is_server(rq))	/* somebody of the console without a role in this project */
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "no user of this project");
	TRY(team_create(&rq->cx, rq->project, in->id, in->name, owner, &roles, &t));
	return reply(rq, 201, &team_shape, t);
}

struct list_in {
	struct strs queries;
	const char *search, *team;
};
static const struct param list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct list_in, queries, "Queries over name and total.", .def = "[]"),
	OPTIONAL("search", P_TEXT, struct list_in, search, "Words to look for.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};

static err_t
teams_list(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	const struct user *member = caller_user(rq);
	struct query_page page;
	struct objs list = {0};

	if (member == NULL && !caller_is_server(rq))
		return reply_list(rq, &team_shape, "teams", 0, &list);
	TRY(team_list(&rq->cx, rq->project, member, &in->queries, in->search, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &team_shape, page.res);
	return reply_list(rq, &team_shape, "teams", page.total, &list);
}

struct team_in {
	const char *team, *name;
	json_t *prefs;
};
static const struct param get_params[] = {PATH("teamId", P_UID, struct team_in, team, "Team ID.")};
static const struct param update_params[] = {
	PATH("teamId", P_UID, struct team_in, team, "Team ID."),
	REQUIRED("name", P_TEXT, struct team_in, name, "Team name.", .max = 128),
};

static const struct param organization_rename_params[] = {REQUIRED("name", P_TEXT, struct team_in, name, "Name of the organization.", .max = 128)};

static const struct param prefs_params[] = {
	PATH("teamId", P_UID, struct team_in, team, "Team ID."),
	REQUIRED("prefs", P_ASSOC, struct team_in, prefs, "Preferences; they replace the former ones."),
};

static err_t
teams_get(struct req *rq, void *arg)
{
	const struct team_in *in = arg;
	struct team *t;

	TRY(visible_team(rq, in->team, &t));
	return reply(rq, 200, &team_shape, t);
}

static err_t
teams_update(struct req *rq, void *arg)
{
	const struct team_in *in = arg;
	struct team *t;

	TRY(owned_team(rq, in->team, &t));
	TRY(team_rename(&rq->cx, rq->project, t, in->name, caller_id(rq), &t));
	return reply(rq, 200, &team_shape, t);
}

static err_t
teams_get_prefs(struct req *rq, void *arg)
{
	const struct team_in *in = arg;
	struct team *t;

	TRY(visible_team(rq, in->team, &t));
	return reply_json(rq, 200, t->prefs);
}

static err_t
teams_update_prefs(struct req *rq, void *arg)
{
	const struct team_in *in = arg;
	struct team *t;

	TRY(owned_team(rq, in->team, &t));
	TRY(team_set_prefs(&rq->cx, rq->project, t, in->prefs, caller_id(rq), &t));
	return reply_json(rq, 200, t->prefs);
}

static err_t
teams_delete(struct req *rq, void *arg)
{
	const struct team_in *in = arg;
	struct team *t;

	TRY(owned_team(rq, in->team, &t));
	TRY(team_delete(&rq->cx, rq->project, t, caller_id(rq)));
	return reply_none(rq);
}

/* ---- members ---- */

enum { ROLE_MAX = 81 };

struct invite_in {
	const char *team, *email, *user, *phone, *url, *name;
	struct strs roles;
};
#define INVITED                                                                                                                                           \
	REQUIRED("email", P_EMAIL, struct invite_in, email, "E-mail address of the new member.", .optional_since = SINCE_1_3),                            \
	    OPTIONAL("userId", P_UID, struct invite_in, user, "User that becomes a member."),                                                             \
	    OPTIONAL("phone", P_PHONE, struct invite_in, phone, "Phone number of the new member: + and digits."),                                         \
	    REQUIRED("roles", P_KEYS, struct invite_in, roles, "Roles in the team.", .def = "[]", .max = ROLE_MAX),                                       \
	    REQUIRED("url", P_MAIL_LINK, struct invite_in, url, "Page of the app that the invitation leads to; servers need none.",                       \
		.optional_since = SINCE_1_3),                                                                                                             \
	    OPTIONAL("name", P_TEXT, struct invite_in, name, "Name of the new member, when it has no account yet.", .def = "\"\"", .max = 128)
static const struct param invite_params[] = {PATH("teamId", P_UID, struct invite_in, team, "Team ID."), INVITED};
static const struct param organization_invite_params[] = {INVITED};

struct told {			/* what the caller has named of the member, and so may hear; the name in the caller's own words, which may be another than the member's */
	bool id, email;
	const char *name;
};

/* The rest is for those whom the project shows it. */
static err_t
membership_reply(struct req *rq, int status, struct membership *m, struct told told)
{
	const struct membership all = *m;

	if (!rq->bypass) {
		membership_veil(rq->project, m);
		m->user_id = told.id ? all.user_id : m->user_id;
		m->user_email = told.email ? all.user_email : m->user_email;
		m->user_name = m->user_name != NULL ? m->user_name : told.name;
	}
	return reply(rq, status, &membership_shape, m);
}

/* ---- who is invited ---- */

/* `none`: to have none is another one, too. */
static bool
differs(const char *given, const char *is, bool none)
{
	return given != NULL && (is == NULL ? none : !str_ieq(str_c(given), str_c(is)));
}

static err_t
known_invitee(struct req *rq, const struct invite_in *in, struct user **out)
{
	if (in->user != NULL)
		TRY(user_by_id(&rq->cx, rq->project, in->user, out));
	else
		TRY(in->email != NULL ? user_by_email(&rq->cx, rq->project, in->email, out) : user_by_phone(&rq->cx, rq->project, in->phone, out));
	if (differs(in->email, (*out)->email, in->user != NULL) || differs(in->phone, (*out)->phone, in->user != NULL))
		return fail(&rq->cx, ERR_USER_ALREADY_EXISTS, "user=%s has another address", (*out)->id);
	return OK;
}

static const char *
invitee_name(const struct invite_in *in)
{
	if (in->name != NULL && in->name[0] != '\0')
		return in->name;
	return in->email ? in->email : in->phone ? in->phone : "";
}

/* The person who is meant, who gets an account when there is none with this address. Of two addresses it has the one that the invitation goes to: the other
 * may be the inviter's, to come in by it. */
static err_t
invitee(struct req *rq, const struct invite_in *in, struct user **out)
{
	const struct user_in new_user = {
		.email = in->email,
		.phone = in->email == NULL || caller_is_server(rq) ? in->phone : NULL,
		.name = invitee_name(in),
		.password = secret_hex(rq->cx.arena, PASSWORD_BYTES),
		.for_reader = true,
		.actor = caller_id(rq),
	};
	err_t e = known_invitee(rq, in, out);

	if (e != ERR_USER_NOT_FOUND || in->user != NULL)
		return e;
	e = user_create(&rq->cx, rq->project, &new_user, USER_UNCHOSEN | (rq->project->console ? 0 : USER_LIMIT), out);
	if (e == ERR_USER_ALREADY_EXISTS) {	/* somebody was quicker, or has one of two addresses */
		e = known_invitee(rq, in, out);
		return e == ERR_USER_NOT_FOUND ? ERR_USER_ALREADY_EXISTS : e;
	}
	if (e == ERR_USER_COUNT_EXCEEDED)	/* the inviter can do nothing about it, unlike somebody who signs up */
		rq->cx.message = "Project registration is restricted. Contact your administrator for more information.";
	return e;
}

/* ---- how they are told ---- */

struct letter {			/* what the message says beside what the membership knows */
	struct req *rq;
	const struct invite_in *in;
	const char *secret;
	const char *email, *phone;	/* where it goes: one of them */
};

/* A short message has room for the page, ids and the secret, and the name of the team where it is no long one. */
enum { SMS_PAGE_MAX = 300, NAMELESS = 4 };

static void
send_invitation(struct db_tx *tx, const struct membership *m, void *arg)
{
	const struct letter *l = arg;
	const struct user *owner = caller_user(l->rq);
	const struct link_param v[] = {{"membershipId", m->id}, {"userId", m->user_id}, {"secret", l->secret}, {"teamId", m->team_id}, {"teamName", m->team_name}};
	int n = (int)(sizeof v / sizeof *v) - (l->rq->cx.format < SINCE_1_5 ? 1 : 0);
	const char *name = invitee_name(l->in), *link = link_with(l->rq->cx.arena, l->in->url, v, n);
	const struct mail mail = {
		.kind = "invitation",
		.to = l->email,
		.name = name[0] ? name : m->user_name ? m->user_name : "",
		.link = l->email == NULL && strlen(link) > SMS_TEXT_MAX ? link_with(l->rq->cx.arena, l->in->url, v, NAMELESS) : link,
		.locale = l->rq->locale,
		.owner = owner && owner->name ? owner->name : "",
		.team = m->team_name,
	};

	if (l->email != NULL)
		mail_send(tx, l->rq->project, &mail);
	else
		sms_send(tx, l->rq->project, &(struct sms){.to = l->phone, .text = mail.link, .locale = l->rq->cx.format >= SINCE_1_5 ? mail.locale : NULL, .invites = true});
}

/* What a message needs that goes to an e-mail address, or to a phone number. */
static err_t
may_send(struct req *rq, const struct invite_in *in, bool by_mail)
{
	if (by_mail && !mail_ready(rq->project))
		return fail(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "invitation");
	if (!by_mail && !sms_ready())
		return fail(&rq->cx, ERR_GENERAL_PHONE_DISABLED, "invitation");
	if (!by_mail && strlen(link_with(rq->cx.arena, in->url, NULL, 0)) > SMS_PAGE_MAX)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid url: It has at most %d bytes in a short message", SMS_PAGE_MAX);
	if (mail_link_ok(rq->project, rq->host, in->url))
		return OK;
	if (log_may_client(rq->ip))
		log_warn(&rq->cx, "no mail may lead to the host of a request: set domain", "mail=invitation host=%s", rq->host);
	return fail(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "invitation to host=%s without domain", rq->host);
}

/* Before anything is looked at, as far as that says it. */
static err_t
check_invite(struct req *rq, struct invite_in *in, bool server)
{
	if (in->user == NULL && in->email == NULL && in->phone == NULL)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "At least one of userId, email, or phone is required");
	if (in->email != NULL)
		in->email = str_lower(rq->cx.arena, str_c(in->email)).p;
	if (server)
		return OK;
	if (in->url == NULL)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "URL is required");
	return in->email != NULL || in->phone != NULL ? may_send(rq, in, in->email != NULL) : OK;
}

/* To the address that was named, else to one that the user has. */
static err_t
address_letter(struct letter *l, const struct user *u)
{
	l->email = l->in->email ? l->in->email : l->in->phone ? NULL : u->email;
	l->phone = l->in->phone ? l->in->phone : u->phone;
	if (l->email == NULL && l->phone == NULL)
		return fail_msg(&l->rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "The user has neither an e-mail address nor a phone number");
	return l->in->email != NULL || l->in->phone != NULL ? OK : may_send(l->rq, l->in, l->email != NULL);
}

static err_t
teams_create_membership(struct req *rq, void *arg)
{
	struct invite_in *in = arg;
	bool server = caller_is_server(rq);
	struct letter letter = {.rq = rq, .in = in, .secret = secret_hex(rq->cx.arena, SECRET_BYTES)};
	struct invitation invite = {.send = send_invitation, .arg = &letter, .secret_hash = sha256_hex(rq->cx.arena, str_c(letter.secret))};
	struct team *t;
	struct user *u;
	struct membership *m;

	TRY(check_invite(rq, in, server));
	TRY(visible_team(rq, in->team, &t));
	if (!is_owner(rq, t))
		return fail_msg(&rq->cx, ERR_USER_UNAUTHORIZED, "User is not allowed to send invitations for this team");
	TRY(invitee(rq, in, &u));
	if (!server)
		TRY(address_letter(&letter, u));
	invite.sent_to = letter.email ? letter.email : letter.phone;
	TRY(membership_create(&rq->cx, rq->project, t, u, &in->roles, server ? NULL : &invite, caller_id(rq), &m));
	return membership_reply(rq, 201, m, (struct told){.id = true, .email = in->email != NULL, .name = in->name});
}

#define MEMBERS_ASKED                                                                                                                                     \
	OPTIONAL("queries", P_QUERIES, struct list_in, queries, "Queries over userId, teamId, invited, joined, confirm and roles.", .def = "[]"),         \
	    OPTIONAL("search", P_TEXT, struct list_in, search, "Words to look for.", .def = "\"\"", .max = 256), LIST_TOTAL
static const struct param members_params[] = {PATH("teamId", P_UID, struct list_in, team, "Team ID."), MEMBERS_ASKED};
static const struct param organization_members_params[] = {MEMBERS_ASKED};

static err_t
teams_get_memberships(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	struct query_page page;
	struct objs list = {0};
	struct team *t;

	TRY(visible_team(rq, in->team, &t));
	TRY(membership_list(&rq->cx, rq->project, t, !rq->bypass, &in->queries, in->search, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &membership_shape, page.res);
	for (int i = 0; !rq->bypass && i < list.n; i++)
		membership_veil(rq->project, list.v[i]);
	return reply_list(rq, &membership_shape, "memberships", page.total, &list);
}

struct member_in {
	const char *team, *member;
	struct strs roles;
	const char *user, *secret;
};
#define MEMBER_PATH                                                        \
	PATH("teamId", P_UID, struct member_in, team, "Team ID."),         \
	    PATH("membershipId", P_UID, struct member_in, member, "Membership ID.")
#define MEMBER_ALONE PATH("membershipId", P_UID, struct member_in, member, "Membership ID.")
#define MEMBER_ROLES REQUIRED("roles", P_KEYS, struct member_in, roles, "New roles in the team.", .def = "[]", .max = ROLE_MAX)
static const struct param member_params[] = {MEMBER_PATH};
static const struct param roles_params[] = {MEMBER_PATH, MEMBER_ROLES};
static const struct param organization_member_params[] = {MEMBER_ALONE};
static const struct param organization_roles_params[] = {MEMBER_ALONE, MEMBER_ROLES};
static const struct param status_params[] = {
	MEMBER_PATH,
	REQUIRED("userId", P_UID, struct member_in, user, "User ID."),
	REQUIRED("secret", P_TEXT, struct member_in, secret, "Secret of the invitation.", .max = 256),
};

/* A membership of a team the caller may see. */
static err_t
visible_member(struct req *rq, const struct member_in *in, struct team **t_out, struct membership **out)
{
	TRY(visible_team(rq, in->team, t_out));
	TRY(membership_get(&rq->cx, rq->project, in->member, out));
	if ((*out)->team_internal != (*t_out)->internal)
		return fail(&rq->cx, ERR_MEMBERSHIP_NOT_FOUND, "of another team: %s", in->member);
	return OK;
}

static err_t
teams_get_membership(struct req *rq, void *arg)
{
	const struct member_in *in = arg;
	struct team *t;
	struct membership *m;

	TRY(visible_member(rq, in, &t, &m));
	if (!rq->bypass)
		membership_veil(rq->project, m);
	return reply(rq, 200, &membership_shape, m);
}

static err_t
teams_update_membership_roles(struct req *rq, void *arg)
{
	const struct member_in *in = arg;
	struct team *t;
	struct membership *m;

	TRY(visible_member(rq, in, &t, &m));
	if (!is_owner(rq, t))
		return fail_msg(&rq->cx, ERR_USER_UNAUTHORIZED, "User is not allowed to modify roles");
	TRY(membership_set_roles(&rq->cx, rq->project, m, &in->roles, caller_id(rq), &m));
	return membership_reply(rq, 200, m, (struct told){0});
}

static err_t
not_invited(struct req *rq)
{
	const char *email = rq->login ? rq->login->user->email : NULL;

	return fail_msg(&rq->cx, ERR_TEAM_INVITE_MISMATCH, "Invite does not belong to current user (%s)", email ? email : "");
}

/* May this invitation be accepted by who calls? The secret is judged before anything is said about its owner. */
static err_t
check_invitation(struct req *rq, const struct member_in *in, const struct membership *m)
{
	struct ctx *cx = &rq->cx;

	if (!str_eq_secret(str_c(sha256_hex(cx->arena, str_c(in->secret))), str_c(m->secret_hash)))
		return fail(cx, ERR_TEAM_INVALID_SECRET, "membership=%s", m->id);
	if (!str_ieq(str_c(in->user), str_c(m->user_id)))
		return not_invited(rq);
	if (rq->login != NULL && strcmp(rq->login->user->id, m->user_id) != 0)
		return not_invited(rq);
	if (m->confirm)
		return fail(cx, ERR_MEMBERSHIP_ALREADY_CONFIRMED, "membership=%s", m->id);
	return OK;
}

/* Who was invited by phone has shown the phone. */
static struct session_in
session_of_invitee(const struct req *rq, const struct membership *m, const struct user *u)
{
	bool phone = membership_by_phone(m);

	return (struct session_in){.provider = phone ? "phone" : "email", .provider_uid = phone ? u->phone : u->email, .factor = phone ? "phone" : "email",
		.ip = rq->ip, .user_agent = rq->user_agent};
}

static err_t
teams_update_membership_status(struct req *rq, void *arg)
{
	const struct member_in *in = arg;
	struct session_in session;
	struct membership *m;
	struct session *s;
	struct team *t;
	struct user *u;
	bool took_over;
	char *token;

	TRY(membership_get(&rq->cx, rq->project, in->member, &m));
	if (!str_ieq(str_c(in->team), str_c(m->team_id)))
		return fail(&rq->cx, ERR_TEAM_MEMBERSHIP_MISMATCH, "team=%s", in->team);
	TRY(team_get(&rq->cx, rq->project, in->team, &t));
	TRY(check_invitation(rq, in, m));
	TRY(membership_confirm(&rq->cx, rq->project, m, &m, &u, &took_over));
	if (took_over)
		audit_takeover(rq, u);
	audit_as(rq, u);
	/* today whoever is signed in stays so, unless that has just ended */
	if (rq->login == NULL || took_over || rq->cx.format < SINCE_1_5) {
		session = session_of_invitee(rq, m, u);
		TRY(session_create(&rq->cx, rq->project, u, &session, &s, &token));
		known_client(rq, u, s);
		reply_session(rq, token);
	}
	return membership_reply(rq, 200, m, (struct told){.id = true, .email = true, .name = m->user_name});
}

/* This route has a name of its own for a membership that is not there. */
static err_t
as_invite(struct req *rq, const struct member_in *in, err_t e)
{
	return e == ERR_MEMBERSHIP_NOT_FOUND ? fail(&rq->cx, ERR_TEAM_INVITE_NOT_FOUND, "id=%s", in->member) : e;
}

static err_t
teams_delete_membership(struct req *rq, void *arg)
{
	const struct member_in *in = arg;
	const struct user *caller = caller_user(rq);
	struct membership *m;
	struct team *t;

	TRY(as_invite(rq, in, membership_get(&rq->cx, rq->project, in->member, &m)));
	if (!str_ieq(str_c(named_team(rq, in->team)), str_c(m->team_id)))
		return fail(&rq->cx, ERR_TEAM_MEMBERSHIP_MISMATCH, "team=%s", named_team(rq, in->team));
	TRY(visible_team(rq, in->team, &t));
	if (!is_owner(rq, t) && (caller == NULL || caller->internal != m->user_internal))
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "membership=%s", m->id);
	TRY(as_invite(rq, in, membership_delete(&rq->cx, rq->project, m, caller_id(rq))));
	return reply_none(rq);
}

/* ---- logs ---- */

struct logs_in {
	const char *id;
	struct strs queries;
};
static const struct param logs_params[] = {PATH("teamId", P_UID, struct logs_in, id, "Team ID."), LOG_QUERIES(struct logs_in)};

static err_t
teams_get_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	struct team *t;

	TRY(visible_team(rq, in->id, &t));
	return reply_logs(rq, AUDIT_OF_RESOURCE, arena_printf(rq->cx.arena, "team/%s", t->id), t->created, &in->queries, false);
}

/* A team of the console by the words of today: the header names it. */
#define ORGANIZATION(method_, tail, name_, scope_, handler_, status_, doc_, ...)                                                                          \
	{                                                                                                                                                 \
		.method = method_, .path = "/v1/organization" tail, .service = "organization", .name = name_, .scope = scope_, .handler = handler_,       \
		.status = status_, .doc = doc_, .flags = ROUTE_CONSOLE | ROUTE_KEYS, .since = SINCE_1_9_5, __VA_ARGS__                                    \
	}
#define ORGANIZATION_READ "teams.read|organization.read"
#define ORGANIZATION_WRITE "teams.write|organization.write"
#define ORGANIZATION_MEMBERS(verb) "teams." verb "|organization.memberships." verb

static const struct route rows[] = {
	{"POST", "/v1/teams", "teams", "create", "teams.write", "300/3600 url:{url},userId:{userId}", NULL, teams_create, &team_shape, 201, "Create a team; a user becomes its owner.",
	    PARAMS(struct create_in, create_params), .audit = "team.create team/{teamId}", .flags = ROUTE_KEYS},
	{"GET", "/v1/teams", "teams", "list", "teams.read", "", NULL, teams_list, &team_shape, 200, "The teams the caller is in; all of them for keys.",
	    PARAMS(struct list_in, list_params), .list = "teams", .flags = ROUTE_KEYS},
	{"GET", "/v1/teams/:teamId", "teams", "get", "teams.read", "", NULL, teams_get, &team_shape, 200, "One team.", PARAMS(struct team_in, get_params), .flags = ROUTE_KEYS},
	{"PUT", "/v1/teams/:teamId", "teams", "update", "teams.write", "", NULL, teams_update, &team_shape, 200, "Rename a team.",
	    PARAMS(struct team_in, update_params), .audit = "team.update team/{teamId}", .flags = ROUTE_KEYS},
	{"GET", "/v1/teams/:teamId/prefs", "teams", "getPrefs", "teams.read", "", NULL, teams_get_prefs, &preferences_shape, 200, "The preferences that a team's members share.",
	    PARAMS(struct team_in, get_params), .since = SINCE_1_3, .flags = ROUTE_KEYS},
	{"PUT", "/v1/teams/:teamId/prefs", "teams", "updatePrefs", "teams.write", "", NULL, teams_update_prefs, &preferences_shape, 200, "Replace a team's preferences.",
	    PARAMS(struct team_in, prefs_params), .audit = "team.update team/{teamId}", .since = SINCE_1_3, .flags = ROUTE_KEYS},
	{"DELETE", "/v1/teams/:teamId", "teams", "delete", "teams.write", "", NULL, teams_delete, NULL, 204, "Delete a team and its memberships.",
	    PARAMS(struct team_in, get_params), .audit = "team.delete team/{teamId}", .flags = ROUTE_KEYS},
	{"POST", "/v1/teams/:teamId/memberships", "teams", "createMembership", "teams.write", LIMIT_FIRM(10), "invites", teams_create_membership,
	    &membership_shape, 201, "Invite somebody; keys add members at once.", PARAMS(struct invite_in, invite_params), .flags = ROUTE_KEYS},
	{"GET", "/v1/teams/:teamId/memberships", "teams", "getMemberships", "teams.read", "", NULL, teams_get_memberships, &membership_shape, 200,
	    "Members and invited people of a team.", PARAMS(struct list_in, members_params), .list = "memberships", .flags = ROUTE_KEYS},
	{"GET", "/v1/teams/:teamId/memberships/:membershipId", "teams", "getMembership", "teams.read", "", NULL, teams_get_membership, &membership_shape, 200,
	    "One membership.", PARAMS(struct member_in, member_params), .flags = ROUTE_KEYS},
	{"PATCH", "/v1/teams/:teamId/memberships/:membershipId", "teams", "updateMembershipRoles", "teams.write", "", NULL, teams_update_membership_roles,
	    &membership_shape, 200, "Replace the roles of a member.", PARAMS(struct member_in, roles_params),
	    .audit = "membership.update team/{teamId}", .flags = ROUTE_KEYS},
	{"PATCH", "/v1/teams/:teamId/memberships/:membershipId/status", "teams", "updateMembershipStatus", "public", "20/3600 ~-url:{url},userId:{param-userId}" LIMIT_GUESSES, NULL, teams_update_membership_status,
	    &membership_shape, 200, "Accept an invitation and sign in.", PARAMS(struct member_in, status_params),
	    .audit = "membership.update team/{teamId}", .flags = ROUTE_SIGN_IN},
	{"DELETE", "/v1/teams/:teamId/memberships/:membershipId", "teams", "deleteMembership", "teams.write", "", NULL, teams_delete_membership, NULL, 204,
	    "Leave a team, or remove a member.", PARAMS(struct member_in, member_params), .audit = "membership.delete team/{teamId}", .flags = ROUTE_KEYS},
	ORGANIZATION("GET", "", "get", ORGANIZATION_READ, teams_get, 200, "The organization.", .model = &team_shape, .limit = "", .in_size = sizeof(struct team_in)),
	ORGANIZATION("PUT", "", "update", ORGANIZATION_WRITE, teams_update, 200, "Rename it.", .model = &team_shape, .limit = "",
	    .audit = "team.update team/{organization}",
	    PARAMS(struct team_in, organization_rename_params)),
	ORGANIZATION("DELETE", "", "delete", ORGANIZATION_WRITE, teams_delete, 204, "Delete it and its memberships.", .limit = "",
	    .audit = "team.delete team/{organization}",
	    .in_size = sizeof(struct team_in)),
	ORGANIZATION("GET", "/memberships", "listMemberships", ORGANIZATION_MEMBERS("read"), teams_get_memberships, 200, "Members and invited people.",
	    .model = &membership_shape, .list = "memberships", .limit = "", PARAMS(struct list_in, organization_members_params)),
	ORGANIZATION("POST", "/memberships", "createMembership", ORGANIZATION_MEMBERS("write"), teams_create_membership, 201, "Invite somebody.",
	    .model = &membership_shape, .auth = "invites", .limit = LIMIT_FIRM(10), .audit = "membership.create team/{organization}",
	    PARAMS(struct invite_in, organization_invite_params)),
	ORGANIZATION("GET", "/memberships/:membershipId", "getMembership", ORGANIZATION_MEMBERS("read"), teams_get_membership, 200, "One membership.",
	    .model = &membership_shape, .limit = "", PARAMS(struct member_in, organization_member_params)),
	ORGANIZATION("PATCH", "/memberships/:membershipId", "updateMembership", ORGANIZATION_MEMBERS("write"), teams_update_membership_roles, 200,
	    "Replace the roles of a member.", .model = &membership_shape, .limit = "", .audit = "membership.update team/{organization}",
	    PARAMS(struct member_in, organization_roles_params)),
	ORGANIZATION("DELETE", "/memberships/:membershipId", "deleteMembership", ORGANIZATION_MEMBERS("write"), teams_delete_membership, 204,
	    "Leave it, or remove a member.", .limit = "", .audit = "membership.delete team/{organization}",
	    PARAMS(struct member_in, organization_member_params)),
	LOGS("/v1/teams/:teamId/logs", "teams", "teams.read", teams_get_logs, "What was done to a team.", struct logs_in, logs_params),
};
const struct routes team_routes = ROUTES(rows);
