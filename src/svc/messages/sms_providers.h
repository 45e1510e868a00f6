/* Providers of short messages: SMS(name, server, path, kind of body, body, headers, password).
 * What is sent is "name=value" joined by '|'. In values: %u user, %s secret, %f sender, %t receiver, %w the message, %c the code or link in it; %F and %T are the numbers
 * without their '+'. Form or JSON body; `password`: user and secret go as Basic credentials. */
SMS("twilio", "https://api.twilio.com", "/2010-04-01/Accounts/%u/Messages.json", SMS_FORM, "Body=%w|From=%f|To=%t", "", true)
SMS("text-magic", "https://rest.textmagic.com", "/api/v2/messages", SMS_FORM, "text=%w|from=%F|phones=%T", "X-TM-Username=%u|X-TM-Key=%s", false)
SMS("telesign", "https://rest-api.telesign.com", "/v1/messaging", SMS_FORM, "message=%w|message_type=otp|phone_number=%T", "", true)
SMS("msg91", "https://api.msg91.com", "/api/v5/flow/", SMS_JSON, "sender=%u|otp=%c|flow_id=%f|mobiles=%T", "content-type=application/JSON|authkey=%s", false)
SMS("vonage", "https://rest.nexmo.com", "/sms/json", SMS_FORM, "text=%w|from=%f|to=%T|api_key=%u|api_secret=%s", "", false)
SMS("mock", "http://request-catcher:5000", "/mock-sms", SMS_JSON, "message=%w|from=%f|to=%t", "content-type=application/json|x-username=%u|x-key=%s", false)
