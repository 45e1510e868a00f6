noinst_LIBRARIES += libbadal-rt.a
libbadal_rt_a_SOURCES =
