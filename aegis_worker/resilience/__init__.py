"""What keeps trouble small: locks in front of work, pauses between tries."""
