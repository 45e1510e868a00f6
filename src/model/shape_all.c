/* The list of the public API's shapes, for the OpenAPI document. */
#include "model/shape.h"

#define SHAPE_ROW(name) extern const struct shape name;
#include "tbl/shapes.h"
#undef SHAPE_ROW

static const struct shape *const rows[] = {
#define SHAPE_ROW(name) &name,
#include "tbl/shapes.h"
#undef SHAPE_ROW
};

const struct shape *const *
shape_all(int *n_out)
{
	*n_out = (int)(sizeof rows / sizeof rows[0]);
	return rows;
}
