"""Stands for the published runtime client, so that the test needs nothing but Python."""
