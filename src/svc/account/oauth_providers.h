/* How to speak with each OAuth2 provider: OAUTH(key, fields of struct oauth_row that differ from the default), in the order of providers.h.
 *
 * URLs are templates: {client}, {secret}, {access}, {account} and {self} are of the call; any other {name} is a member of the app's secret,
 * which is a JSON object then, and {name:default} need not be in it. `scopes`, `params` and paths into JSON ("a.0.b") are separated by blanks;
 * the texts of several paths are joined by one. `verified`: a path, "" never said, "+" not said, though the address comes from an account
 * of the provider, "*" only confirmed addresses are handed out. Of these "+" proves nothing to us, as "" does not. */
OAUTH(amazon, .authorize = "https://www.amazon.com/ap/oa", .scopes = "profile", .token = "https://api.amazon.com/auth/o2/token",
    .user = "https://api.amazon.com/user/profile?access_token={access}", .user_auth = AUTH_NONE, .id = "user_id", .email = "email", .name = "name",
    .verified = "+")
OAUTH(apple, .authorize = "https://appleid.apple.com/auth/authorize", .extra = "response_mode=form_post", .scopes = "name email",
    .token = "https://appleid.apple.com/auth/token", .json_secret = true, .make_secret = oauth_apple_secret, .profile = oauth_apple_profile)
OAUTH(auth0, .authorize = "https://{auth0Domain}/authorize", .scopes = "openid profile email offline_access", .token = "https://{auth0Domain}/oauth/token",
    .params = FORM_SCOPE, .json_secret = true, .user = "https://{auth0Domain}/userinfo", .id = "sub", .email = "email", .name = "name",
    .verified = "email_verified")
OAUTH(authentik, .authorize = "https://{authentikDomain}/application/o/authorize", .scopes = "openid profile email offline_access",
    .token = "https://{authentikDomain}/application/o/token/", .params = FORM_SCOPE, .json_secret = true,
    .user = "https://{authentikDomain}/application/o/userinfo/", .id = "sub", .email = "email", .name = "name", .verified = "email_verified")
OAUTH(autodesk, .authorize = "https://developer.api.autodesk.com/authentication/v1/authorize", .scopes = "user-profile:read",
    .token = "https://developer.api.autodesk.com/authentication/v1/gettoken", .refresh = "https://developer.api.autodesk.com/authentication/v1/refreshtoken",
    .user = "https://developer.api.autodesk.com/userprofile/v1/users/@me", .id = "userId", .email = "emailId", .name = "userName",
    .verified = "emailVerified")
OAUTH(bitbucket, .authorize = "https://bitbucket.org/site/oauth2/authorize", .flags = OAUTH_NO_REDIRECT, .token = "https://bitbucket.org/site/oauth2/access_token",
    .params = "code client_id client_secret grant_type", .user = "https://api.bitbucket.org/2.0/user?access_token={access}", .user_auth = AUTH_NONE,
    .more = "https://api.bitbucket.org/2.0/user/emails?access_token={access}", .id = "uuid", .name = "display_name",
    .emails = {"more.values", "email", "is_confirmed"})
OAUTH(bitly, .authorize = "https://bitly.com/oauth/authorize", .flags = OAUTH_NO_REFRESH | OAUTH_NO_TYPE | OAUTH_NO_SCOPE, .token = "https://api-ssl.bitly.com/oauth/access_token",
    .params = "code client_id client_secret redirect_uri state", .user = "https://api-ssl.bitly.com/v4/user", .id = "login", .name = "name",
    .emails = {"emails", "email", "is_verified"})
OAUTH(box, .authorize = "https://account.box.com/api/oauth2/authorize", .flags = OAUTH_COMMA, .scopes = "manage_app_users",
    .token = "https://account.box.com/api/oauth2/token", .params = FORM_SCOPE, .user = "https://api.box.com/2.0/me", .id = "id", .email = "login",
    .name = "name", .verified = "+")
OAUTH(dailymotion, .authorize = "https://www.dailymotion.com/oauth/authorize", .scopes = "userinfo email", .token = "https://api.dailymotion.com/oauth/token",
    .params = FORM_SCOPE, .user = "https://api.dailymotion.com/user/me?fields=email,id,fullname,verified", .id = "id", .email = "email",
    .name = "fullname", .verified = "verified")
OAUTH(discord, .authorize = "https://discordapp.com/api/oauth2/authorize", .scopes = "identify email", .token = "https://discordapp.com/api/oauth2/token",
    .params = FORM_SCOPE, .user = "https://discordapp.com/api/users/@me", .id = "id", .email = "email", .name = "username", .verified = "verified")
OAUTH(disqus, .authorize = "https://disqus.com/api/oauth/2.0/authorize/", .flags = OAUTH_COMMA, .scopes = "read email",
    .token = "https://disqus.com/api/oauth/2.0/access_token/", .params = FORM_SCOPE,
    .user = "https://disqus.com/api/3.0/users/details.json?access_token={access}&api_key={client}&api_secret={secret}", .user_auth = AUTH_NONE,
    .id = "response.id", .email = "response.email", .name = "response.name", .verified = "")
OAUTH(dropbox, .authorize = "https://www.dropbox.com/oauth2/authorize", .flags = OAUTH_NO_SCOPE, .token = "https://api.dropboxapi.com/oauth2/token",
    .user = "https://api.dropboxapi.com/2/users/get_current_account", .user_body = "null", .id = "account_id", .email = "email",
    .name = "name.display_name", .verified = "email_verified")
OAUTH(etsy, .authorize = "https://www.etsy.com/oauth/connect/oauth/authorize", .flags = OAUTH_SCOPE_LIST | OAUTH_PKCE, .scopes = "email_r profile_r",
    .token = "https://api.etsy.com/v3/public/oauth/token", .params = "code client_id redirect_uri grant_type code_verifier",
    .refresh_params = "client_id grant_type refresh_token", .account = oauth_etsy_account, .user = "https://api.etsy.com/v3/application/users/{account}",
    .header = {"x-api-key", "{client}"}, .id = "account", .email = "primary_email", .name = "login_name", .verified = "+")
OAUTH(facebook, .authorize = "https://www.facebook.com/v2.8/dialog/oauth", .flags = OAUTH_NO_REFRESH | OAUTH_NO_TYPE, .scopes = "email",
    .token = "https://graph.facebook.com/v2.8/oauth/access_token", .how = TOKEN_GET, .params = "client_id redirect_uri client_secret code",
    .refresh_params = "client_id redirect_uri client_secret grant_type refresh_token",
    .user = "https://graph.facebook.com/v2.8/me?fields=email,name&access_token={access}", .user_auth = AUTH_NONE, .id = "id", .email = "email",
    .name = "name", .verified = "+")
OAUTH(github, .authorize = "https://github.com/login/oauth/authorize", .flags = OAUTH_NO_TYPE, .scopes = "user:email",
    .token = "https://github.com/login/oauth/access_token", .params = "code client_id client_secret redirect_uri", .user = "https://api.github.com/user",
    .user_auth = AUTH_TOKEN, .more = "https://api.github.com/user/emails", .id = "id", .email = "email", .name = "name",
    .emails = {"more", "email", "verified"})
OAUTH(gitlab, .authorize = "{endpoint:https://gitlab.com}/oauth/authorize", .scopes = "read_user", .token = "{endpoint:https://gitlab.com}/oauth/token",
    .how = TOKEN_QUERY, .json_secret = true, .user = "{endpoint:https://gitlab.com}/api/v4/user?access_token={access}", .user_auth = AUTH_NONE,
    .id = "id", .email = "email", .name = "name", .verified = "confirmed_at")
OAUTH(google, .authorize = "https://accounts.google.com/o/oauth2/v2/auth",
    .scopes = "https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile openid",
    .token = "https://oauth2.googleapis.com/token", .how = TOKEN_QUERY, .user = "https://www.googleapis.com/oauth2/v3/userinfo?access_token={access}",
    .user_auth = AUTH_NONE, .id = "sub", .email = "email", .name = "name", .verified = "email_verified")
