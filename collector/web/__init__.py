"""What people and programs see of the collector over HTTP: pages, JSON API, live events, and who may do what."""
