"""Put a whole run on one HTML page that needs no network."""
