noinst_LIBRARIES += libbadal-io.a
libbadal_io_a_SOURCES =
