# tests: see t/README.md
include t/00-unit/local.mk
include t/40-wire/local.mk
