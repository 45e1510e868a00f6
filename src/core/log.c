/* Structured log on stderr, one write per line so that lines of several processes do not mix. */
#include "core/log.h"

#include <stdio.h>
#include <unistd.h>

#include "core/json.h"
#include "core/vtime.h"

enum log_level log_level = LOG_INFO;

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *log_role = "badal";
static bool log_as_json;
static int log_number;		/* of the process: asking the kernel for it is a call per line */

int
log_pid(void)
{
	return log_number ? log_number : (log_number = (int)getpid());
}

void
log_init(const char *role, const char *level, bool json)
{
	log_role = role;
	log_as_json = json;
	log_number = (int)getpid();
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(level, level_names[i]) == 0)
			log_level = (enum log_level)i;
}

static void
line_member(struct buf *b, const char *before, const char *text)
{
	if (text == NULL)
		return;
	buf_c(b, before);
	buf_c(b, text);
}

static void
text_line(struct buf *b, enum log_level lv, const struct ctx *cx, const char *message, const char *detail)
{
	char now[30];

	buf_add(b, time_iso(time_now_ms(), now), sizeof now - 1);
	buf_ch(b, ' ');
	buf_c(b, level_names[lv]);
	line_member(b, strlen(level_names[lv]) < 5 ? "  " : " ", log_role);
	buf_ch(b, '[');
	buf_i64(b, log_pid());
	line_member(b, "] ", message);
	line_member(b, " id=", cx != NULL ? cx->id : NULL);
	line_member(b, " project=", cx != NULL ? cx->project : NULL);
	line_member(b, " user=", cx != NULL ? cx->user : NULL);
	line_member(b, " ", detail[0] != '\0' ? detail : NULL);
	/* what came from outside must not forge lines or drive terminals */
	for (size_t i = 0; i < b->n; i++)
		if ((unsigned char)b->p[i] < 32 || b->p[i] == 127)
			b->p[i] = '?';
	buf_ch(b, '\n');
}

static void
json_line(struct buf *b, enum log_level lv, const struct ctx *cx, const char *message, const char *detail)
{
	const char *const keys[] = {"time", "level", "role", "message", "id", "project", "user", "detail"};
	char now[30];
	const char *values[8] = {time_iso(time_now_ms(), now), level_names[lv], log_role, message, NULL, NULL, NULL, detail};
	struct jw w;

	if (cx != NULL) {
		values[4] = cx->id;
		values[5] = cx->project;
		values[6] = cx->user;
	}
	jw_init(&w, b);
	jw_obj(&w);
	for (int i = 0; i < 8; i++) {
		if (values[i] == NULL)
			continue;
		jw_key(&w, str_c(keys[i]));
		jw_cstr(&w, values[i]);
	}
	JW_KEY(&w, "pid");
	jw_i64(&w, log_pid());
	jw_obj_end(&w);
	buf_ch(b, '\n');
}

enum { DETAIL_MAX = 2047 };

void
log_write(enum log_level lv, const struct ctx *cx, const char *message, const char *fmt, ...)
{
	char detail[DETAIL_MAX + 5];	/* a character more, to see whether it is cut within one */
	struct buf b;
	va_list ap;

	detail[0] = '\0';
	if (fmt != NULL) {
		va_start(ap, fmt);
		vsnprintf(detail, sizeof detail, fmt, ap);
		detail[str_head(str_c(detail), DETAIL_MAX).n] = '\0';
		va_end(ap);
	}
	buf_init(&b, NULL, 256);
	if (log_as_json)
		json_line(&b, lv, cx, message, detail);
	else
		text_line(&b, lv, cx, message, detail);
	if (write(STDERR_FILENO, b.p, b.n) < 0) {
		/* nowhere left to say it */
	}
	buf_fini(&b);
}
