"""What keeps trouble small: locks in front of work, gates in front of calls, pauses between tries."""
