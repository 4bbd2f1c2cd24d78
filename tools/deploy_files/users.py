"""Who has keys of the store: in tools/make_secrets.py, and in what Kubernetes hands to provisioning."""

from pathlib import Path

from landstream.provision.grants import grants
from tools.deploy_files.blocks import fill
from tools.deploy_files.project import ROOT, Files

SECRETS = Path("tools/make_secrets.py")
PROVISION = Path("k8s/base/provision.yaml")


def files() -> Files:
    """Return the list of users and their projected Secrets."""
    users = [grant.user for grant in grants()]
    names = "".join(f'    "{user}",\n' for user in users)
    projected = "".join(
        f"              - secret: {{name: landstream-{user}, items: [{{key: s3, path: {user}}}]}}\n" for user in users
    )
    return {
        SECRETS: fill((ROOT / SECRETS).read_text(), "users", names),
        PROVISION: fill((ROOT / PROVISION).read_text(), "credentials", projected),
    }
