"""The nearest honest alternatives to moves that are refused in Dockerfiles."""

from __future__ import annotations

from rewriters._dockerfile_places import COPIED, EXEC, FOREIGN, LABEL, ONBUILD, QUOTED, UNKNOWN, URL

__all__ = ["ALTERNATIVES", "ELSEWHERE", "INSTEAD", "WINDOWS"]

WINDOWS = (
    "secret mounts are for builds of Linux images, and this file is written for a Windows one",
    "download what needs the credential before the build, and copy it in",
)
ELSEWHERE = "have the program read the value from a variable that the deployment sets"
SHELL_FORM = 'use the shell form, or ["sh", "-c", "..."] with the variable in double quotes, then run this again'
ALTERNATIVES = {
    LABEL: "leave the value out of the label",
    ONBUILD: "put the instruction into the Dockerfiles that build on this image, then run this again",
    URL: "download it in a RUN with a secret mount",
    COPIED: "have the deployment mount the file or set the variable while the container runs",
    EXEC: SHELL_FORM,
    FOREIGN: "read the value from the environment by hand, and pass it with a secret mount",
    QUOTED: "leave out the quotes around the here-document's name, then run this again",
    UNKNOWN: "have the program read the value from its environment, and pass it with a secret mount",
}
INSTEAD = {
    "FROM": "leave it out of the image's name, and sign in to the registry where the image is built",
    "ONBUILD": ALTERNATIVES[ONBUILD],
}
