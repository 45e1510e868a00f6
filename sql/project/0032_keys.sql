-- compatible: nothing changes in the space
-- Keys of the console's teams and users (badal.organization_keys, badal.account_keys) end with whose they are, and one of a team with the membership of who made it.
DO $$
BEGIN
	IF ':schema' <> 'p_0' THEN
		RETURN;
	END IF;
	ALTER TABLE badal.organization_keys
		DROP CONSTRAINT IF EXISTS organization_keys_of_team,
		DROP CONSTRAINT IF EXISTS organization_keys_of_user,
		DROP CONSTRAINT IF EXISTS organization_keys_of_membership,
		ADD CONSTRAINT organization_keys_of_team FOREIGN KEY (team_internal) REFERENCES p_0.teams ON DELETE CASCADE,
		ADD CONSTRAINT organization_keys_of_user FOREIGN KEY (user_internal) REFERENCES p_0.users ON DELETE CASCADE,
		ADD CONSTRAINT organization_keys_of_membership FOREIGN KEY (membership_internal) REFERENCES p_0.memberships ON DELETE CASCADE;
	ALTER TABLE badal.account_keys
		DROP CONSTRAINT IF EXISTS account_keys_of_user,
		ADD CONSTRAINT account_keys_of_user FOREIGN KEY (user_internal) REFERENCES p_0.users ON DELETE CASCADE;
END
$$;
