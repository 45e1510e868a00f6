/* What a worker is asked for. A process that serves asks for nothing else; this is for the day it does. */
#include "picture_priv.h"

static bool
in_range(int32_t v, int32_t low, int32_t high)
{
	return v >= low && v <= high;
}

bool
picture_task_sound(const struct picture_task *t)
{
	return t->magic == PICTURE_WIRE && in_range(t->kind, 0, TASK_N - 1) && in_range(t->icon, 0, PICTURE_ICON_N - 1) && in_range(t->width, 0, PICTURE_SIDE_MAX) &&
	    in_range(t->height, 0, PICTURE_SIDE_MAX) && in_range(t->gravity, 0, GRAVITY_N - 1) && in_range(t->quality, 0, 100) &&
	    in_range(t->border_width, 0, 1000) && in_range(t->border_radius, 0, PICTURE_SIDE_MAX) && in_range(t->rotation, -360, 360) &&
	    in_range(t->border_color, -1, 0xffffff) && in_range(t->background, -1, 0xffffff) && in_range(t->opacity, 0, 1000000) &&
	    in_range(t->format, PICTURE_SAME, PICTURE_AVIF);
}
