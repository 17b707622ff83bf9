"""Agents answer messages; the registry names their classes."""
