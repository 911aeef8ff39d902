"""An HTTP/1.1 client for servers that may do anything: one deadline for it all, and only unambiguous answers."""
