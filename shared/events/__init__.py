"""S3 event notifications in the form that MinIO sends."""

from shared.events.notification import BadEvent, ObjectCreated, make, parse

__all__ = ["BadEvent", "ObjectCreated", "make", "parse"]
