"""What a package is made for: which program, which Debian, which kind of machine. No foreign program is ever run."""

from dataclasses import dataclass
from typing import Literal

Program = Literal["agent", "collector"]
PYTHON_OF_DEBIAN = {"12": "3.11", "13": "3.13"}
GLIBC_OF_DEBIAN = {"12": 36, "13": 41}
MACHINE_OF = {"amd64": "x86_64", "arm64": "aarch64"}
COMMAND_OF: dict[str, str] = {"agent": "edge-agent", "collector": "collector"}
PINS_OF = {"agent": "edge.txt", "collector": "collector.txt"}
CODE_OF = {"agent": "edge_agent", "collector": "collector"}


@dataclass(frozen=True)
class Target:
    """`version` is the project's own; `debian` 12 or 13; `architecture` as dpkg names it."""

    program: Program
    version: str
    debian: str
    architecture: str

    @property
    def python(self) -> str:
        """The Python of that Debian, such as 3.13."""
        return PYTHON_OF_DEBIAN[self.debian]

    @property
    def package(self) -> str:
        """The package's name."""
        return f"vonggac-{self.program}"

    @property
    def package_version(self) -> str:
        """`~debNN` sorts before nothing, so that Debian 13's build is newer than Debian 12's."""
        return f"{self.version}~deb{self.debian}"

    @property
    def stem(self) -> str:
        """File name without its ending."""
        return f"{self.package}_{self.package_version}_{self.architecture}"

    @property
    def home(self) -> str:
        """Where the release stands on the machine."""
        return f"/opt/vonggac/releases/{self.version}"

    def pip_options(self) -> list[str]:
        """What tells pip to choose wheels for that machine and not for this one."""
        machine, python = MACHINE_OF[self.architecture], self.python.replace(".", "")
        glibcs = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_OF_DEBIAN[self.debian], 16, -1)]
        tags = [*glibcs, f"manylinux2014_{machine}", f"linux_{machine}"]
        abis = [f"cp{python}", "abi3", "none"]
        return [
            "--only-binary=:all:", "--implementation=cp", f"--python-version={self.python}",
            *(f"--platform={tag}" for tag in tags),
            *(f"--abi={abi}" for abi in abis),
        ]  # fmt: skip
