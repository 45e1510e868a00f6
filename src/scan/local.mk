# The virus scanner: libclamav is found at run time (clam.c).
noinst_LIBRARIES += libbadal-scan.a
libbadal_scan_a_SOURCES = src/scan/clam.h src/scan/jail.h src/scan/worker.h
libbadal_scan_a_SOURCES += src/scan/clam.c src/scan/jail.c src/scan/worker.c
