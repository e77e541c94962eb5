"""Cloudera AI runs this in a session: install the libraries for every workload of the project.

They go where its pip puts them, ``~/.local`` in the project's folder, which all workloads share.
Running it again installs only what changed.
"""

import subprocess
import sys

PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]


def main() -> None:
    """Install what the lock names; raises CalledProcessError when pip fails."""
    subprocess.run([*PIP, "--require-hashes", "-r", "requirements.txt"], check=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(f"The libraries are installed for Python {version}: start workloads with this version.")


if __name__ == "__main__":
    main()
