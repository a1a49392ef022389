"""Kayobe's lookup "cached", which Kayobe 2024.1 and 2024.2 do not show to playbooks that are not their own.

They need it for kayobe_env_search_paths all the same; 2025.1 sets
ANSIBLE_LOOKUP_PLUGINS (kayobe/ansible.py, _get_environment).
"""

from ansible_cached_lookup import LookupModule  # noqa: F401
