# contrib: from a clone to a running server, and all tests
EXTRA_DIST += contrib/up contrib/check contrib/lib.sh contrib/packages contrib/made .ci/run
