"""Speech material and training programs for the embedded models of MAIE."""
