# etc: a sample configuration (made by the program from its table), the unit file, and the manual page
# Domains of mail, which become part of the program
EXTRA_DIST += etc/disposable-domains.txt etc/free-domains.txt
EXTRA_DIST += etc/badal.service.in etc/badal-executor.service.in etc/badal.sysusers etc/badal.apparmor.in
CLEANFILES += etc/apparmor/badal etc/badal.conf etc/badal.service etc/badal-executor.service etc/sysusers/badal.conf doc/badal.1
sampledir = $(docdir)
nodist_sample_DATA = etc/badal.conf
unitdir = $(prefix)/lib/systemd/system
nodist_unit_DATA = etc/badal.service etc/badal-executor.service
sysusersdir = $(prefix)/lib/sysusers.d
nodist_sysusers_DATA = etc/sysusers/badal.conf
# copied by who needs it: AppArmor of before 4.0 does not know its words
apparmordir = $(pkgdatadir)/apparmor
nodist_apparmor_DATA = etc/apparmor/badal
man_MANS = doc/badal.1

# What many people have as a password, of 8 characters and more, sorted by bytes: of those that Django refuses
passwordsdir = $(pkgdatadir)
dist_passwords_DATA = etc/common-passwords.txt

# Mails: the layouts, and the words of each language
maildir = $(pkgdatadir)/mail
dist_mail_DATA = etc/mail/mail.html etc/mail/mail.txt etc/mail/link.html etc/mail/link.txt etc/mail/code.html etc/mail/code.txt
dist_mail_DATA += etc/mail/ar.json etc/mail/de.json etc/mail/en.json etc/mail/es.json etc/mail/fr.json etc/mail/he.json etc/mail/hi.json

# An empty environment: what the builder has set is not the default.
etc/badal.conf: badal$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) etc && env -i ./badal$(EXEEXT) config >$@.tmp && mv $@.tmp $@
doc/badal.1: badal$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && env -i ./badal$(EXEEXT) manual >$@.tmp && mv $@.tmp $@
etc/sysusers/badal.conf: $(srcdir)/etc/badal.sysusers Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/sysusers && cp $(srcdir)/etc/badal.sysusers $@
etc/apparmor/badal: $(srcdir)/etc/badal.apparmor.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/apparmor && sed -e 's|@bindir[@]|$(bindir)|g' -e 's|@libexec[@]|$(pkglibexecdir)|g' $(srcdir)/etc/badal.apparmor.in >$@.tmp && mv $@.tmp $@
etc/badal.service etc/badal-executor.service: $(srcdir)/etc/badal.service.in $(srcdir)/etc/badal-executor.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && sed -e 's|@bindir[@]|$(bindir)|g' $(srcdir)/$@.in >$@.tmp && mv $@.tmp $@

# Runtimes of functions
runtimesdir = $(pkgdatadir)/runtimes.d
dist_runtimes_DATA = etc/runtimes.d/node.conf etc/runtimes.d/php.conf etc/runtimes.d/python.conf etc/runtimes.d/ruby.conf
