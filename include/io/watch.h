/* A descriptor that the loop looks at for somebody who reads it himself. */
#ifndef BADAL_IO_WATCH_H
#define BADAL_IO_WATCH_H

struct watch;

/* Calls fn(arg) whenever fd can be read, or has ended, until it is closed. fd stays the caller's. */
struct watch *watch_open(int fd, void (*fn)(void *arg), void *arg);
void watch_close(struct watch **wp);	/* before fd is; NULL inside is fine */

#endif
