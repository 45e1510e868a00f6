/* What a project asks of a new password. The dictionary is a sorted file of ours, a word a line: read once, searched where it lies. */
#include "svc/users/password_policy.h"

#include <inttypes.h>
#include <limits.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/protocol.h"
#include "core/share.h"
#include "svc/users/password.h"

enum { LENGTH_MAX = 256, DICTIONARY_MAX = 1024 * 1024, PERSONAL_MIN = 3 };

/* The contract has the one number wrong, and apps show the words as they are. */
#define WORDS_LENGTH "Password must be between %" PRId64 " and 265 characters long"
#define WORDS_COMMON ", and should not be one of the commonly used password"

static err_t
policy_refuse(struct ctx *cx, const char *words)
{
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid password: %s", words);
}

/* ---- the dictionary ---- */

static bool
dictionary(struct ctx *cx, struct str *out)
{
	static struct str words;
	char dir[PATH_MAX];
	const char *path;

	if (words.p == NULL) {
		path = arena_printf(cx->arena, "%s/common-passwords.txt", share_dir(NULL, "etc", "common-passwords.txt", RUNTIMES_DIR, dir, sizeof dir));
		if (!share_read(path, DICTIONARY_MAX, &words)) {
			words = STR_NONE;
			log_error(cx, "the list of common passwords cannot be read", "path=%s", path);
			return false;
		}
	}
	*out = words;
	return true;
}

/* ---- strength ---- */

enum kind_of_character { UPPERCASE, LOWERCASE, NUMBER, SYMBOL, KINDS };

/* What is beyond ASCII is a letter that is neither large nor small here. */
static void
kinds_in(const char *password, bool has[KINDS])
{
	for (; *password != '\0'; password++) {
		unsigned char c = (unsigned char)*password;

		has[UPPERCASE] |= c >= 'A' && c <= 'Z';
		has[LOWERCASE] |= c >= 'a' && c <= 'z';
		has[NUMBER] |= c >= '0' && c <= '9';
		has[SYMBOL] |= c > ' ' && c < 0x7f && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c) != NULL;
	}
}

static const char *
weakness(const struct project *p, const char *password)
{
	static const char *const words[] = {"an uppercase letter", "a lowercase letter", "a number", "a special character"};
	const bool wanted[KINDS] = {p->strength.uppercase, p->strength.lowercase, p->strength.number, p->strength.symbols};
	bool has[KINDS] = {false};

	kinds_in(password, has);
	for (int i = 0; i < KINDS; i++)
		if (wanted[i] && !has[i])
			return words[i];
	return NULL;
}

/* ---- personal data ---- */

static bool
shows_text(struct ctx *cx, const char *password, struct str what)
{
	return what.n >= PERSONAL_MIN && strstr(password, str_lower(cx->arena, what).p) != NULL;
}

static struct str
personal_text(const char *s)
{
	return s != NULL ? str_c(s) : STR_NONE;
}

static bool
is_personal(struct ctx *cx, const char *password, const struct password_about *about)
{
	struct str email = personal_text(about->email), phone = personal_text(about->phone), local = email;
	const char *lower = str_lower(cx->arena, str_c(password)).p;

	if (local.n > 0)
		local = str_cut(&local, '@');
	if (phone.n > 0)	/* without its plus: what contains it with one, contains it */
		phone = (struct str){phone.p + 1, phone.n - 1};
	return shows_text(cx, lower, personal_text(about->id)) || shows_text(cx, lower, email) || shows_text(cx, lower, local) || shows_text(cx, lower, phone) ||
	    shows_text(cx, lower, personal_text(about->name));
}

/* ---- all of it ---- */

err_t
password_policy(struct ctx *cx, const struct project *p, const char *password, const struct password_about *about)
{
	int64_t min = p->strength.min > 8 ? p->strength.min : 8, n = (int64_t)strlen(password);
	const char *weak = weakness(p, password);
	struct str words = STR_NONE;

	if (p->password_dictionary && !dictionary(cx, &words))
		return fail(cx, ERR_GENERAL_SERVER_ERROR, "no list of common passwords");
	if (n < min || (n > LENGTH_MAX && cx->format >= SINCE_1_5) || (words.n > 0 && str_line_in(words, str_c(password))))
		return policy_refuse(cx, arena_printf(cx->arena, WORDS_LENGTH "%s.", min, p->password_dictionary ? WORDS_COMMON : ""));
	if (weak != NULL)
		return policy_refuse(cx, arena_printf(cx->arena, "Password must contain at least one of each: it lacks %s.", weak));
	if (about != NULL && p->password_personal && is_personal(cx, password, about))
		return fail(cx, ERR_PASSWORD_PERSONAL_DATA, "user=%s", about->id ? about->id : "");
	return OK;
}

/* ---- former ones ---- */

/* The one that there is counts, whether it was remembered or not. */
err_t
password_policy_history(struct ctx *cx, const struct project *p, const struct user *u, const char *password)
{
	struct db_res *r;
	bool same = false;

	if (p->password_history <= 0)
		return OK;
	if (u->password != NULL)
		TRY(password_verify(cx, password, u->hash, u->hash_options, u->password, &same));
	if (same)
		return fail(cx, ERR_PASSWORD_RECENTLY_USED, "user=%s", u->id);
	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT password, hash, hash_options FROM %s.passwords WHERE user_internal = $1::bigint AND ($3::text IS NULL OR password <> $3::text) ORDER BY internal DESC LIMIT $2::bigint",
		p->schema),
	    DB(pg_i64(cx->arena, u->internal), pg_i64(cx->arena, p->password_history), u->password)));
	for (int i = 0; i < db_rows(r); i++) {
		TRY(password_verify(cx, password, db_cstr(r, i, 1), db_str(r, i, 2), db_cstr(r, i, 0), &same));
		if (same)
			return fail(cx, ERR_PASSWORD_RECENTLY_USED, "user=%s", u->id);
	}
	return OK;
}

void
password_remember(struct db_tx *tx, const struct project *p, const struct user *u)
{
	struct ctx *cx = tx_ctx(tx);
	const char *user = pg_i64(cx->arena, u->internal);

	if (u->password != NULL && p->password_history > 0)
		tx_add(tx,
		    arena_printf(cx->arena, "INSERT INTO %s.passwords (user_internal, password, hash, hash_options) VALUES ($1::bigint, $2, $3, $4)", p->schema),
		    DB(user, u->password, u->hash, u->hash_options.p ? u->hash_options.p : "[]"));
	tx_add(tx,
	    arena_printf(cx->arena,
		"DELETE FROM %s.passwords WHERE internal IN (SELECT internal FROM %s.passwords WHERE user_internal = $1::bigint ORDER BY internal DESC OFFSET $2::bigint)",
		p->schema, p->schema),
	    DB(user, pg_i64(cx->arena, p->password_history)));
}
