/* Finding Pango and Cairo: all of their functions, or none of them. */
#include "pango.h"

#include <dlfcn.h>
#include <stddef.h>

#define PANGO_DEFINE(result, name, args) result (*name) args;
#define PANGO_DEFINES(file, functions) functions(PANGO_DEFINE)
PANGO_LIBS(PANGO_DEFINES)

static bool
fill(const char *file, const char *const *names, void **const *to, size_t n)
{
	void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; lib != NULL && i < n; i++)
		if ((*to[i] = dlsym(lib, names[i])) == NULL)
			return false;
	return lib != NULL;
}

#define PANGO_NAME(result, name, args) #name,
#define PANGO_PLACE(result, name, args) (void **)&name,
#define PANGO_FILL(file, functions)                                                                     \
	{                                                                                               \
		static const char *const names[] = {functions(PANGO_NAME)};                             \
		static void **const places[] = {functions(PANGO_PLACE)};                                \
		if (!fill(file, names, places, sizeof names / sizeof names[0]))                         \
			return false;                                                                   \
	}

bool
pango_open(void)
{
	static bool found;

	if (found)
		return true;
	PANGO_LIBS(PANGO_FILL)
	found = true;
	return true;
}
