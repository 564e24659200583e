"""What a command reaches and leaves, as the kernel saw it: strace's record of sockets and of new files."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
TRACED = "connect,sendto,sendmsg,sendmmsg,openat,open,creat,mkdir,mkdirat"

_INTERNET = re.compile(r"sa_family=AF_INET6?,.*?sin6?_port=htons\((?P<port>\d+)\)")
_LOOPBACK = re.compile(r'inet_addr\("127\.|"::1"|"::ffff:127\.')
_DNS_PORT = "53"
_RESOLVER_SOCKET = "resolve"  # systemd-resolved listens on a Unix socket of that name
_NEW_FILE = re.compile(
    r'^\S*\s*(?:open|openat|creat|mkdir|mkdirat)\((?:AT_FDCWD, |\d+[^,]*, )?"(?P<path>[^"]+)"(?P<rest>.*)$'
)
_SCRATCH = ("/dev/", "/proc/", "/sys/")


def foreign_sockets(record: str) -> list[str]:
    """Return the lines that reach beyond this computer, or that look a name up."""
    found = []
    for line in record.splitlines():
        internet = _INTERNET.search(line)
        if internet is not None:
            if not _LOOPBACK.search(line) or internet["port"] == _DNS_PORT:
                found.append(line)
        elif "AF_UNIX" in line and _RESOLVER_SOCKET in line:
            found.append(line)
    return found


def new_files(record: str) -> set[Path]:
    """Return the absolute paths of files and folders that were made or opened to be written."""
    paths = set()
    for line in record.splitlines():
        call = _NEW_FILE.match(line)
        if call is None or " = -1 " in line:
            continue
        makes = "creat(" in line or "mkdir" in line or "O_CREAT" in call["rest"]
        if makes and call["path"].startswith("/") and not call["path"].startswith(_SCRATCH):
            paths.add(Path(call["path"]))
    return paths


@dataclass
class Traced:
    """A place of its own for the commands of one test: a new home, and folders for temporary files and work."""

    folder: Path
    records: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "work"):
            (self.folder / name).mkdir()

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command of this environment (``colorize``, ...) under strace, as somebody who set nothing."""
        record = self.folder / f"strace-{len(self.records)}.txt"
        self.records.append(record)
        environment = {
            "HOME": str(self.home),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
        }
        strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-s", "256", "-e", f"trace={TRACED}", "-o", str(record)]
        return subprocess.Popen(
            [*strace, sys.executable, str(BIN / command[0]), *map(str, command[1:])],
            cwd=self.work,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *command: str | Path) -> str:
        """Run a command to its end and return what it said; it must succeed."""
        process = self.start(*command)
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0, said
        return said

    @property
    def record(self) -> str:
        """What all commands did, one system call a line."""
        return "\n".join(path.read_text(errors="replace") for path in self.records)

    def strange_files(self) -> list[Path]:
        """Return what lies, or was made, outside of our own folders and of the folder to work in."""
        made = new_files(self.record) | {path for path in self.home.rglob("*") if path.is_file()}
        ours = (self.folder / "tmp", self.work, self.home)
        outside = {path for path in made if not path.is_relative_to(self.folder)}
        at_home = {
            path
            for path in made
            if path.is_relative_to(self.home)
            and "colorize-server" not in path.parts
            and not (path.is_dir() and any(path.rglob("colorize-server")))
        }
        return sorted((outside | at_home) - set(ours))
