"""What the tests are made of: services, doubles of other programs, sounds and files."""
