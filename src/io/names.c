/* Names by ICU, which reads CLDR. What a locale lacks ICU takes from its root, which has codes only, and says so (U_USING_DEFAULT_WARNING): then the
 * English name is better. */
#include "io/names.h"

#include <ctype.h>
#include <strings.h>
#include <unicode/ucurr.h>
#include <unicode/uloc.h>
#include <unicode/ustring.h>

enum { NAME_MAX_UNITS = 256, CODE_MAX = 16 };

static const struct locale {
	const char *code, *icu, *unknown;
} locales[] = {
#define LOCALE(code, icu, unknown) {code, icu, unknown},
#include "tbl/locales.h"
#undef LOCALE
};
enum { N_LOCALES = sizeof locales / sizeof locales[0] };

/* Languages that are there under another code, or only with a region: what is nearest. */
static const struct {
	const char *words, *code;
} akin[] = {
    {"pt", "pt-pt"}, {"zh-hant", "zh-tw"}, {"zh-hk", "zh-tw"}, {"zh-mo", "zh-tw"}, {"zh", "zh-cn"}, {"no", "nb"}, {"fil", "tl"}, {"iw", "he"},
    {"in", "id"}, {"jw", "jv"}, {"gsw", "de"},
};

const struct names_continent names_continents[NAMES_CONTINENTS] = {
    {"AF", "Africa", "002"}, {"AN", "Antarctica", "AQ"}, {"AS", "Asia", "142"}, {"EU", "Europe", "150"}, {"NA", "North America", "003"},
    {"OC", "Oceania", "009"}, {"SA", "South America", "005"},
};

const struct names_country names_countries[] = {
#define COUNTRY(code, english, calling, eu) {code, english, calling, eu},
#include "tbl/countries.h"
#undef COUNTRY
};
const int names_countries_n = (int)(sizeof names_countries / sizeof names_countries[0]);

/* ---- locales ---- */

static const struct locale *
locale_find(const char *code)
{
	for (size_t i = 0; code != NULL && i < N_LOCALES; i++)
		if (strcmp(locales[i].code, code) == 0)
			return &locales[i];
	return NULL;
}

static const char *
locale_akin(const char *words)
{
	const struct locale *l = locale_find(words);

	for (size_t i = 0; l == NULL && i < sizeof akin / sizeof akin[0]; i++)
		if (strcmp(akin[i].words, words) == 0)
			return akin[i].code;
	return l != NULL ? l->code : NULL;
}

/* From "zh-Hant-HK" to "zh": the longest beginning that is known. */
const char *
names_locale(struct str words)
{
	char code[CODE_MAX];
	const char *found;
	char *last;

	if (words.n == 0 || words.n >= sizeof code)
		return NULL;
	for (size_t i = 0; i < words.n; i++)
		code[i] = (char)(words.p[i] == '_' ? '-' : tolower((unsigned char)words.p[i]));
	code[words.n] = '\0';
	while ((found = locale_akin(code)) == NULL && (last = strrchr(code, '-')) != NULL)
		*last = '\0';
	return found;
}

const char *
names_unknown(const char *locale)
{
	const struct locale *l = locale_find(locale);

	return l != NULL ? l->unknown : "Unknown";
}

static bool
english_asked(const struct locale *l)
{
	return l == NULL || strcmp(l->code, "en") == 0;
}

/* ---- what ICU says ---- */

/* NULL when it has nothing of its own for the locale: it says so, or gives the code for a name. */
static const char *
utf8_of(struct arena *a, const char *code, const UChar *name, int32_t n, UErrorCode e)
{
	char text[NAME_MAX_UNITS * 3 + 1];
	int32_t bytes;

	if (U_FAILURE(e) || e == U_USING_DEFAULT_WARNING || name == NULL || n <= 0 || n > NAME_MAX_UNITS)
		return NULL;
	u_strToUTF8(text, (int32_t)sizeof text, &bytes, name, n, &e);
	return U_SUCCESS(e) && !str_is((struct str){text, (size_t)bytes}, code) ? str_dup(a, (struct str){text, (size_t)bytes}) : NULL;
}

