/* libclamav at run time. */
#include "clam.h"

#include <dlfcn.h>
#include <stddef.h>

enum {	/* of clamav.h */
	CL_SUCCESS = 0, CL_VIRUS = 1,
	FIELD_SCANSIZE = 0, FIELD_FILESIZE = 1, FIELD_RECURSION = 2, FIELD_FILES = 3, FIELD_TMPDIR = 13, FIELD_BYTECODE_MODE = 17, FIELD_SCANTIME = 31,
	BYTECODE_INTERPRETER = 2,
	DB_PHISHING = 0x2, DB_PHISHING_URLS = 0x8, DB_BYTECODE = 0x2000,
	GENERAL_HEURISTICS = 0x4, HEURISTIC_EXCEEDS_MAX = 0x4
};
#define PARSE_ALL (~(uint32_t)0)

struct scan_options {
	uint32_t general, parse, heuristic, mail, dev;
};

static struct {
	int (*init)(unsigned);
	void *(*engine_new)(void);
	int (*set_num)(void *, int, long long);
	int (*set_str)(void *, int, const char *);
	int (*load)(const char *, void *, unsigned *, unsigned);
	int (*compile)(void *);
	int (*scandesc)(int, const char *, const char **, unsigned long *, const void *, struct scan_options *);
	const char *(*version)(void);
	const char *(*strerror)(int);
} lib;

static const struct symbol {
	const char *name;
	void *at;
} symbols[] = {
	{"cl_init", &lib.init}, {"cl_engine_new", &lib.engine_new}, {"cl_engine_set_num", &lib.set_num}, {"cl_engine_set_str", &lib.set_str},
	{"cl_load", &lib.load}, {"cl_engine_compile", &lib.compile}, {"cl_scandesc", &lib.scandesc}, {"cl_retver", &lib.version},
	{"cl_strerror", &lib.strerror},
};

static bool
library_open(void)
{
	static const char *const names[] = {"libclamav.so.12", "libclamav.so.11", "libclamav.so.9"};
	static bool looked, found;
	void *h = NULL;

	if (looked)
		return found;
	looked = true;
	for (size_t i = 0; h == NULL && i < sizeof names / sizeof *names; i++)
		h = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	found = h != NULL;
	for (size_t i = 0; found && i < sizeof symbols / sizeof *symbols; i++) {
		*(void **)symbols[i].at = dlsym(h, symbols[i].name);
		found = *(void **)symbols[i].at != NULL;
	}
	return found;
}

const char *
clam_library(void)
{
	return library_open() ? lib.version() : NULL;
}

bool
clam_load(struct clam *c, const char *dir, const char *tmp, const char **why_out)
{
	int e = CL_SUCCESS;

	*why_out = "libclamav is not installed";
	if (!library_open())
		return false;
	if ((e = lib.init(0)) == CL_SUCCESS && (c->engine = lib.engine_new()) != NULL) {
		lib.set_str(c->engine, FIELD_TMPDIR, tmp);
		lib.set_num(c->engine, FIELD_BYTECODE_MODE, BYTECODE_INTERPRETER);	/* nothing new is executed */
		e = lib.load(dir, c->engine, &c->signatures, DB_PHISHING | DB_PHISHING_URLS | DB_BYTECODE);
	}
	if (e == CL_SUCCESS && c->engine != NULL)
		e = lib.compile(c->engine);
	*why_out = e != CL_SUCCESS ? lib.strerror(e) : "no memory";
	return e == CL_SUCCESS && c->engine != NULL;
}

void
clam_limit(struct clam *c, uint64_t bytes, uint32_t depth, uint32_t files, uint32_t ms)
{
	const struct {
		int field;
		uint64_t n;
	} limits[] = {{FIELD_SCANSIZE, bytes}, {FIELD_FILESIZE, bytes}, {FIELD_RECURSION, depth}, {FIELD_FILES, files}, {FIELD_SCANTIME, ms}};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		lib.set_num(c->engine, limits[i].field, (long long)limits[i].n);
}

enum clam_verdict
clam_scan(const struct clam *c, int fd, const char **name_out)
{
	struct scan_options o = {.general = GENERAL_HEURISTICS, .parse = PARSE_ALL, .heuristic = HEURISTIC_EXCEEDS_MAX};
	unsigned long scanned = 0;
	int e;

	*name_out = "";
	e = lib.scandesc(fd, NULL, name_out, &scanned, c->engine, &o);
	if (e == CL_VIRUS)
		return CLAM_FOUND;
	if (e == CL_SUCCESS)
		return CLAM_CLEAN;
	*name_out = lib.strerror(e);
	return CLAM_FAILED;
}
