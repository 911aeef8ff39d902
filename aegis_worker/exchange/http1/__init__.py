"""HTTP/1.1 with a server that may do anything: one deadline for all of it, and answers that can be read in one way only."""
