# The executor: sandboxes for code of strangers. badal-init is process 1 in them, a static program that any root can start.
noinst_LIBRARIES += libbadal-exec.a
libbadal_exec_a_SOURCES = src/exec/filter.h src/exec/cgroup.h src/exec/layer.h src/exec/layer.c
libbadal_exec_a_SOURCES += src/exec/filter.c src/exec/cgroup.c src/exec/sandbox.c
libbadal_exec_a_SOURCES += src/exec/build.c src/exec/code.c src/exec/exec_priv.h src/exec/far.c src/exec/function.c src/exec/instance.c src/exec/output.c src/exec/page.c src/exec/pose.h src/exec/role.c src/exec/run.c src/exec/runtime.c src/exec/serve.c src/exec/ready.c src/exec/speak.c src/exec/tree.c
libbadal_exec_a_SOURCES += src/exec/check.c src/exec/forward.c src/exec/forward.h src/exec/nft.c src/exec/nft.h src/exec/image.c src/exec/net.c src/exec/net_wire.h src/exec/programs.c src/exec/programs.h
libbadal_exec_a_CPPFLAGS = $(AM_CPPFLAGS) -DBADAL_LIBEXEC='"$(pkglibexecdir)"'

pkglibexec_PROGRAMS = badal-init badal-net badal-pose badal-unpack
badal_init_SOURCES = src/exec/init.c
badal_init_CFLAGS = -std=gnu11 -O2 $(WARN_CFLAGS)
badal_init_LDFLAGS = -static

# Unpacks small archives in them.
badal_unpack_SOURCES = src/exec/tar.h src/exec/tar.c src/exec/unpack.c
badal_unpack_CFLAGS = -std=gnu11 -O2 $(WARN_CFLAGS)
badal_unpack_LDFLAGS = -static
badal_unpack_LDADD = -lz

# Makes their networks.
badal_net_SOURCES = src/exec/netd.h src/exec/netd.c src/exec/netd_relay.c src/exec/netd_rules.c src/exec/nft.c src/exec/nft.h src/exec/netd_space.c
badal_net_LDADD = -ldl

# Tells browsers in them what to do.
badal_pose_SOURCES = src/exec/pose.c src/exec/pose.h
badal_pose_CPPFLAGS = -D_GNU_SOURCE
badal_pose_CFLAGS = -std=gnu11 -O2 $(WARN_CFLAGS)
badal_pose_LDADD = -ljansson -lsodium
