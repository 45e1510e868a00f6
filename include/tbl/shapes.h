/* Shapes of the public API, in the order of the OpenAPI document: SHAPE_ROW(variable of type const struct shape).
 * The file that defines one adds its row here; src/model/shape_all.c makes the list. */
SHAPE_ROW(user_shape)
SHAPE_ROW(account_shape)
SHAPE_ROW(session_shape)
SHAPE_ROW(token_shape)
SHAPE_ROW(team_shape)
SHAPE_ROW(membership_shape)
SHAPE_ROW(project_shape)
SHAPE_ROW(platform_shape)
SHAPE_ROW(key_shape)
SHAPE_ROW(webhook_shape)
SHAPE_ROW(domain_shape)
SHAPE_ROW(audit_shape)