OAUTH(linkedin, .authorize = "https://www.linkedin.com/oauth/v2/authorization", .scopes = "r_liteprofile r_emailaddress",
    .token = "https://www.linkedin.com/oauth/v2/accessToken", .refresh_params = "client_id client_secret redirect_uri grant_type refresh_token",
    .user = "https://api.linkedin.com/v2/me", .more = "https://api.linkedin.com/v2/emailAddress?q=members&projection=(elements*(handle~))", .id = "id",
    .email = "more.elements.0.handle~.emailAddress", .name = "localizedFirstName localizedLastName", .verified = "+")
OAUTH(microsoft, .authorize = "https://login.microsoftonline.com/{tenantID:common}/oauth2/v2.0/authorize", .extra = "response_mode=query",
    .scopes = "offline_access user.read", .token = "https://login.microsoftonline.com/{tenantID:common}/oauth2/v2.0/token", .params = FORM_SCOPE,
    .json_secret = true, .user = "https://graph.microsoft.com/v1.0/me", .id = "id", .email = "userPrincipalName", .name = "displayName",
    .verified = "+")
OAUTH(notion, .authorize = "https://api.notion.com/v1/oauth/authorize", .flags = OAUTH_NO_SCOPE, .extra = "owner=user",
    .token = "https://api.notion.com/v1/oauth/token", .how = TOKEN_BASIC, .user = "https://api.notion.com/v1/users/me",
    .header = {"Notion-Version", "2021-08-16"}, .id = "bot.owner.user.id", .email = "bot.owner.user.person.email", .name = "bot.owner.user.name",
    .verified = "+")
OAUTH(okta, .authorize = "https://{oktaDomain}/oauth2/{authorizationServerId:default}/v1/authorize", .scopes = "openid profile email offline_access",
    .token = "https://{oktaDomain}/oauth2/{authorizationServerId:default}/v1/token", .params = FORM_SCOPE, .json_secret = true,
    .user = "https://{oktaDomain}/oauth2/{authorizationServerId:default}/v1/userinfo", .id = "sub", .email = "email", .name = "name",
    .verified = "email_verified")
OAUTH(paypal, .authorize = "https://www.paypal.com/connect/", .flags = OAUTH_LOOPBACK, .extra = "flowEntry=static", .scopes = "openid profile email",
    .token = "https://api.paypal.com/v1/oauth2/token", .how = TOKEN_BASIC, .params = "code grant_type",
    .user = "https://api.paypal.com/v1/identity/oauth2/userinfo?schema=paypalv1.1", .id = "payer_id", .profile = oauth_paypal_profile, .name = "name",
    .verified = "verified_account")
OAUTH(paypalSandbox, .authorize = "https://www.sandbox.paypal.com/connect/", .flags = OAUTH_LOOPBACK, .extra = "flowEntry=static",
    .scopes = "openid profile email", .token = "https://api.sandbox.paypal.com/v1/oauth2/token", .how = TOKEN_BASIC, .params = "code grant_type",
    .user = "https://api.sandbox.paypal.com/v1/identity/oauth2/userinfo?schema=paypalv1.1", .id = "payer_id", .profile = oauth_paypal_profile,
    .name = "name", .verified = "verified_account")
OAUTH(podio, .authorize = "https://podio.com/oauth/authorize", .flags = OAUTH_NO_TYPE | OAUTH_NO_SCOPE, .token = "https://api.podio.com/oauth/token",
    .user = "https://api.podio.com/user", .more = "https://api.podio.com/user/profile", .id = "user_id", .email = "mail", .name = "more.name",
    .profile = oauth_podio_profile)
OAUTH(salesforce, .authorize = "https://login.salesforce.com/services/oauth2/authorize", .scopes = "openid",
    .token = "https://login.salesforce.com/services/oauth2/token", .how = TOKEN_BASIC,
    .user = "https://login.salesforce.com/services/oauth2/userinfo?access_token={access}", .user_auth = AUTH_NONE, .id = "user_id", .email = "email",
    .name = "name", .verified = "email_verified")
