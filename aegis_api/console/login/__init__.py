"""Who is at the console: the guard before every page, logging in and out, sessions, and people."""
