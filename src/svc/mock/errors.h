/* Errors of the mock service: ERR(name, HTTP status, type on the wire, words for the client). */
ERR(GENERAL_MOCK, 400, "general_mock", "Mock 400 error")
ERR(MOCK_500, 500, "general_mock", "Server Error")
