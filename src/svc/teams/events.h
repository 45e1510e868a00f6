/* Events of the teams service: EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). Channels are the 1.0 names; later names are
 * derived from them (service.c). */
EVENT(team_create, "teams.[teamId].create", "teams|teams.[teamId]", true, "team", "A team was created.")
EVENT(team_update, "teams.[teamId].update", "teams|teams.[teamId]", true, "team", "A team was renamed.")
EVENT(team_update_prefs, "teams.[teamId].update.prefs", "teams|teams.[teamId]", true, "preferences", "A team's preferences changed.")
EVENT(team_delete, "teams.[teamId].delete", "teams|teams.[teamId]", true, "team", "A team was deleted.")
EVENT(membership_create, "teams.[teamId].memberships.[membershipId].create", "memberships|memberships.[membershipId]", true, "membership", "A membership was created.")
EVENT(membership_update, "teams.[teamId].memberships.[membershipId].update", "memberships|memberships.[membershipId]", true, "membership", "A membership's roles changed.")
EVENT(membership_status, "teams.[teamId].memberships.[membershipId].update.status", "memberships|memberships.[membershipId]", true, "membership", "An invitation was accepted.")
EVENT(membership_delete, "teams.[teamId].memberships.[membershipId].delete", "memberships|memberships.[membershipId]", true, "membership", "A membership ended.")
