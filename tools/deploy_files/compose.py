"""docker-compose.yml: a service and a secret for each service, and secrets of the other users."""

from pathlib import Path

from landstream.provision.grants import grants
from shared.stage import registry
from shared.stage.deployment import Service
from tools.deploy_files.blocks import fill
from tools.deploy_files.project import ROOT, Files, image

PATH = Path("docker-compose.yml")


def files() -> Files:
    """Return the compose file."""
    services = registry.all_services()
    text = fill((ROOT / PATH).read_text(), "services", "\n".join(map(service, services)))
    users = [grant.user for grant in grants()]
    secrets = "".join(f"  {user}: {{file: ./docker/secrets/users/{user}}}\n" for user in users)
    return {PATH: fill(text, "secrets", secrets)}


def service(each: Service) -> str:
    """Return the block of one service."""
    extras = f'"{each.extra}"' if not each.extra else each.extra
    lines = [
        f"{each.name}:",
        "  <<: *landstream",
        f"  image: {image(each.name)}",
        f"  build: {{<<: *{each.deployment.image}, args: {{EXTRAS: {extras}}}}}",
        f"  command: [{', '.join(each.command)}]",
        *environment(each),
        f"  secrets: [{{source: {each.name}, target: aws}}]",
        *(ports(each) if each.ports else ()),
        *(volumes(each) if each.volumes else ()),
        f"  mem_limit: {size(each.deployment.memory_limit_mb)}",
    ]
    return "".join(f"  {line}\n" for line in lines)


def environment(each: Service) -> list[str]:
    """Return the environment; a variable without a value is handed on where it is set."""
    common = f"<<: *environment, LANDSTREAM_INSTANCE: {each.name}"
    if not each.variables:
        return [f"  environment: {{{common}}}"]
    handed = (f"    {variable}:" for variable in each.variables)
    return ["  environment:", "    <<: *environment", f"    LANDSTREAM_INSTANCE: {each.name}", *handed]


def ports(each: Service) -> list[str]:
    """Return the ports, which this machine alone may ask."""
    bound = ", ".join(f'"127.0.0.1:{port}:{port}"' for port in each.ports.values())
    return [f"  ports: [{bound}]"]


def volumes(each: Service) -> list[str]:
    """Return the volumes: scratch, and what is kept or shared."""
    named = ", ".join(f'"{name}:{folder}"' for name, folder in each.volumes.items())
    return [f"  volumes: [/work, {named}]"]


def size(mb: int) -> str:
    """Return memory in MiB as the compose file writes it."""
    return f"{mb // 1024}g" if mb % 1024 == 0 else f"{mb}m"
