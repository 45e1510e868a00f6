noinst_LIBRARIES += libbadal-core.a
libbadal_core_a_SOURCES = \
	src/core/addr.c src/core/arena.c src/core/conf.c src/core/cron.c src/core/ctx.c src/core/err.c src/core/fair.c src/core/fiber.c \
	src/core/gen.c src/core/heap.c src/core/id.c src/core/json.c src/core/json_php.c src/core/json_tree.c src/core/log.c src/core/log_rate.c src/core/loop.c src/core/machine.c src/core/map.c \
	src/core/metric.c src/core/offload.c src/core/protocol.c src/core/registers.c src/core/fiber_priv.h src/core/share.c src/core/str.c src/core/vtime.c src/core/words.c src/core/zone.c
