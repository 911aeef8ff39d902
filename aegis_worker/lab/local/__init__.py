"""An installation in a folder of this machine: its secrets, its embedded stores, its processes and who watches them."""
