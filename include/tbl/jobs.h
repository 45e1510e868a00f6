/* Jobs: JOB(kind, handler, retries, what it does). Stream jobs:<kind>; handlers are in src/jobs (see jobs/jobs_priv.h). */
JOB(sweep, job_sweep, 8, "Drops the data spaces of deleted projects.")
JOB(spare, job_spare, 4, "Makes data spaces in advance, so that creating a project is quick.")
JOB(schema, job_schema, 30, "Builds and drops indexes, changes busy tables, drops the tables of deleted collections.")
JOB(mail, job_mail, 12, "Sends a mail.")
JOB(sms, job_sms, 5, "Sends a short message.")
