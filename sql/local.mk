# sql: migrations, installed beside the program
sqldir = $(pkgdatadir)/sql
dist_sql_DATA =
dist_sql_DATA += sql/0001_platform.sql
sqlprojectdir = $(sqldir)/project
dist_sqlproject_DATA =
dist_sqlproject_DATA += sql/project/0001_identity.sql
dist_sqlproject_DATA += sql/project/0002_databases.sql
dist_sqlproject_DATA += sql/project/0003_audit.sql
dist_sqlproject_DATA += sql/project/0004_usage.sql
dist_sqlproject_DATA += sql/project/0005_identities.sql
dist_sqlproject_DATA += sql/project/0006_names.sql
dist_sqlproject_DATA += sql/project/0007_token_address.sql
dist_sqlproject_DATA += sql/project/0008_search.sql
