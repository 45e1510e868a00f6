-- How deliveries of a webhook go: whether it is on, how many failed since the last that succeeded, and why the last one did.
ALTER TABLE badal.webhooks
	ADD COLUMN enabled boolean NOT NULL DEFAULT true,
	ADD COLUMN attempts bigint NOT NULL DEFAULT 0,
	ADD COLUMN logs text NOT NULL DEFAULT '';
