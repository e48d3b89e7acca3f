"""The pack as the registry gives it out, made by comfy-cli from a copy of this checkout."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from helpers.http_host import REPOSITORY

CLI = Path(os.environ.get("COMFY_CLI", REPOSITORY / ".venv-comfy-cli" / "bin" / "comfy"))
SECONDS = 120
NOT_COPIED = (".git", ".venv*", "__pycache__", "*.egg-info", ".*_cache", "demo", "node.zip")


class Package:
    """A clone that only git and comfy-cli see; neither the network nor the user's own settings."""

    def __init__(self, folder: Path) -> None:
        self.clone, self.home = folder / "clone", folder / "home"
        shutil.copytree(REPOSITORY, self.clone, ignore=shutil.ignore_patterns(*NOT_COPIED))
        self.home.mkdir()
        self._run("git", "init", "--quiet")
        self._run("git", "add", "--all")

    def validate(self) -> str:
        """What `comfy node validate` says."""
        return self._run(str(CLI), "--skip-prompt", "node", "validate")

    def pack(self) -> Path:
        """The archive of `comfy node pack`."""
        self._run(str(CLI), "--skip-prompt", "node", "pack")
        return self.clone / "node.zip"

    def list_files(self) -> set[str]:
        """The repository's files."""
        return set(self._run("git", "ls-files").splitlines())

    def _run(self, *command: str) -> str:
        alone = {"HOME": str(self.home), "DO_NOT_TRACK": "1", "COLUMNS": "200"}
        ran = subprocess.run(
            command,
            cwd=self.clone,
            env=os.environ | alone,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        assert ran.returncode == 0, ran.stdout
        return ran.stdout


def unpack(archive: Path, folder: Path) -> Path:
    """Lay the archive's files into a folder, as an installation does."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder
