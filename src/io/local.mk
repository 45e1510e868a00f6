noinst_LIBRARIES += libbadal-io.a
libbadal_io_a_SOURCES =
libbadal_io_a_SOURCES += src/io/http.c src/io/http_h1.c src/io/http_h2.c src/io/http_head.c src/io/http_tls.c src/io/http_ws.c