static const char *
icu_region(struct arena *a, const char *region, const char *icu)
{
	UChar name[NAME_MAX_UNITS];
	UErrorCode e = U_ZERO_ERROR;
	int32_t n = uloc_getDisplayCountry(arena_printf(a, "und_%s", region), icu, name, NAME_MAX_UNITS, &e);

	return utf8_of(a, region, name, n, e);
}

static bool
is_letters(const char *code, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalpha((unsigned char)code[i]))
			return false;
	return code[n] == '\0';
}

const struct names_country *
names_country_find(const char *code)
{
	for (int i = 0; i < names_countries_n; i++)
		if (strcasecmp(names_countries[i].code, code) == 0)
			return &names_countries[i];
	return NULL;
}

const char *
names_country(struct arena *a, const char *code, const char *locale)
{
	const struct names_country *c = names_country_find(code);
	const struct locale *l = locale_find(locale);
	const char *name = NULL;

	if (!is_letters(code, 2) || strcasecmp(code, "ZZ") == 0)
		return NULL;
	if (!english_asked(l))
		name = icu_region(a, code, l->icu);
	if (name == NULL)
		name = c != NULL ? c->english : icu_region(a, code, "en");
	return name;
}

const char *
names_continent(struct arena *a, const struct names_continent *c, const char *locale)
{
	const struct locale *l = locale_find(locale);
	const char *name = english_asked(l) ? NULL : icu_region(a, c->icu, l->icu);

	return name != NULL ? name : c->english;
}

const char *
names_language(struct arena *a, const char *code, const char *english, const char *locale)
{
	const struct locale *l = locale_find(locale);
	UChar name[NAME_MAX_UNITS];
	UErrorCode e = U_ZERO_ERROR;
	const char *text = NULL;
	int32_t n;

	if (!english_asked(l)) {
		n = uloc_getDisplayLanguage(code, l->icu, name, NAME_MAX_UNITS, &e);
		text = utf8_of(a, code, name, n, e);
	}
	return text != NULL ? text : english;
}

const char *
names_of_locale(struct arena *a, const char *code, const char *locale)
{
	const struct locale *l = locale_find(locale);
	UChar name[NAME_MAX_UNITS];
	UErrorCode e = U_ZERO_ERROR;
	int32_t n = uloc_getDisplayName(code, l != NULL ? l->icu : "en", name, NAME_MAX_UNITS, &e);
	const char *text = utf8_of(a, code, name, n, e);

	return text != NULL ? text : code;
}

struct names_currency
names_currency(struct arena *a, const char *code, const struct names_currency *english, const char *locale)
{
	const struct locale *l = locale_find(locale);
	struct names_currency c = *english;
	UErrorCode e = U_ZERO_ERROR;
	const UChar *name;
	UChar iso[4];
	UBool choice;
	int32_t n;

	if (english_asked(l))
		return c;
	u_uastrncpy(iso, code, 4);
	name = ucurr_getName(iso, l->icu, UCURR_LONG_NAME, &choice, &n, &e);
	c.name = utf8_of(a, code, name, n, e);
	if (c.name == NULL)
		return *english;
	e = U_ZERO_ERROR;
	name = ucurr_getPluralName(iso, l->icu, &choice, "other", &n, &e);
	c.plural = utf8_of(a, code, name, n, e);
	if (c.plural == NULL)
		c.plural = c.name;
	return c;
}

const char *
names_currency_of(struct arena *a, const char *country)
{
	UErrorCode e = U_ZERO_ERROR;
	UChar iso[4];
	int32_t n;

	if (!is_letters(country, 2))
		return NULL;
	n = ucurr_forLocale(arena_printf(a, "und_%s", country), iso, 4, &e);
	return n == 3 ? utf8_of(a, "XXX", iso, n, e) : NULL;	/* which stands for none */
}
