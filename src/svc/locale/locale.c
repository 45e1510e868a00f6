/* The locale service: where a caller is, and what countries, continents, currencies and languages are called in the caller's language. Which there are,
 * in which order, and what they are called in English, is the contract's (tbl/countries.h and the tables beside this file). */
#include <stdlib.h>

#include "core/protocol.h"
#include "core/vtime.h"
#include "gate/gate.h"
#include "io/country.h"
#include "io/names.h"

static const int64_t locale_life_ms = INT64_C(3888000) * 1000;

/* Names in order of their bytes, so that "Ägypten" comes after "Zypern". */
static int
by_name(const void *a, const void *b)
{
	return strcmp(**(const char *const *const *)a, **(const char *const *const *)b);
}

/* A list of n structs of `size` bytes that lie one after the other. */
static struct objs
objects(struct req *rq, void *v, int n, size_t size)
{
	struct objs o = {n, arena_array(rq->cx.arena, void *, n + 1)};

	for (int i = 0; i < n; i++)
		o.v[i] = (char *)v + (size_t)i * size;
	return o;
}

/* Of letters alone. */
static const char *
upper(struct req *rq, const char *code)
{
	char *up = arena_strdup(rq->cx.arena, code);

	for (char *p = up; *p != '\0'; p++)
		*p = (char)(*p & ~0x20);
	return up;
}

/* ---- the caller's place ---- */

static const struct field locale_fields[] = {
	TOLD("ip", F_STR, "The caller's address."),
	TOLD("countryCode", F_STR, "Country code of two characters; -- is unknown."),
	TOLD("country", F_STR, "Country name, in the caller's language."),
	TOLD("continentCode", F_STR, "Continent code; -- is unknown."),
	TOLD("continent", F_STR, "Continent name, in the caller's language."),
	TOLD("eu", F_BOOL, "Whether the country is part of the European Union."),
	TOLD("currency", F_STR, "Code of the currency that is paid with there; unknown: empty, and null to clients before 1.4.", .nullable = true),
};
static const struct shape locale_shape = SHAPE_TOLD("locale", locale_fields);

static const struct names_continent *
continent_find(const char *code)
{
	for (int i = 0; i < NAMES_CONTINENTS; i++)
		if (strcmp(names_continents[i].code, code) == 0)
			return &names_continents[i];
	return NULL;
}

static void
write_place(struct jw *w, struct req *rq, const struct country *c)
{
	struct arena *a = rq->cx.arena;
	const struct names_country *row = names_country_find(c->code);
	const struct names_continent *continent = continent_find(c->continent);
	const char *currency = names_currency_of(a, c->code), *code = c->code;

	if (strcmp(code, "--") != 0)
		code = upper(rq, code);
	jw_obj(w);
	JW_KEY(w, "ip");
	jw_cstr(w, rq->ip);
	JW_KEY(w, "countryCode");
	jw_cstr(w, code);
	JW_KEY(w, "country");
	jw_cstr(w, c->name);
	JW_KEY(w, "continentCode");
	jw_cstr(w, continent != NULL ? continent->code : "--");
	JW_KEY(w, "continent");
	jw_cstr(w, continent != NULL ? names_continent(a, continent, rq->locale) : names_unknown(rq->locale));
	JW_KEY(w, "eu");
	jw_bool(w, row != NULL && row->eu);
	JW_KEY(w, "currency");
	if (currency == NULL && rq->cx.format < SINCE_1_4)
		jw_null(w);
	else
		jw_cstr(w, currency != NULL ? currency : "");	/* typed clients read a text */
	jw_obj_end(w);
}

/* It says where the caller is: the caller's own cache may keep it, one that others share may not. */
static err_t
locale_get(struct req *rq, void *in)
{
	struct country c = country_of(rq->cx.arena, rq->ip, rq->locale);
	struct buf b;
	struct jw w;
	char date[30];

	(void)in;
	buf_init(&b, rq->cx.arena, 256);
	jw_init(&w, &b);
	write_place(&w, rq, &c);
	reply_static(rq, "Cache-Control", "private, max-age=3888000");
	reply_header(rq, "Expires", time_http(time_now_ms() + locale_life_ms, ' ', date));
	reply_static(rq, "Vary", "X-Appwrite-Locale, X-Appwrite-Response-Format, X-SDK-Name, X-SDK-Version");	/* currency is by the format */
	return reply_json(rq, 200, buf_view(&b));
}

/* ---- countries ---- */

struct country_out {
	const char *name, *code;
};
static const struct field country_fields[] = {
	FIELD(F_STR, struct country_out, name, "name", NULL, "Country name."),
	FIELD(F_STR, struct country_out, code, "code", NULL, "Country code of two characters."),
};
static const struct shape country_shape = SHAPE("country", struct country_out, country_fields);

