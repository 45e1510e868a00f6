# contrib: from a clone to a running server, and all tests
EXTRA_DIST += contrib/up contrib/check contrib/lib.sh contrib/packages contrib/made .ci/run

# Pictures of the avatars, drawn from packages of Debian. Installed as they are.
EXTRA_DIST += contrib/icons
all-local: icons/made
icons/made: $(srcdir)/contrib/icons $(srcdir)/include/tbl/countries.h
	$(AM_V_GEN)bash $(srcdir)/contrib/icons icons
install-data-local: icons/made
	for set in browsers credit-cards flags; do \
		$(MKDIR_P) "$(DESTDIR)$(pkgdatadir)/icons/$$set" && for f in icons/$$set/*.png; do \
			! test -f "$$f" || $(INSTALL_DATA) "$$f" "$(DESTDIR)$(pkgdatadir)/icons/$$set/"; done || exit 1; \
	done
	! test -f icons/made || $(INSTALL_DATA) icons/made "$(DESTDIR)$(pkgdatadir)/icons/"
uninstall-local:
	rm -rf "$(DESTDIR)$(pkgdatadir)/icons"
clean-local:
	rm -rf icons

# Servers of the runtimes of functions.
noderuntimedir = $(pkgdatadir)/runtimes/node
dist_noderuntime_DATA = contrib/runtimes/node/server.mjs
pyruntimedir = $(pkgdatadir)/runtimes/python
dist_pyruntime_DATA = contrib/runtimes/python/server.py
phpruntimedir = $(pkgdatadir)/runtimes/php
dist_phpruntime_DATA = contrib/runtimes/php/server.php
rubyruntimedir = $(pkgdatadir)/runtimes/ruby
dist_rubyruntime_DATA = contrib/runtimes/ruby/server.rb
