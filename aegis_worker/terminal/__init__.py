"""What the commands and the lab share: tables and progress, the API as they call it, how they open an installation."""
