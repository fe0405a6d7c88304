"""A limit for the memory of one process and what it starts: a cgroup where one can be made, else RLIMIT_DATA."""

import os
import resource
import time
from contextlib import contextmanager
from pathlib import Path


def kilobytes(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


class DataLimit:
    """setrlimit(2): heap and anonymous maps of the process; what it is refused is no longer the kernel's to kill."""

    name = "RLIMIT_DATA"

    def __init__(self, size):
        self.size = size

    def enter(self):
        resource.setrlimit(resource.RLIMIT_DATA, (self.size, self.size))

    def peak(self, pid):
        return kilobytes(pid, "VmHWM") * 1024

    def kills(self):
        return 0

    def sockets(self):
        return None

    def remove(self):
        pass


class Cgroup:
    """Version 1 or 2, below the cgroup that this process is in."""

    def __init__(self, folder, name, limit, peak, events, sockets):
        self.folder, self.name = folder, name
        self._limit, self._peak, self._events, self._sockets = limit, peak, events, sockets
        self.size = 0

    def create(self, size):
        self.folder.mkdir()
        try:
            (self.folder / self._limit).write_text(str(size))
            self.size = size
        except OSError:
            self.remove()
            raise
        if self.name == "cgroup v1":  # which counts them only once there is a limit, and by themselves
            (self.folder / "memory.kmem.tcp.limit_in_bytes").write_text(str(1 << 40))

    def enter(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self, _):
        return int((self.folder / self._peak).read_text())

    def kills(self):
        counts = dict(line.split() for line in (self.folder / self._events).read_text().splitlines())
        return int(counts.get("oom_kill", 0))

    def sockets(self):
        return self._sockets(self.folder)

    def remove(self):
        for _ in range(50):  # those in it may take a moment to be gone
            try:
                return self.folder.rmdir()
            except OSError:
                time.sleep(0.1)


def memory_of_sockets_v1(folder):
    return int((folder / "memory.kmem.tcp.max_usage_in_bytes").read_text())


def memory_of_sockets_v2(folder):
    """Now, and not at most; counted in the limit."""
    counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return int(counts.get("sock", 0))


def own_cgroup(mount_type, is_the_one):
    """The folder of the cgroup that this process is in, in the hierarchy that `is_the_one` finds."""
    memberships = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    path = next(path for _, controllers, path in memberships if is_the_one(controllers.split(",")))
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mounted, kind, options, *_ = line.split()
        if kind == mount_type and (kind == "cgroup2" or "memory" in options.split(",")):
            return Path(mounted) / path.lstrip("/")
    raise FileNotFoundError(mount_type)


def candidates():
    name = f"fairlead-{os.getpid()}"
    yield lambda: Cgroup(own_cgroup("cgroup2", lambda controllers: controllers == [""]) / name, "cgroup v2",
                         "memory.max", "memory.peak", "memory.events", memory_of_sockets_v2)
    yield lambda: Cgroup(own_cgroup("cgroup", lambda controllers: "memory" in controllers) / name, "cgroup v1",
                         "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control",
                         memory_of_sockets_v1)


@contextmanager
def memory_limit(size):
    limit = None
    for candidate in candidates():
        try:
            limit = candidate()
            limit.create(size)
            break
        except (OSError, StopIteration):
            limit = None
    limit = limit or DataLimit(size)
    try:
        yield limit
    finally:
        limit.remove()
