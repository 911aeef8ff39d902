"""Plug-ins that tests name in AEGIS_HOOKS."""
