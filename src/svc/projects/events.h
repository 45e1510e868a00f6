/* Events of the projects service, for those who keep what they read of a project: nobody can subscribe to them, and they have no payload, for settings hold secrets.
 * EVENT(name, pattern, channels, may be subscribed to, models of its payload, meaning). */
EVENT(project_policy_update, "projects.[projectId].policies.[policy].update", "", false, "", "A policy of a project changed (internal).")
EVENT(project_method_update, "projects.[projectId].authMethod.[methodId].update", "", false, "", "A way to sign in was switched (internal).")
EVENT(project_service_update, "projects.[projectId].services.[serviceId].update", "", false, "", "A service was switched (internal).")
EVENT(project_protocol_update, "projects.[projectId].protocols.[protocolId].update", "", false, "", "A protocol was switched (internal).")
EVENT(project_provider_update, "projects.[projectId].oauth2.[providerId].update", "", false, "", "The app at a provider of OAuth2 changed (internal).")
EVENT(project_labels_update, "projects.[projectId].labels.update", "", false, "", "The labels of a project changed (internal).")
EVENT(project_smtp_update, "projects.[projectId].project.smtp.update", "", false, "", "The mail server of a project changed (internal).")
EVENT(project_template_update, "projects.[projectId].templates.[templateId].update", "", false, "", "The words of a mail changed (internal).")
EVENT(project_mock_create, "projects.[projectId].mock-phones.[number].create", "", false, "", "A phone number got a code of its own (internal).")
EVENT(project_mock_update, "projects.[projectId].mock-phones.[number].update", "", false, "", "The code of a phone number changed (internal).")
EVENT(project_mock_delete, "projects.[projectId].mock-phones.[number].delete", "", false, "", "A phone number has no code of its own any more (internal).")
