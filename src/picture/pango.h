/* Pango and Cairo, as far as initials need them. They are found when a worker draws its first letters, so that the program does not need them, nor
 * the headers at the build: libpango1.0-dev would bring sixty packages and a Python along. What is declared here has been the same since Pango 1.22. */
#ifndef BADAL_TEXT_PANGO_H
#define BADAL_TEXT_PANGO_H

#include <stdbool.h>

typedef struct cairo_surface cairo_surface_t;
typedef struct cairo cairo_t;
typedef struct pango_layout PangoLayout;
typedef struct pango_font_description PangoFontDescription;
typedef struct { int x, y, width, height; } PangoRectangle;

enum { CAIRO_FORMAT_A8_ = 2, PANGO_UNIT = 1024, PANGO_MEDIUM = 500 };

/* result, name, arguments */
#define CAIRO_FUNCTIONS(F)                                                             \
	F(cairo_surface_t *, cairo_image_surface_create, (int format, int w, int h))  \
	F(unsigned char *, cairo_image_surface_get_data, (cairo_surface_t *))          \
	F(int, cairo_image_surface_get_stride, (cairo_surface_t *))                    \
	F(int, cairo_surface_status, (cairo_surface_t *))                              \
	F(void, cairo_surface_flush, (cairo_surface_t *))                              \
	F(void, cairo_surface_destroy, (cairo_surface_t *))                            \
	F(cairo_t *, cairo_create, (cairo_surface_t *))                                \
	F(void, cairo_destroy, (cairo_t *))                                            \
	F(void, cairo_translate, (cairo_t *, double x, double y))                      \
	F(void, cairo_scale, (cairo_t *, double x, double y))                          \
	F(void, cairo_set_source_rgba, (cairo_t *, double r, double g, double b, double a))
#define PANGO_FUNCTIONS(F)                                                             \
	F(void, pango_layout_set_text, (PangoLayout *, const char *text, int n))       \
	F(void, pango_layout_set_single_paragraph_mode, (PangoLayout *, int on))       \
	F(void, pango_layout_set_font_description, (PangoLayout *, const PangoFontDescription *)) \
	F(void, pango_layout_get_extents, (PangoLayout *, PangoRectangle *ink, PangoRectangle *logical)) \
	F(int, pango_layout_get_baseline, (PangoLayout *))                             \
	F(int, pango_layout_get_unknown_glyphs_count, (PangoLayout *))                 \
	F(PangoFontDescription *, pango_font_description_new, (void))                  \
	F(void, pango_font_description_free, (PangoFontDescription *))                 \
	F(void, pango_font_description_set_family, (PangoFontDescription *, const char *)) \
	F(void, pango_font_description_set_weight, (PangoFontDescription *, int))      \
	F(void, pango_font_description_set_absolute_size, (PangoFontDescription *, double))
#define PANGOCAIRO_FUNCTIONS(F)                                                        \
	F(PangoLayout *, pango_cairo_create_layout, (cairo_t *))                       \
	F(void, pango_cairo_show_layout, (cairo_t *, PangoLayout *))
#define GOBJECT_FUNCTIONS(F) F(void, g_object_unref, (void *))
#define FONTCONFIG_FUNCTIONS(F) F(int, FcInit, (void))

#define PANGO_LIBS(L)                                          \
	L("libgobject-2.0.so.0", GOBJECT_FUNCTIONS)            \
	L("libfontconfig.so.1", FONTCONFIG_FUNCTIONS)          \
	L("libcairo.so.2", CAIRO_FUNCTIONS)                    \
	L("libpango-1.0.so.0", PANGO_FUNCTIONS)                \
	L("libpangocairo-1.0.so.0", PANGOCAIRO_FUNCTIONS)

#define PANGO_POINTER(result, name, args) extern result (*name) args;
#define PANGO_POINTERS(file, functions) functions(PANGO_POINTER)
PANGO_LIBS(PANGO_POINTERS)

bool pango_open(void);	/* false: they are not installed */

#endif