static err_t
reply_countries(struct req *rq, bool eu_only)
{
	struct country_out *v = arena_array(rq->cx.arena, struct country_out, names_countries_n);
	struct objs list;
	int n = 0;

	for (int i = 0; i < names_countries_n; i++) {
		const struct names_country *c = &names_countries[i];

		if (c->eu || !eu_only)
			v[n++] = (struct country_out){names_country(rq->cx.arena, c->code, rq->locale), upper(rq, c->code)};
	}
	list = objects(rq, v, n, sizeof *v);
	qsort(list.v, (size_t)n, sizeof *list.v, by_name);
	return reply_list(rq, &country_shape, "countries", n, &list);
}

static err_t
locale_list_countries(struct req *rq, void *in)
{
	(void)in;
	return reply_countries(rq, false);
}

static err_t
locale_list_countries_e_u(struct req *rq, void *in)
{
	(void)in;
	return reply_countries(rq, true);
}

struct phone {
	const char *code, *country_code, *country_name;
	int calling;
};
static const struct field phone_fields[] = {
	FIELD(F_STR, struct phone, code, "code", NULL, "Calling code, with +."),
	FIELD(F_STR, struct phone, country_code, "countryCode", NULL, "Country code of two characters."),
	FIELD(F_STR, struct phone, country_name, "countryName", NULL, "Country name."),
};
static const struct shape phone_shape = SHAPE("phone", struct phone, phone_fields);

/* By number; Canada and the United States share one. */
static int
by_calling_code(const void *a, const void *b)
{
	const struct phone *x = *(const struct phone *const *)a, *y = *(const struct phone *const *)b;

	return x->calling != y->calling ? (x->calling > y->calling) - (x->calling < y->calling) : strcmp(x->country_code, y->country_code);
}

static err_t
locale_list_countries_phones(struct req *rq, void *in)
{
	struct arena *a = rq->cx.arena;
	struct phone *v = arena_array(a, struct phone, names_countries_n);
	struct objs list = objects(rq, v, names_countries_n, sizeof *v);

	(void)in;
	for (int i = 0; i < names_countries_n; i++) {
		const struct names_country *c = &names_countries[i];

		v[i] = (struct phone){arena_printf(a, "+%d", c->calling), upper(rq, c->code), names_country(a, c->code, rq->locale), c->calling};
	}
	qsort(list.v, (size_t)list.n, sizeof *list.v, by_calling_code);
	return reply_list(rq, &phone_shape, "phones", list.n, &list);
}

/* ---- continents ---- */

struct continent {
	const char *name, *code;
};
static const struct field continent_fields[] = {
	FIELD(F_STR, struct continent, name, "name", NULL, "Continent name."),
	FIELD(F_STR, struct continent, code, "code", NULL, "Continent code of two letters."),
};
static const struct shape continent_shape = SHAPE("continent", struct continent, continent_fields);

static err_t
locale_list_continents(struct req *rq, void *in)
{
	struct continent *v = arena_array(rq->cx.arena, struct continent, NAMES_CONTINENTS);
	struct objs list = objects(rq, v, NAMES_CONTINENTS, sizeof *v);

	(void)in;
	for (int i = 0; i < NAMES_CONTINENTS; i++)
		v[i] = (struct continent){names_continent(rq->cx.arena, &names_continents[i], rq->locale), names_continents[i].code};
	qsort(list.v, (size_t)list.n, sizeof *list.v, by_name);
	return reply_list(rq, &continent_shape, "continents", list.n, &list);
}

/* ---- currencies and languages ---- */

struct currency {
	const char *symbol, *name, *symbol_native;
	int64_t digits;
	double rounding;
	const char *code, *plural;
};
static const struct currency currencies[] = {
#define CURRENCY(code, symbol, native, digits, rounding, name, plural) {symbol, name, native, digits, rounding, code, plural},
#include "currencies.h"
#undef CURRENCY
};
enum { N_CURRENCIES = sizeof currencies / sizeof currencies[0] };
static const struct field currency_fields[] = {
	FIELD(F_STR, struct currency, symbol, "symbol", NULL, "Symbol, as it is told from others."),
	FIELD(F_STR, struct currency, name, "name", NULL, "Name."),
	FIELD(F_STR, struct currency, symbol_native, "symbolNative", NULL, "Symbol where it is at home."),
	FIELD(F_INT, struct currency, digits, "decimalDigits", NULL, "Digits after the decimal point."),
	FIELD(F_FLOAT, struct currency, rounding, "rounding", NULL, "What cash amounts are rounded to; 0: the last digit."),
	FIELD(F_STR, struct currency, code, "code", NULL, "Code of three letters, ISO 4217."),
	FIELD(F_STR, struct currency, plural, "namePlural", NULL, "Name of many."),
};
static const struct shape currency_shape = SHAPE("currency", struct currency, currency_fields);

