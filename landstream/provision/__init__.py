"""Provisioning: what the services need of a store and of Kafka, made or asked for, and proved by a canary."""

from landstream.provision.provision import NotReady, ProvisionSettings, provision

__all__ = ["NotReady", "ProvisionSettings", "provision"]
