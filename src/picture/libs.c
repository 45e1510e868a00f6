/* Finding libraries at run time: a table of names each, filled whole or not at all. */
#include "libs.h"

#include <dlfcn.h>
#include <string.h>

struct symbol {
	const char *name;
	void **to;
};

#define LIB_HERE(name, file, functions) struct name##_lib name;
PICTURE_LIBS(LIB_HERE)

static bool
lib_open(const char *file, const struct symbol *v, size_t n)
{
	void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; lib != NULL && i < n; i++)
		if ((*v[i].to = dlsym(lib, v[i].name)) == NULL)
			return false;
	return lib != NULL;
}

#define LIB_ROW(f) {#f, (void **)&LIB_OF.f},

bool
libs_open(void)
{
#define LIB_OF gm
	static const struct symbol gm_v[] = {GM_FUNCTIONS(LIB_ROW)};
#undef LIB_OF
#define LIB_OF webp
	static const struct symbol webp_v[] = {WEBP_FUNCTIONS(LIB_ROW)};
#undef LIB_OF
#define LIB_OF webpmux
	static const struct symbol webpmux_v[] = {WEBPMUX_FUNCTIONS(LIB_ROW)};
#undef LIB_OF
#define LIB_OF webpdemux
	static const struct symbol webpdemux_v[] = {WEBPDEMUX_FUNCTIONS(LIB_ROW)};
#undef LIB_OF
#define LIB_OF cms
	static const struct symbol cms_v[] = {CMS_FUNCTIONS(LIB_ROW)};
#undef LIB_OF
#define LIB_OF heif
	static const struct symbol heif_v[] = {HEIF_FUNCTIONS(LIB_ROW)};
#undef LIB_OF
#define LIB_OPEN(name, file, functions) name.here = lib_open(file, name##_v, sizeof name##_v / sizeof *name##_v);
	PICTURE_LIBS(LIB_OPEN)
	return gm.here;
}
