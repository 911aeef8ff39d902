"""PostgreSQL and Valkey from wheels, and the child processes of `aegis up`, `aegis demo` and the tests."""
