/* The manual page, from the tables of the program. */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "core/conf.h"
#include "main_priv.h"

/* One character beyond ASCII, as its number; returns its last byte. The texts are ours and sound. */
static const char *
put_wide(const char *s)
{
	unsigned point = (unsigned char)*s, more = point >= 0xf0 ? 3 : point >= 0xe0 ? 2 : 1;

	point &= 0x3fu >> more;
	for (; more > 0 && s[1] != '\0'; more--)
		point = point << 6 | ((unsigned char)*++s & 0x3f);
	printf("\\[u%04X]", point);
	return s;
}

/* Text for roff: no escapes, no requests, hyphens that can be copied. */
static void
manual_put(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else if ((unsigned char)*s >= 0xc0)
			s = put_wide(s);
		else
			putchar(*s);
	}
}

static void
put_option(const char *name, const char *arg)
{
	printf(".TP\n.B ");
	manual_put("--");
	for (const char *s = name; *s != '\0'; s++)
		manual_put(*s == '_' ? "-" : (char[]){*s, '\0'});
	if (arg != NULL) {
		manual_put("=");
		manual_put(arg);
	}
	putchar('\n');
}

static void
manual_put_verb(const struct verb *v)
{
	printf(".SS badal %s%s%s\n", v->name, v->noun[0] ? " " : "", v->noun);
	manual_put(v->doc);
	putchar('\n');
	for (const struct option *o = v->options; o->name != NULL; o++) {
		put_option(o->name, o->arg);
		manual_put(o->doc);
		puts(o->required ? " Required." : "");
	}
}

static void
put_setting(const struct conf_about *c)
{
	put_option(c->name, NULL);
	manual_put(c->doc);
	if (c->values[0] != '\0') {
		printf("\nValues: ");
		manual_put(c->values);
		putchar('.');
	}
	printf("\nDefault: ");
	manual_put(c->def[0] ? c->def : "empty");
	printf("%s.\n", c->reload ? "; SIGHUP applies a change" : "");
}

int
manual_run(struct args *a)
{
	struct conf_about about;

	(void)a;
	printf(".TH BADAL 1 \"\" \"badal %s\" \"User commands\"\n", PACKAGE_VERSION);
	puts(".SH NAME\nbadal \\- realtime backend server");
	puts(".SH SYNOPSIS\n.B badal\n.I verb\n.RB [ \\-\\-setting=value ]...\n.RB [ \\-\\-config\n.IR file ]");
	puts(".SH DESCRIPTION\nBadal serves accounts, teams, databases and realtime events over HTTP and WebSocket, in the protocols of the Appwrite "
	     "SDKs. It is one program beside PostgreSQL and Redis, and brings those two along when no addresses are configured.");
	puts(".SH VERBS");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		manual_put_verb(v);
	puts(".SH SETTINGS\nA setting comes from the command line, the environment\n"
	     "(BADAL_ and the name in capitals, such as\n.BR BADAL_DATA_DIR )\n"
	     "or the file that\n.B \\-\\-config\nnames, in this order. The file has lines\n.IR \"name = value\" .");
	for (int i = 0; conf_about(i, &about); i++)
		put_setting(&about);
	puts(".SH SIGNALS\n.TP\n.BR SIGTERM \", \" SIGINT\nStop: no new connections, requests are finished, WebSockets are told to come again (1012), "
	     "the embedded servers end last. A second one hurries.\n.TP\n.B SIGHUP\nRead the configuration again.");
	puts(".SH EXIT STATUS\n0 in order, 1 failure, 2 wrong usage or configuration.");
	puts(".SH FILES\nIn\n.IR data_dir :\n.IR postgres \" and \" redis\n(the embedded servers),\n.I run\n(their sockets),\n.I log\n(their logs),\n"
	     ".I storage\n(files; another place is a setting),\n"
	     ".I master.key\n(without it, secrets at rest and sealed files are lost: keep a copy).");
	return 0;
}
