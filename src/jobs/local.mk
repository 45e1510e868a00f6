noinst_LIBRARIES += libbadal-jobs.a
libbadal_jobs_a_SOURCES = src/jobs/jobs.c src/jobs/jobs_events.c src/jobs/jobs_lane.c src/jobs/jobs_priv.h src/jobs/jobs_old.c src/jobs/jobs_role.c src/jobs/jobs_spaces.c src/jobs/jobs_upkeep.c
