# tests: see t/README.md
