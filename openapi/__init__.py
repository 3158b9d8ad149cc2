"""The OpenAPI documents of the services, written by drf-spectacular from their URLs and from what is said here.

A document is a file of its service, `openapi.json`, which `GET /schema` hands out. So no service carries what only
writes documents, and a change of the API shows as a change of the file: docs/adr/0009-openapi.md.
"""
