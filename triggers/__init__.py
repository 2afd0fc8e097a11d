"""Asynchronous waiting."""
