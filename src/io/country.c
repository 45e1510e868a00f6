/* Countries by libmaxminddb. The database is opened at the first question and stays mapped: another file takes a restart. */
#include "io/country.h"

#include <maxminddb.h>

#include <arpa/inet.h>
#include <ctype.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/str.h"

static const struct country unknown = {"--", "Unknown"};

static MMDB_s *
database(void)
{
	static MMDB_s db;
	static enum { UNTRIED, OPEN, NONE } state;
	int e;

	if (state == UNTRIED) {
		e = conf.country_db[0] ? MMDB_open(conf.country_db, MMDB_MODE_MMAP, &db) : MMDB_FILE_OPEN_ERROR;
		state = e == MMDB_SUCCESS ? OPEN : NONE;
		if (state == NONE && conf.country_db[0])
			log_error(NULL, "no countries: the database cannot be read", "file=%s why=%s", conf.country_db, MMDB_strerror(e));
	}
	return state == OPEN ? &db : NULL;
}

static bool
address(const char *ip, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	*out = (struct sockaddr_storage){.ss_family = strchr(ip, ':') ? AF_INET6 : AF_INET};
	return inet_pton(out->ss_family, ip, out->ss_family == AF_INET6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) == 1;
}

static struct str
text_at(MMDB_entry_s *e, const char *const *path)
{
	MMDB_entry_data_s d;

	if (MMDB_aget_value(e, &d, path) != MMDB_SUCCESS || !d.has_data || d.type != MMDB_DATA_TYPE_UTF8_STRING)
		return STR_NONE;
	return (struct str){d.utf8_string, d.data_size};
}

/* The databases write "pt-BR" and "zh-CN". */
static struct str
name_in(MMDB_entry_s *e, const char *locale)
{
	char code[8] = "";

	for (size_t i = 0; i + 1 < sizeof code && locale[i] != '\0'; i++) {
		code[i] = (char)(i > 2 ? toupper((unsigned char)locale[i]) : locale[i]);
		code[i + 1] = '\0';
	}
	return text_at(e, (const char *const[]){"country", "names", code, NULL});
}

struct country
country_of(struct arena *a, const char *ip, const char *locale)
{
	MMDB_s *db = database();
	struct sockaddr_storage sa;
	MMDB_lookup_result_s r;
	struct country c = unknown;
	struct str code, name = STR_NONE;
	int e;

	if (db == NULL || ip == NULL || !address(ip, &sa))
		return c;
	r = MMDB_lookup_sockaddr(db, (const struct sockaddr *)&sa, &e);
	if (e != MMDB_SUCCESS || !r.found_entry)
		return c;
	code = text_at(&r.entry, (const char *const[]){"country", "iso_code", NULL});
	if (code.n != 2 || !isalpha((unsigned char)code.p[0]) || !isalpha((unsigned char)code.p[1]))
		return c;
	c.code = str_lower(a, code).p;
	if (locale != NULL)
		name = name_in(&r.entry, locale);
	if (name.n == 0)
		name = name_in(&r.entry, "en");
	if (name.n > 0 && str_utf8(name, NULL))
		c.name = str_dup(a, name);
	return c;
}