OAUTH(slack, .authorize = "https://slack.com/oauth/authorize", .flags = OAUTH_NO_REFRESH | OAUTH_NO_TYPE,
    .scopes = "identity.avatar identity.basic identity.email identity.team", .token = "https://slack.com/api/oauth.access", .how = TOKEN_GET,
    .params = "client_id client_secret code redirect_uri", .user = "https://slack.com/api/users.identity?token={access}", .user_auth = AUTH_NONE,
    .id = "user.id", .email = "user.email", .name = "user.name", .verified = "+")
OAUTH(spotify, .authorize = "https://accounts.spotify.com/authorize", .scopes = "user-read-email", .token = "https://accounts.spotify.com/api/token",
    .how = TOKEN_BASIC, .user = "https://api.spotify.com/v1/me", .id = "id", .email = "email", .name = "display_name", .verified = "")
OAUTH(stripe, .authorize = "https://connect.stripe.com/oauth/authorize", .scopes = "read_write", .token = "https://connect.stripe.com/oauth/token",
    .params = "grant_type code client_secret", .refresh_params = "grant_type refresh_token client_secret", .account = oauth_stripe_account,
    .user = "https://api.stripe.com/v1/accounts/{account}", .id = "id", .email = "email", .name = "name", .verified = "+")
OAUTH(tradeshift, .authorize = "https://api.tradeshift.com/tradeshift/auth/login", .flags = OAUTH_LOOPBACK, .scopes = "openid offline",
    .token = "https://api.tradeshift.com/tradeshift/auth/token", .how = TOKEN_BASIC, .params = "grant_type code",
    .user = "https://api.tradeshift.com/tradeshift/rest/external/account/info/user", .id = "Id", .email = "Username", .name = "FirstName LastName",
    .verified = "+")
OAUTH(tradeshiftBox, .authorize = "https://api-sandbox.tradeshift.com/tradeshift/auth/login", .flags = OAUTH_LOOPBACK, .scopes = "openid offline",
    .token = "https://api-sandbox.tradeshift.com/tradeshift/auth/token", .how = TOKEN_BASIC, .params = "grant_type code",
    .user = "https://api-sandbox.tradeshift.com/tradeshift/rest/external/account/info/user", .id = "Id", .email = "Username",
    .name = "FirstName LastName", .verified = "+")
OAUTH(twitch, .authorize = "https://id.twitch.tv/oauth2/authorize", .extra = "force_verify=1", .scopes = "user:read:email",
    .token = "https://id.twitch.tv/oauth2/token", .how = TOKEN_QUERY, .user = "https://api.twitch.tv/helix/users", .header = {"Client-Id", "{client}"},
    .id = "data.0.id", .email = "data.0.email", .name = "data.0.display_name", .verified = "*")
OAUTH(wordpress, .authorize = "https://public-api.wordpress.com/oauth2/authorize", .flags = OAUTH_NO_REFRESH | OAUTH_SCOPE_LIST, .scopes = "auth",
    .token = "https://public-api.wordpress.com/oauth2/token", .user = "https://public-api.wordpress.com/rest/v1/me", .id = "ID", .email = "email",
    .name = "username", .verified = "email_verified")
OAUTH(yahoo, .authorize = "https://api.login.yahoo.com/oauth2/request_auth", .scopes = "sdct-r sdpp-w", .token = "https://api.login.yahoo.com/oauth2/get_token",
    .how = TOKEN_BASIC, .user = "https://api.login.yahoo.com/openid/v1/userinfo", .id = "sub", .email = "email", .name = "name",
    .verified = "email_verified")
OAUTH(yammer, .authorize = "https://www.yammer.com/oauth2/oauth2/authorize", .flags = OAUTH_NO_REFRESH | OAUTH_NO_SCOPE, .token = "https://www.yammer.com/oauth2/access_token",
    .params = "code client_id client_secret grant_type", .user = "https://www.yammer.com/api/v1/users/current.json", .id = "id", .email = "email",
    .name = "full_name", .verified = "+")
OAUTH(yandex, .authorize = "https://oauth.yandex.com/authorize", .flags = OAUTH_NO_REDIRECT, .token = "https://oauth.yandex.com/token",
    .how = TOKEN_BASIC, .params = "code grant_type", .user = "https://login.yandex.ru/info?format=json&oauth_token={access}", .user_auth = AUTH_NONE,
    .id = "id", .email = "default_email", .name = "display_name", .verified = "")
