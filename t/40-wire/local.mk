# Wire tests: node starts this server by itself (BADAL_ECHO=path).
check_PROGRAMS += t/40-wire/echo
t_40_wire_echo_SOURCES = t/40-wire/echo_server.c
t_40_wire_echo_LDADD = libbadal-io.a libbadal-core.a $(LIBS_ALL)
