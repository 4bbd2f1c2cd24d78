"""Users of the store, one for each service: through MinIO's admin API, or versitygw's and a policy of the bucket."""

from __future__ import annotations

import configparser
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

import boto3
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError

from landstream.provision.grants import Grant, as_sent, bucket_policy, coarse_bucket_policy, user_policy
from shared.store import StoreError
from shared.store.s3 import S3Store

Keys = Mapping[str, tuple[str, str]]
"""User -> (access key, secret key)."""

_TIMEOUT_S = 15


def read_credentials(folder: Path, table: Sequence[Grant]) -> dict[str, tuple[str, str]]:
    """Return the keys of each user of the table, from files of AWS credentials, one per user and named after it.

    Raises:
        ValueError: a file is missing or holds no keys.
    """
    keys = {}
    for grant in table:
        path, parser = folder / grant.user, configparser.RawConfigParser()
        try:
            parser.read(path, "utf-8")
            pair = parser["default"]["aws_access_key_id"], parser["default"]["aws_secret_access_key"]
        except (configparser.Error, KeyError, UnicodeDecodeError):
            pair = "", ""
        if not all(pair):
            raise ValueError(f"{path}: no credentials of the user {grant.user} there; `make secrets` makes them")
        keys[grant.user] = pair
    return keys


class Admin(Protocol):
    """An administration of users."""

    name: str

    def grant(self, table: Sequence[Grant], keys: Keys) -> list[str]:
        """Make each user with its keys, or give it these, and allow what the table says.

        Returns:
            What is allowed beyond the table, one line each; nothing where the store can say all of it.
        """


class MinioAdministration:
    """MinIO's admin API: users with policies of their own."""

    name = "MinIO's admin API"

    def __init__(self, store: S3Store) -> None:
        from minio.credentials.providers import StaticProvider
        from minio.minioadmin import MinioAdmin

        url, root = urlsplit(store.settings.endpoint), own_keys()
        self._bucket = store.bucket
        self._admin = MinioAdmin(
            endpoint=url.netloc,
            credentials=StaticProvider(root.access_key or "", root.secret_key or ""),
            secure=url.scheme == "https",
            http_client=urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False),
        )

    def speaks(self) -> bool:
        """Return whether the store has this API."""
        try:
            self._admin.user_list()
        except Exception:  # whatever another server answers: not this API
            return False
        return True

    def grant(self, table: Sequence[Grant], keys: Keys) -> list[str]:
        """See `Admin.grant`."""
        from minio.error import MinioAdminException

        for grant in table:
            access, secret = keys[grant.user]
            name = f"{self._bucket}-{grant.user}"
            try:
                self._admin.user_add(access, secret)
                self._admin.policy_add(name, policy=user_policy(grant, self._bucket))
                # Set, not attached: it takes the place of any other, and older servers know nothing else.
                self._admin.policy_set(name, user=access)
            except (MinioAdminException, urllib3.exceptions.HTTPError) as error:
                raise StoreError(f"s3://{self._bucket}: user {grant.user} not made: {str(error)[:300]}") from error
        return []


class VersityAdministration:
    """versitygw's admin API for users, and one policy of the bucket.

    Source: versitygw 1.8 `cmd/internal/gwcli/admin.go`: PATCH of an `<Account>`, signed as S3.
    """

    name = "versitygw's admin API"

    def __init__(self, store: S3Store, url: str) -> None:
        self._store, self._url = store, url.rstrip("/")
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)

    def grant(self, table: Sequence[Grant], keys: Keys) -> list[str]:
        """See `Admin.grant`; where the policy finds no room, stages share the right to write items."""
        for grant in table:
            access, secret = keys[grant.user]
            status, said = self._send("create-user", _element("Account", Access=access, Secret=secret, Role="user"))
            if status == 409:
                changes = _element("MutableProps", Secret=secret, Role="user")
                status, said = self._send(f"update-user?access={access}", changes)
            if status >= 400:
                raise StoreError(f"{self._url}: user {grant.user} not made: {status} {said[:200]}")
        named = [replace(g, user=keys[g.user][0]) for g in table]
        exact, coarse = (make(named, self._store.bucket) for make in (bucket_policy, coarse_bucket_policy))
        try:
            self._put_policy(exact)
        except StoreError:
            if coarse == exact:
                raise
            self._put_policy(coarse)
            names = {keys[g.user][0]: g.user for g in table}
            return [
                f"users: the store has no room for a policy of {len(as_sent(exact))} bytes, so these may write each "
                f"other's items: {', '.join(names[user] for user in statement['Principal'])}"
                for statement in coarse["Statement"]
                if statement not in exact["Statement"]
            ]
        return []

    def _put_policy(self, policy: dict[str, Any]) -> None:
        text = as_sent(policy)
        try:
            self._store.client.put_bucket_policy(Bucket=self._store.bucket, Policy=text)
        except (ClientError, BotoCoreError) as error:
            raise StoreError(
                f"{self._store.location}: the policy of {len(text)} bytes is refused ({error}); versitygw keeps it in "
                "an extended attribute: put its folder on XFS, or shorten the names of bucket and users"
            ) from error

    def _send(self, path: str, body: bytes) -> tuple[int, str]:
        request = AWSRequest("PATCH", f"{self._url}/{path}", data=body)
        S3SigV4Auth(own_keys(), "s3", self._store.settings.region).add_auth(request)
        try:
            answer = self._pool.request("PATCH", str(request.url), body=body, headers=dict(request.headers.items()))
        except urllib3.exceptions.HTTPError as error:
            raise StoreError(f"{self._url}: the admin API does not answer ({error})") from error
        return answer.status, answer.data.decode("utf-8", "replace")


def own_keys() -> ReadOnlyCredentials:
    """Return the keys that this process itself has, as boto3 finds them.

    Raises:
        StoreError: none.
    """
    found = boto3.session.Session().get_credentials()
    if found is None:
        raise StoreError("no keys: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE")
    return found.get_frozen_credentials()


def _element(name: str, **children: str) -> bytes:
    element = Element(name)
    for child, text in children.items():
        SubElement(element, child).text = text
    return tostring(element)
