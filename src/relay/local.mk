noinst_LIBRARIES += libbadal-relay.a
libbadal_relay_a_SOURCES = src/relay/relay.c src/relay/relay_priv.h src/relay/relay_readers.c src/relay/relay_slot.c src/relay/relay_stream.c \
	src/relay/relay_queue.c src/relay/relay_write.c
