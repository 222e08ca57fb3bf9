"""Speech material and training programs for the embedded models of MAIE."""

import maie  # noqa: F401 - it keeps the libraries of these programs from the internet
