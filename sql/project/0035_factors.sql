-- compatible: programs before this one leave both false
-- Two different factors were shown with it, the second by a challenge. Those it stays in with when a second one is asked for from then on were not.
ALTER TABLE :schema.sessions ADD COLUMN two_shown boolean NOT NULL DEFAULT false;
-- The password was set by a recovery, so whoever reads the user's mail may know it.
ALTER TABLE :schema.users ADD COLUMN password_mailed boolean NOT NULL DEFAULT false;
