/* Countries by libmaxminddb. The database is opened at the first question and stays mapped: another file takes a restart. */
#include "io/country.h"

#include <maxminddb.h>

#include <arpa/inet.h>
#include <ctype.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/str.h"
#include "io/names.h"

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

struct country
country_of(struct arena *a, const char *ip, const char *locale)
{
	static const char *const code_at[] = {"country", "iso_code", NULL}, *const continent_at[] = {"continent", "code", NULL};
	struct country c = {"--", names_unknown(locale), ""};
	MMDB_s *db = database();
	struct sockaddr_storage sa;
	MMDB_lookup_result_s r;
	struct str code;
	const char *name;
	int e;

	if (db == NULL || ip == NULL || !address(ip, &sa))
		return c;
	r = MMDB_lookup_sockaddr(db, (const struct sockaddr *)&sa, &e);
	if (e != MMDB_SUCCESS || !r.found_entry)
		return c;
	code = text_at(&r.entry, code_at);
	if (code.n != 2 || !isalpha((unsigned char)code.p[0]) || !isalpha((unsigned char)code.p[1]))
		return c;
	c.code = str_lower(a, code).p;
	name = names_country(a, c.code, locale);
	if (name != NULL)
		c.name = name;
	c.continent = str_dup(a, text_at(&r.entry, continent_at));
	return c;
}
