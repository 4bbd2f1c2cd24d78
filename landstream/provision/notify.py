"""Bucket notifications, where the store takes them by its API: only items and `landing/` notify."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import urllib3

from landstream.provision.users import own_keys
from shared.bus import OBJECTS
from shared.items.landing import PREFIX
from shared.store import StoreError
from shared.store.s3 import S3Store

RULES = ((PREFIX, None), ("items/", ".json"))
"""(prefix, suffix) of the objects that notify: deliveries, and the items that commit results."""

CREATED = "s3:ObjectCreated:*"
_NOT_TAKEN = {
    "NotImplemented",
    "MethodNotAllowed",
    "NotSupported",
    "XNotImplemented",
    "BucketAlreadyOwnedByYou",  # SeaweedFS overlooks what is asked of the bucket, and takes it for its creation
}


def configure_notifications(store: S3Store, queue: str, say: Callable[[str], None]) -> list[str]:
    """Let the bucket notify the queue, and read back that it does; what is left to the operator.

    Args:
        store: the store.
        queue: ARN of the store's Kafka target.
        say: called with a line for what was done.

    Raises:
        StoreError: the store knows no such queue.
    """
    from minio import Minio
    from minio.error import MinioException, S3Error
    from minio.notificationconfig import NotificationConfig, PrefixFilterRule, QueueConfig, SuffixFilterRule

    url, root = urlsplit(store.settings.endpoint), own_keys()
    client = Minio(
        endpoint=url.netloc,
        access_key=root.access_key,
        secret_key=root.secret_key,
        secure=url.scheme == "https",
        region=store.settings.region,
        http_client=urllib3.PoolManager(timeout=15, retries=False),
    )
    queues = [
        QueueConfig(
            queue=queue,
            events=[CREATED],
            config_id=f"landstream-{prefix.rstrip('/')}",
            prefix_filter_rule=PrefixFilterRule(prefix),
            suffix_filter_rule=SuffixFilterRule(suffix) if suffix else None,
        )
        for prefix, suffix in RULES
    ]
    wanted = NotificationConfig(queue_config_list=queues)
    try:
        client.set_bucket_notification(bucket_name=store.bucket, config=wanted)
        found = client.get_bucket_notification(bucket_name=store.bucket)
    except S3Error as error:
        if error.code in _NOT_TAKEN:
            return [f"notifications: this store is configured at its start; keep it sending {CREATED} to {OBJECTS}"]
        raise StoreError(
            f"{store.location}: notifications to {queue} are refused ({error.code}: {error.message})"
        ) from error
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise StoreError(f"{store.location}: notifications are not set ({error})") from error
    if len(found.queue_config_list) != len(RULES):
        raise StoreError(f"{store.location}: the store forgot its notifications; set them again")
    say(f"notifications: {', '.join(p + '*' + (s or '') for p, s in RULES)} to {queue}")
    return []
