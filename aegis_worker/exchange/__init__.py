"""HTTP calls: the client that makes them, and the driver that runs an adapter's flow and makes the calls it yields."""