static err_t
locale_list_currencies(struct req *rq, void *in)
{
	struct currency *v = arena_array(rq->cx.arena, struct currency, N_CURRENCIES);
	struct objs list = objects(rq, v, N_CURRENCIES, sizeof *v);

	(void)in;
	for (int i = 0; i < N_CURRENCIES; i++) {
		const struct names_currency english = {currencies[i].name, currencies[i].plural};
		struct names_currency c = names_currency(rq->cx.arena, currencies[i].code, &english, rq->locale);

		v[i] = currencies[i];
		v[i].name = c.name;
		v[i].plural = c.plural;
	}
	return reply_list(rq, &currency_shape, "currencies", list.n, &list);
}

struct language {
	const char *name, *code, *native;
};
static const struct language languages[] = {
#define LANGUAGE(code, name, native) {name, code, native},
#include "languages.h"
#undef LANGUAGE
};
enum { N_LANGUAGES = sizeof languages / sizeof languages[0] };
static const struct field language_fields[] = {
	FIELD(F_STR, struct language, name, "name", NULL, "Language name."),
	FIELD(F_STR, struct language, code, "code", NULL, "Language code of two letters, ISO 639-1."),
	FIELD(F_STR, struct language, native, "nativeName", NULL, "The language's own name."),
};
static const struct shape language_shape = SHAPE("language", struct language, language_fields);

static err_t
locale_list_languages(struct req *rq, void *in)
{
	struct language *v = arena_array(rq->cx.arena, struct language, N_LANGUAGES);
	struct objs list = objects(rq, v, N_LANGUAGES, sizeof *v);

	(void)in;
	for (int i = 0; i < N_LANGUAGES; i++) {
		v[i] = languages[i];
		v[i].name = names_language(rq->cx.arena, languages[i].code, languages[i].name, rq->locale);
	}
	return reply_list(rq, &language_shape, "languages", list.n, &list);
}

/* ---- codes: of later versions ---- */

static const char *const codes[] = {
#define LOCALE_CODE(code) code,
#include "tbl/locale_codes.h"
#undef LOCALE_CODE
};
enum { N_CODES = sizeof codes / sizeof codes[0] };
struct locale_code {
	const char *code, *name;
};
static const struct field locale_code_fields[] = {
	FIELD(F_STR, struct locale_code, code, "code", NULL, "Code of a locale."),
	FIELD(F_STR, struct locale_code, name, "name", NULL, "Its name."),
};
static const struct shape locale_code_shape = SHAPE("localeCode", struct locale_code, locale_code_fields);

static err_t
locale_list_codes(struct req *rq, void *in)
{
	struct locale_code *v = arena_array(rq->cx.arena, struct locale_code, N_CODES);
	struct objs list = objects(rq, v, N_CODES, sizeof *v);

	(void)in;
	for (int i = 0; i < N_CODES; i++)
		v[i] = (struct locale_code){codes[i], names_of_locale(rq->cx.arena, codes[i], rq->locale)};
	return reply_list(rq, &locale_code_shape, "localeCodes", list.n, &list);
}

#define LOCALE_ROUTE(path_, name_, handler_, model_, doc_, ...)                                                                     \
	{.method = "GET", .path = "/v1/locale" path_, .service = "locale", .name = name_, .scope = "locale.read", .limit = "", \
	    .handler = handler_, .model = model_, .status = 200, .doc = doc_, __VA_ARGS__}
static const struct route rows[] = {
    LOCALE_ROUTE("", "get", locale_get, &locale_shape, "Where the caller is, by the address."),
    LOCALE_ROUTE("/codes", "listCodes", locale_list_codes, &locale_code_shape, "The locales that templates may be written for.", .list = "localeCodes"),
    LOCALE_ROUTE("/continents", "listContinents", locale_list_continents, &continent_shape, "The continents.", .list = "continents"),
    LOCALE_ROUTE("/countries", "listCountries", locale_list_countries, &country_shape, "The countries.", .list = "countries"),
    LOCALE_ROUTE("/countries/eu", "listCountriesEU", locale_list_countries_e_u, &country_shape, "The countries of the European Union.", .list = "countries"),
    LOCALE_ROUTE("/countries/phones", "listCountriesPhones", locale_list_countries_phones, &phone_shape, "Calling codes of the countries.", .list = "phones"),
    LOCALE_ROUTE("/currencies", "listCurrencies", locale_list_currencies, &currency_shape, "The currencies.", .list = "currencies"),
    LOCALE_ROUTE("/languages", "listLanguages", locale_list_languages, &language_shape, "The languages of ISO 639-1.", .list = "languages"),
};
const struct routes locale_routes = ROUTES(rows);
