noinst_LIBRARIES += libbadal-io.a
libbadal_io_a_SOURCES = \
	src/io/db.c src/io/db_conn.c src/io/db_connect.c src/io/db_migrate.c src/io/db_pool.c src/io/db_stmt.c src/io/db_text.c src/io/db_tx.c src/io/db_wal.c \
	src/io/http.c src/io/http_bulk.c src/io/http_chunks.c src/io/http_far.c src/io/http_field.c src/io/http_file.c src/io/http_flood.c src/io/http_h1.c src/io/http_h2.c src/io/http_head.c src/io/http_msg.c src/io/http_stream.c src/io/http_tls.c src/io/http_ws.c
libbadal_io_a_SOURCES += src/io/db_share.c
libbadal_io_a_SOURCES += src/io/budget.c src/io/range.c src/io/static.c
libbadal_io_a_SOURCES += src/io/idna.c src/io/psl.c
libbadal_io_a_SOURCES += src/io/country.c src/io/names.c src/io/sntp.c
libbadal_io_a_SOURCES += src/io/fetch_url.c src/io/letters.c src/io/png.c src/io/qr.c
libbadal_io_a_SOURCES += src/io/bus.c src/io/bus_link.c src/io/bus_priv.h src/io/bus_stream.c src/io/bus_text.c src/io/bus_url.c
libbadal_io_a_SOURCES += src/io/db_repl.c
libbadal_io_a_SOURCES += src/io/fetch.c src/io/fetch_addr.c src/io/fetch_loop.c src/io/fetch_local.c src/io/answer.c src/io/answer.h src/io/fetch_priv.h
libbadal_io_a_SOURCES += src/io/device.c src/io/device_kept.c src/io/device_local.c src/io/device_priv.h src/io/device_s3.c src/io/device_url.c src/io/s3.c src/io/s3_priv.h src/io/s3_xml.c
libbadal_io_a_SOURCES += src/io/pattern.c src/io/totp.c src/io/tree.c
libbadal_io_a_SOURCES += src/io/child.c src/io/watch.c src/io/worker.c
