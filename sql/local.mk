# sql: migrations, installed beside the program
sqldir = $(pkgdatadir)/sql
dist_sql_DATA =
dist_sql_DATA += sql/0001_platform.sql
dist_sql_DATA += sql/0002_projects.sql
dist_sql_DATA += sql/0003_webhooks.sql
dist_sql_DATA += sql/0004_schedules.sql
dist_sql_DATA += sql/0005_warm.sql
dist_sql_DATA += sql/0006_project_settings.sql
dist_sql_DATA += sql/0007_credentials.sql
dist_sql_DATA += sql/0008_mail.sql
dist_sql_DATA += sql/0009_keys.sql
sqlprojectdir = $(sqldir)/project
dist_sqlproject_DATA =
dist_sqlproject_DATA += sql/project/0001_users.sql
dist_sqlproject_DATA += sql/project/0002_databases.sql
dist_sqlproject_DATA += sql/project/0003_audit.sql
dist_sqlproject_DATA += sql/project/0004_usage.sql
dist_sqlproject_DATA += sql/project/0005_account.sql
dist_sqlproject_DATA += sql/project/0006_users.sql
dist_sqlproject_DATA += sql/project/0007_account.sql
dist_sqlproject_DATA += sql/project/0008_search.sql
dist_sqlproject_DATA += sql/project/0009_users.sql
dist_sqlproject_DATA += sql/project/0010_search.sql
dist_sqlproject_DATA += sql/project/0011_schema.sql
dist_sqlproject_DATA += sql/project/0012_account.sql
dist_sqlproject_DATA += sql/project/0013_storage.sql
dist_sqlproject_DATA += sql/project/0014_data_keys.sql
dist_sqlproject_DATA += sql/project/0015_functions.sql
dist_sqlproject_DATA += sql/project/0016_uploads.sql
dist_sqlproject_DATA += sql/project/0017_executions.sql
dist_sqlproject_DATA += sql/project/0018_columns.sql
dist_sqlproject_DATA += sql/project/0019_totals.sql
dist_sqlproject_DATA += sql/project/0020_relationships.sql
dist_sqlproject_DATA += sql/project/0021_transactions.sql
dist_sqlproject_DATA += sql/project/0023_formats.sql
dist_sqlproject_DATA += sql/project/0024_transaction_roles.sql
dist_sqlproject_DATA += sql/project/0026_mfa.sql
dist_sqlproject_DATA += sql/project/0027_users.sql
dist_sqlproject_DATA += sql/project/0028_presences.sql
dist_sqlproject_DATA += sql/project/0029_targets.sql
dist_sqlproject_DATA += sql/project/0030_tokens.sql
dist_sqlproject_DATA += sql/project/0031_account.sql
dist_sqlproject_DATA += sql/project/0032_keys.sql
dist_sqlproject_DATA += sql/project/0035_factors.sql

# Files that were named otherwise: one that a former version left behind would be a second one with the same number.
install-data-hook:
	cd $(DESTDIR)$(sqlprojectdir) && rm -f 0001_identity.sql 0005_identities.sql 0006_names.sql 0007_token_address.sql
