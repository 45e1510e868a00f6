/* Pictures for tests: made and looked at with GraphicsMagick in the test's own process, and a launcher that starts real workers. */
#ifndef BADAL_T_PICTURE_LAB_H
#define BADAL_T_PICTURE_LAB_H

#include <limits.h>
#include <magick/api.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ctx.h"
#include "io/worker.h"
#include "model/picture.h"

/* What a test makes stays until it ends. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:picture_lab.h\nleak:test_picture.c\nleak:libGraphicsMagick\nleak:libheif\n";
}

/* ---- workers ---- */

static pid_t lab_launcher_pid;
static const char *lab_preload = "";	/* a library for workers that start from now on */

/* As the supervisor does (src/main/launch.c), without users and limits. */
static void
lab_launch(int fd)
{
	char preload[PATH_MAX + 16];
	pid_t pid = fork();

	if (pid == 0) {
		int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

		signal(SIGCHLD, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (self < 0 || !pass_send(fd, "p", 1, &self, 1) || dup2(fd, 0) < 0)
			_exit(1);
		snprintf(preload, sizeof preload, "LD_PRELOAD=%s", lab_preload);
		execle(BADAL_PROGRAM, "badal", "picture-worker", (char *)NULL,
		    (char *const[]){(char[]){"OMP_NUM_THREADS=1"}, (char[]){"ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0"}, preload, NULL});
		_exit(1);
	}
}

static void
lab_open(void)
{
	int pair[2], fds[PASS_MAX];
	char kind;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	lab_launcher_pid = fork();
	if (lab_launcher_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGCHLD, SIG_IGN);	/* the dead are nobody's to bury */
		close(pair[1]);
		while (pass_recv(pair[0], &kind, 1, fds, 0) == 1) {
			lab_launch(fds[0]);
			close(fds[0]);
		}
		_exit(0);
	}
	close(pair[0]);
	worker_launcher(pair[1]);
}

static void
lab_close(void)
{
	kill(lab_launcher_pid, SIGKILL);
	waitpid(lab_launcher_pid, NULL, 0);
}

/* ---- pictures ---- */

struct lab_picture {		/* RGBA */
	int w, h;
	unsigned char *px;
};

static void
lab_magick(void)
{
	static bool done;

	if (!done)
		InitializeMagick(NULL);
	done = true;
}

static struct lab_picture
lab_new(int w, int h, unsigned rgba)
{
	struct lab_picture p = {w, h, malloc((size_t)w * (size_t)h * 4)};

	for (int i = 0; i < w * h; i++)
		for (int k = 0; k < 4; k++)
			p.px[4 * i + k] = (unsigned char)(rgba >> (24 - 8 * k));
	return p;
}

static void
lab_fill(struct lab_picture *p, int x0, int y0, int w, int h, unsigned rgba)
{
	for (int y = y0; y < y0 + h; y++)
		for (int x = x0; x < x0 + w; x++)
			for (int k = 0; k < 4; k++)
				p->px[4 * (y * p->w + x) + k] = (unsigned char)(rgba >> (24 - 8 * k));
}

static unsigned
lab_at(const struct lab_picture *p, int x, int y)
{
	const unsigned char *c = p->px + 4 * (y * p->w + x);

	return (unsigned)c[0] << 24 | (unsigned)c[1] << 16 | (unsigned)c[2] << 8 | c[3];
}

/* No channel differs by more than `by`. */
static bool
lab_near(unsigned a, unsigned b, int by)
{
	for (int k = 0; k < 4; k++)
		if (abs((int)(a >> (8 * k) & 255) - (int)(b >> (8 * k) & 255)) > by)
			return false;
	return true;
}

/* Red, green, blue and yellow quarters: every turn and mirror shows. */
static struct lab_picture
lab_quarters(int w, int h)
{
	struct lab_picture p = lab_new(w, h, 0xff0000ff);

	lab_fill(&p, w / 2, 0, w - w / 2, h / 2, 0x00ff00ff);
	lab_fill(&p, 0, h / 2, w / 2, h - h / 2, 0x0000ffff);
	lab_fill(&p, w / 2, h / 2, w - w / 2, h - h / 2, 0xffff00ff);
	return p;
}

