"""stat, statx and statfs records in arm64's layout."""

from __future__ import annotations

import os
import stat
import struct
import zlib
from dataclasses import dataclass

STAT_SIZE = 128
STATX_SIZE = 256
STATX_BASIC_STATS = 0x7FF


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What stat() tells. Times are nanoseconds since 1970, sizes bytes, `blocks` units of 512 bytes."""

    mode: int
    size: int
    inode: int
    device: int = 1
    links: int = 1
    uid: int = 0
    gid: int = 0
    rdev: int = 0
    blocks: int = 0
    atime: int = 0
    mtime: int = 0
    ctime: int = 0

    @classmethod
    def from_host(cls, info: os.stat_result) -> FileStatus:
        """The host's answer; files of the host's user belong to the guest's user 0."""
        return cls(
            mode=info.st_mode,
            size=info.st_size,
            inode=info.st_ino,
            device=info.st_dev & 0xFFFF_FFFF,
            links=info.st_nlink,
            uid=0 if info.st_uid == os.getuid() else info.st_uid,
            gid=0 if info.st_gid == os.getgid() else info.st_gid,
            rdev=getattr(info, "st_rdev", 0),
            blocks=getattr(info, "st_blocks", (info.st_size + 511) // 512),
            atime=info.st_atime_ns,
            mtime=info.st_mtime_ns,
            ctime=info.st_ctime_ns,
        )

    def pack(self) -> bytes:
        """struct stat (128 bytes)."""
        return struct.pack(
            "<QQIIIIQQqiiqqqqqqqII",
            self.device,
            self.inode,
            self.mode,
            self.links,
            self.uid & 0xFFFF_FFFF,
            self.gid & 0xFFFF_FFFF,
            self.rdev,
            0,
            self.size,
            4096,
            0,
            self.blocks,
            *_timespec(self.atime),
            *_timespec(self.mtime),
            *_timespec(self.ctime),
            0,
            0,
        )

    def pack_statx(self) -> bytes:
        """struct statx (256 bytes) with the basic fields."""
        head = struct.pack(
            "<IIQIIIHHQQQQ",
            STATX_BASIC_STATS,
            4096,
            0,
            self.links,
            self.uid & 0xFFFF_FFFF,
            self.gid & 0xFFFF_FFFF,
            self.mode,
            0,
            self.inode,
            self.size,
            self.blocks,
            0,
        )
        zero = (0, 0)
        times = b"".join(
            struct.pack("<qIi", *time, 0)
            for time in (_timespec(self.atime), zero, _timespec(self.ctime), _timespec(self.mtime))
        )
        tail = struct.pack("<IIII", os.major(self.rdev), os.minor(self.rdev), 0, self.device & 0xFF)
        return (head + times + tail).ljust(STATX_SIZE, b"\0")


def _timespec(nanoseconds: int) -> tuple[int, int]:
    return nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000


def _inode(path: str) -> int:
    return zlib.crc32(path.encode(errors="surrogateescape")) + 1


def directory_status(path: str) -> FileStatus:
    """A read-only directory made by the emulator."""
    return FileStatus(mode=stat.S_IFDIR | 0o555, size=0, inode=_inode(path), links=2)


def link_status(path: str, size: int) -> FileStatus:
    """A symbolic link made by the emulator."""
    return FileStatus(mode=stat.S_IFLNK | 0o777, size=size, inode=_inode(path))


def file_status(path: str, size: int, mode: int = stat.S_IFREG | 0o444, rdev: int = 0) -> FileStatus:
    """A file or device made by the emulator."""
    return FileStatus(mode=mode, size=size, inode=_inode(path), rdev=rdev)
