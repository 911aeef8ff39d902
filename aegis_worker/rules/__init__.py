"""Rules without code, which screen payments before their first attempt: config/rules.toml, or what an operator has put."""
