/* What a worker is asked for. A process that serves asks for nothing else; this is for the day it does. */
#include "picture_priv.h"

static bool
task_between(int32_t v, int32_t low, int32_t high)
{
	return v >= low && v <= high;
}

bool
picture_task_sound(const struct picture_task *t)
{
	return t->magic == PICTURE_WIRE && task_between(t->kind, 0, TASK_N - 1) && task_between(t->icon, 0, PICTURE_ICON_N - 1) &&
	    task_between(t->width, 0, PICTURE_SIDE_MAX) && task_between(t->height, 0, PICTURE_SIDE_MAX) && task_between(t->gravity, 0, GRAVITY_N - 1) && task_between(t->quality, 0, 100) &&
	    task_between(t->border_width, 0, 1000) && task_between(t->border_radius, 0, PICTURE_SIDE_MAX) && task_between(t->rotation, -360, 360) &&
	    task_between(t->border_color, -1, 0xffffff) && task_between(t->background, -1, 0xffffff) && task_between(t->opacity, 0, 1000000) &&
	    task_between(t->format, PICTURE_SAME, PICTURE_AVIF);
}
