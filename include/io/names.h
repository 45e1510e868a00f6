/* What countries, continents, languages and currencies are called in the locales of the protocol (tbl/locales.h), by ICU. No wait: its tables are
 * mapped. English names are those of the contract where it has one; a name that ICU lacks in a locale is the English one. */
#ifndef BADAL_IO_NAMES_H
#define BADAL_IO_NAMES_H

#include "core/str.h"

/* The locale that a request's words mean ("pt-BR", "en_US", "de-AT"): one of tbl/locales.h, by its whole code or by its language; NULL: none. */
const char *names_locale(struct str words);

/* Names in the arena, or static. `locale` is one of names_locale, anything else means English. */
const char *names_country(struct arena *a, const char *code, const char *locale);	/* "DE" or "de"; NULL: there is no such country */
const char *names_language(struct arena *a, const char *code, const char *english, const char *locale);
/* "German (Austria)" of "de-at"; the code itself when nobody knows it. */
const char *names_of_locale(struct arena *a, const char *code, const char *locale);
struct names_currency {
	const char *name, *plural;
};
struct names_currency names_currency(struct arena *a, const char *code, const struct names_currency *english, const char *locale);
const char *names_unknown(const char *locale);		/* "Unknown" */

struct names_continent {
	const char *code;	/* "EU", as the databases of addresses have it */
	const char *english;
	const char *icu;	/* the region of CLDR */
};
enum { NAMES_CONTINENTS = 7 };
extern const struct names_continent names_continents[NAMES_CONTINENTS];
const char *names_continent(struct arena *a, const struct names_continent *c, const char *locale);

struct names_country {		/* a country of the contract (tbl/countries.h) */
	const char *code, *english;	/* lower-case */
	int calling;
	bool eu;
};
extern const struct names_country names_countries[];
extern const int names_countries_n;
const struct names_country *names_country_find(const char *code);	/* in any case; NULL: not of the contract */

/* What is paid with there today, "EUR"; NULL: nobody knows. */
const char *names_currency_of(struct arena *a, const char *country);

#endif
