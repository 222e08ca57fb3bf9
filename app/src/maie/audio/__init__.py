"""From a file of any format to samples on its own timeline."""
