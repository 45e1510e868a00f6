noinst_LIBRARIES += libbadal-rt.a
libbadal_rt_a_SOURCES = \
	src/rt/atom.c src/rt/channel.c src/rt/deadline.c src/rt/facts.c src/rt/fanout.c src/rt/handshake.c src/rt/held.c src/rt/horizon.c src/rt/index.c src/rt/leave.c \
	src/rt/message.c src/rt/news.c src/rt/patron.c src/rt/peer.c src/rt/place.c src/rt/resume.c src/rt/rt_priv.h src/rt/said.c src/rt/seats.c src/rt/stats.c \
	src/rt/subquery.c src/rt/tail.c src/rt/task.c src/rt/url.c src/rt/who.c
