"""What the services must agree on: the record, its two stores, and the way between them."""

VERSION = "0.1.0"  # also in pyproject.toml, which the images do not hold
