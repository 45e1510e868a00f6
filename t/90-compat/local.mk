# Schedules, line by line: cron.test.mjs compares them with another implementation's.
check_PROGRAMS += t/90-compat/cron_lines
t_90_compat_cron_lines_SOURCES = t/90-compat/cron_lines.c
t_90_compat_cron_lines_LDADD = libbadal-core.a $(LIBS_ALL)

# JSON in the form of webhooks: php.test.mjs compares it with what PHP writes.
check_PROGRAMS += t/90-compat/php_lines
t_90_compat_php_lines_SOURCES = t/90-compat/php_lines.c
t_90_compat_php_lines_LDADD = libbadal-core.a $(LIBS_ALL)
