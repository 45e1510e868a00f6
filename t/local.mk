# tests: see t/README.md
EXTRA_DIST += t/README.md t/lsan.supp t/lib t/bench t/rules t/90-compat/native $(wildcard $(srcdir)/t/*-*/*.mjs $(srcdir)/t/*-*/*.json $(srcdir)/t/*-*/*.h)
include t/00-unit/local.mk
include t/10-module/local.mk
include t/30-sandbox/local.mk
include t/40-wire/local.mk
include t/90-compat/local.mk
include t/bench/local.mk
include t/fuzz/local.mk