OAUTH(zoom, .authorize = "https://zoom.us/oauth/authorize", .scopes = "user_info:read", .token = "https://zoom.us/oauth/token", .how = TOKEN_BASIC,
    .user = "https://api.zoom.us/v2/users/me", .id = "id", .email = "email", .name = "first_name last_name", .verified = "verified")
OAUTH(mock, .authorize = "{self}/v1/mock/tests/general/oauth2", .flags = OAUTH_NO_TYPE, .scopes = "email", .local = oauth_mock_answer,
    .token = "{self}/v1/mock/tests/general/oauth2/token", .how = TOKEN_GET, .params = "client_id redirect_uri client_secret code",
    .user = "{self}/v1/mock/tests/general/oauth2/user?token={access}", .user_auth = AUTH_NONE, .id = "id", .email = "email", .name = "name",
    .verified = "*")
OAUTH(figma, .authorize = "https://www.figma.com/oauth", .scopes = "current_user:read", .token = "https://api.figma.com/v1/oauth/token", .how = TOKEN_BASIC,
    .params = "redirect_uri code grant_type", .refresh = "https://api.figma.com/v1/oauth/refresh", .refresh_params = "refresh_token",
    .user = "https://api.figma.com/v1/me", .id = "id", .email = "email", .name = "handle", .verified = "+")
OAUTH(fusionauth, .authorize = "https://{fusionauthDomain}/oauth2/authorize", .scopes = "openid email profile offline_access",
    .token = "https://{fusionauthDomain}/oauth2/token", .json_secret = true, .user = "https://{fusionauthDomain}/oauth2/userinfo", .id = "sub", .email = "email",
    .name = "name", .verified = "email_verified")
OAUTH(huggingface, .authorize = "https://huggingface.co/oauth/authorize", .scopes = "openid profile email", .token = "https://huggingface.co/oauth/token",
    .how = TOKEN_BASIC, .user = "https://huggingface.co/oauth/userinfo", .id = "sub", .email = "email", .name = "name", .verified = "email_verified")
OAUTH(keycloak, .authorize = "https://{keycloakDomain}/realms/{keycloakRealm}/protocol/openid-connect/auth", .scopes = "openid profile email offline_access",
    .token = "https://{keycloakDomain}/realms/{keycloakRealm}/protocol/openid-connect/token", .json_secret = true,
    .user = "https://{keycloakDomain}/realms/{keycloakRealm}/protocol/openid-connect/userinfo", .id = "sub", .email = "email", .name = "name",
    .verified = "email_verified")
OAUTH(kick, .authorize = "https://id.kick.com/oauth/authorize", .flags = OAUTH_PKCE, .scopes = "user:read", .token = "https://id.kick.com/oauth/token",
    .params = "code client_id client_secret redirect_uri grant_type code_verifier", .user = "https://api.kick.com/public/v1/users", .id = "data.0.user_id",
    .email = "data.0.email", .name = "data.0.name", .verified = "+")
OAUTH(oidc, .discovers = true, .authorize = "{authorizationEndpoint}", .scopes = "openid profile email", .token = "{tokenEndpoint}", .json_secret = true, .user = "{userInfoEndpoint}",
    .id = "sub", .email = "email", .name = "name", .verified = "email_verified")
OAUTH(x, .authorize = "https://x.com/i/oauth2/authorize", .flags = OAUTH_PKCE, .scopes = "users.read users.email tweet.read offline.access",
    .token = "https://api.x.com/2/oauth2/token", .how = TOKEN_BASIC, .params = "code redirect_uri grant_type code_verifier",
    .user = "https://api.x.com/2/users/me?user.fields=confirmed_email", .id = "data.id", .email = "data.confirmed_email", .name = "data.name", .verified = "*")
OAUTH(zoho, .authorize = "https://accounts.zoho.com/oauth/v2/auth", .extra = "access_type=offline", .scopes = "openid profile email",
    .token = "https://accounts.zoho.com/oauth/v2/token", .user = "https://accounts.zoho.com/oauth/v2/userinfo", .id = "sub", .email = "email", .name = "name",
    .verified = "email_verified")
