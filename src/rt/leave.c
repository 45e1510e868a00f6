/* Leaving a table for another. Half a million names at once would be 20 ms in which nothing else runs, so each change of the new table moves a few places of the
 * old one. It stops between two runs only, so that what is left in there is found. */
#include "rt_priv.h"

void
leave_begin(struct leaving *l, uint32_t size, uint32_t used)
{
	l->size = size;
	l->left = used;
	for (l->at = 0; used > 0 && l->taken(l->at);)
		l->at++;
}

bool
leave_on(struct leaving *l, uint32_t places)
{
	if (l->size == 0)
		return false;
	for (uint32_t i = 0; l->left > 0 && (i < places || l->taken(l->at)); i++) {
		if (l->taken(l->at)) {
			l->move(l->at);
			l->left--;
		}
		l->at = (l->at + 1) & (l->size - 1);
	}
	if (l->left > 0)
		return false;
	l->size = 0;
	return true;
}
