# Image workers: their libraries are found at run time (libs.h), so nothing here adds any to the program but seccomp.
noinst_LIBRARIES += libbadal-picture.a
libbadal_picture_a_SOURCES = src/picture/canvas.h src/picture/filter.h src/picture/libs.h src/picture/pango.h src/picture/picture_priv.h src/picture/sniff.h src/picture/worker.h
libbadal_picture_a_SOURCES += src/picture/canvas.c src/picture/fence.c src/picture/filter.c src/picture/icon.c src/picture/initials.c src/picture/libs.c src/picture/page.c src/picture/pango.c src/picture/read.c src/picture/sniff.c
libbadal_picture_a_SOURCES += src/picture/task.c src/picture/work.c src/picture/worker.c src/picture/write.c
libbadal_picture_a_CPPFLAGS = $(AM_CPPFLAGS) $(GM_CFLAGS)
