"""S3 event notifications: MinIO's form and the plain one."""

from shared.events.notification import HINT_SOURCE, BadEvent, KeyForm, ObjectCreated, OtherEvent, make, parse

__all__ = ["HINT_SOURCE", "BadEvent", "KeyForm", "ObjectCreated", "OtherEvent", "make", "parse"]
