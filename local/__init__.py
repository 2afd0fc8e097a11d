"""Local services for development and tests."""
