"""The console at /console: pages for people, over the queries, views and use cases of the API."""
