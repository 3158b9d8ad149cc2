"""What the services must agree on: the record, its two stores, and the way between them."""
