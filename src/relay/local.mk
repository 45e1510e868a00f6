noinst_LIBRARIES += libbadal-relay.a
libbadal_relay_a_SOURCES =
