"""Kayobe's lookup "kayobe_environments", see cached.py."""

from kayobe.plugins.lookup.environments import LookupModule  # noqa: F401
