"""Images that are known to read a variable from the file that `NAME_FILE` names.

Sources: the images' own pages on Docker Hub (postgres, mysql, mariadb, mongo, wordpress: "Docker Secrets"); Grafana
documentation, "Configure a Grafana Docker image" (`GF_..__FILE`). Postgres and its kind end with an error when both
`NAME` and `NAME_FILE` are set, and drop line feeds at the file's end.
"""

from __future__ import annotations

import re

__all__ = ["file_variable"]

_MYSQL = r"MYSQL_(?:ROOT_PASSWORD|PASSWORD|USER|DATABASE)"
_KNOWN = {
    "postgres": re.compile(r"POSTGRES_(?:PASSWORD|USER|DB)\Z"),
    "mysql": re.compile(_MYSQL + r"\Z"),
    "mariadb": re.compile(rf"(?:{_MYSQL}|MARIADB_(?:ROOT_PASSWORD|PASSWORD|USER|DATABASE))\Z"),
    "mongo": re.compile(r"MONGO_INITDB_ROOT_(?:PASSWORD|USERNAME)\Z"),
    "wordpress": re.compile(
        r"WORDPRESS_(?:DB_(?:PASSWORD|USER|NAME|HOST)|(?:AUTH|SECURE_AUTH|LOGGED_IN|NONCE)_(?:KEY|SALT))\Z"
    ),
    "grafana/grafana": re.compile(r"GF_[A-Z0-9_]+\Z"),
    "grafana/grafana-oss": re.compile(r"GF_[A-Z0-9_]+\Z"),
    "grafana/grafana-enterprise": re.compile(r"GF_[A-Z0-9_]+\Z"),
}
_HOSTS = ("docker.io/library/", "docker.io/", "index.docker.io/library/", "library/")


def file_variable(image: str, name: str) -> str:
    """The variable that names a file instead of `name`; empty when the image is not known to read one."""
    bare = image.partition("@")[0]
    head, slash, last = bare.rpartition("/")
    repository = head + slash + last.partition(":")[0]
    for host in _HOSTS:
        repository = repository.removeprefix(host)
    known = _KNOWN.get(repository)
    if known is None or not known.match(name) or name.endswith("_FILE"):
        return ""
    return name + ("__FILE" if repository.startswith("grafana/") else "_FILE")
