/* Events of the presences service: EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). They are for realtime alone. */
EVENT(presence_upsert, "presences.[presenceId].upsert", "presences|presences.[presenceId]", false, "presence", "A user said that they are there.")
EVENT(presence_update, "presences.[presenceId].update", "presences|presences.[presenceId]", false, "presence", "A presence was changed.")
EVENT(presence_delete, "presences.[presenceId].delete", "presences|presences.[presenceId]", false, "presence", "A presence ended.")