static struct str lab_profile;	/* the files carry it; STR_NONE: none */

/* As a file of that format; `exif` 0: none. */
static struct str
lab_file(const struct lab_picture *v, int n, const char *format, int exif)
{
	/* little-endian, orientation and a GPS directory with a latitude that is easily found */
	unsigned char profile[] = "Exif\0\0II*\0\10\0\0\0\2\0\22\1\3\0\1\0\0\0\1\0\0\0\45\210\4\0\1\0\0\0\46\0\0\0\0\0\0\0\1\0\1\0\2\0\2\0\0\0N\0\0\0\0\0\0\0GPSPLACE";
	Image *all = NULL;
	ImageInfo *info = CloneImageInfo(NULL);
	ExceptionInfo why;
	size_t size = 0;
	void *p;

	lab_magick();
	GetExceptionInfo(&why);
	for (int i = 0; i < n; i++) {
		Image *im = ConstituteImage((unsigned long)v[i].w, (unsigned long)v[i].h, "RGBA", CharPixel, v[i].px, &why);
		bool clear = false;

		for (int k = 0; k < v[i].w * v[i].h; k++)
			clear = clear || v[i].px[4 * k + 3] != 255;
		im->matte = clear;
		im->delay = 12;
		im->iterations = 3;
		profile[24] = (unsigned char)exif;
		if (exif != 0)
			SetImageProfile(im, "EXIF", profile, sizeof profile);
		if (lab_profile.n > 0)
			SetImageProfile(im, "ICM", (const unsigned char *)lab_profile.p, lab_profile.n);
		AppendImageToList(&all, im);
	}
	all = GetFirstImageInList(all);
	snprintf(info->magick, sizeof info->magick, "%s", format);
	snprintf(all->magick, sizeof all->magick, "%s", format);
	info->quality = 95;
	info->adjoin = n > 1;
	p = ImageToBlob(info, all, &size, &why);
	if (p == NULL)
		abort();
	DestroyImageList(all);
	DestroyImageInfo(info);
	DestroyExceptionInfo(&why);
	return (struct str){p, size};
}

/* The pictures of a file; their number, 0: it is none. */
static int
lab_look(struct str file, struct lab_picture *v, int max)
{
	ImageInfo *info = CloneImageInfo(NULL);
	ExceptionInfo why;
	Image *all;
	int n = 0;

	lab_magick();
	GetExceptionInfo(&why);
	all = BlobToImage(info, file.p, file.n, &why);
	for (Image *im = all; im != NULL && n < max; im = im->next, n++) {
		v[n] = lab_new((int)im->columns, (int)im->rows, 0);
		if (DispatchImage(im, 0, 0, im->columns, im->rows, "RGBA", CharPixel, v[n].px, &why) != MagickPass)
			abort();
		if (!im->matte)
			for (int i = 0; i < v[n].w * v[n].h; i++)
				v[n].px[4 * i + 3] = 255;
	}
	if (all != NULL)
		DestroyImageList(all);
	DestroyImageInfo(info);
	DestroyExceptionInfo(&why);
	return n;
}

static struct lab_picture
lab_look_one(struct str file)
{
	struct lab_picture p = {0};

	lab_look(file, &p, 1);
	return p;
}

/* ---- sources ---- */

struct lab_source {
	struct str left;
	size_t step;
};

static err_t
lab_give(struct ctx *cx, void *arg, struct str *piece_out)
{
	struct lab_source *s = arg;
	size_t n = s->left.n < s->step ? s->left.n : s->step;

	(void)cx;
	*piece_out = (struct str){s->left.p, n};
	s->left.p += n;
	s->left.n -= n;
	return 0;
}

#endif
