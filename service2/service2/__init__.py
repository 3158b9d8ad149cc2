"""The internal service that service1 asks for a second record."""
