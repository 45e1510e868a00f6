noinst_LIBRARIES += libbadal-model.a
libbadal_model_a_SOURCES =
