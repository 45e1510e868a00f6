noinst_LIBRARIES += libbadal-jobs.a
libbadal_jobs_a_SOURCES =
