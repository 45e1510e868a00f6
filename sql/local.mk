# sql: migrations, installed beside the program
