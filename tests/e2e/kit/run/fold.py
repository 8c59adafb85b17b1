"""A file system over a directory, by FUSE: `fold.py MOUNT ROOT LOG`. Names that differ only in case or in their Unicode form
are one name, as on the disk of a Mac. What is fsynced is logged."""
import ctypes, errno, os, struct, sys, unicodedata

mount, root, log = sys.argv[1], sys.argv[2], open(sys.argv[3], "a", buffering=1)
libc = ctypes.CDLL(None, use_errno=True)
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
if libc.mount(b"fold", mount.encode(), b"fuse", 0, options.encode()) != 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))

paths, files, last = {1: root}, {}, [1]


def fold(name):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def find(parent, name):
    path = os.path.join(paths[parent], name)
    if not os.path.lexists(path):
        for entry in os.listdir(paths[parent]):
            if fold(entry) == fold(name):
                return os.path.join(paths[parent], entry)
    return path


def node(path):
    for known, there in paths.items():
        if there == path:
            return known
    last[0] += 1
    paths[last[0]] = path
    return last[0]


def attr(there):
    return struct.pack("<6Q10I", there.st_ino, there.st_size, there.st_blocks, int(there.st_atime), int(there.st_mtime),
                       int(there.st_ctime), 0, 0, 0, there.st_mode, there.st_nlink, there.st_uid, there.st_gid, 0, 4096, 0)


def entry(path):
    there = os.lstat(path)
    return struct.pack("<4Q2I", node(path), 0, 0, 0, 0, 0) + attr(there)


def opened(fd):
    last[0] += 1
    files[last[0]] = fd
    return struct.pack("<QII", last[0], 0, 0)


def names(data):
    return [part.decode() for part in data.rstrip(b"\0").split(b"\0")]


def moved(old, new):
    for known, there in list(paths.items()):
        if there == new:
            del paths[known]
    for known, there in paths.items():
        if there == old or there.startswith(old + "/"):
            paths[known] = new + there[len(old):]


def answer(code, at, data):
    if code == 26:
        return struct.pack("<4I2H2I2H2I6I", 7, 31, 65536, 1 << 5, 8, 8, 65536, 1, 0, 0, 0, 0, *[0] * 6)
    if code == 1:
        return entry(find(at, names(data)[0]))
    if code == 3:
        return struct.pack("<QII", 0, 0, 0) + attr(os.lstat(paths[at]))
    if code == 4:
        valid, _, fh, size = struct.unpack_from("<IIQQ", data)
        mode = struct.unpack_from("<I", data, 68)[0]
        if valid & 1:
            os.chmod(paths[at], mode & 0o7777)
        if valid & 8:
            os.truncate(paths[at], size)
        return struct.pack("<QII", 0, 0, 0) + attr(os.lstat(paths[at]))
    if code == 9:
        mode, umask = struct.unpack_from("<II", data)
        path = find(at, names(data[8:])[0])
        os.mkdir(path, mode & ~umask)
        return entry(path)
    if code in (10, 11):
        path = find(at, names(data)[0])
        (os.unlink if code == 10 else os.rmdir)(path)
        for known in [known for known, there in paths.items() if there == path]:
            del paths[known]
        return b""
    if code in (12, 45):
        to, flags = struct.unpack_from("<QI", data) if code == 45 else (struct.unpack_from("<Q", data)[0], 0)
        old, new = names(data[16 if code == 45 else 8:])
        old, new = find(at, old), find(to, new)
        if flags & 1 and os.path.lexists(new):
            raise OSError(errno.EEXIST, "there")
        os.rename(old, new)
        moved(old, new)
        return b""
    if code == 13:
        old, path = struct.unpack_from("<Q", data)[0], find(at, names(data[8:])[0])
        os.link(paths[old], path)
        return entry(path)
    if code == 14:
        return opened(os.open(paths[at], struct.unpack_from("<I", data)[0] & ~(os.O_NOFOLLOW | os.O_EXCL | os.O_CREAT)))
    if code == 35:
        flags, mode, umask, _ = struct.unpack_from("<4I", data)
        path = find(at, names(data[16:])[0])
        fd = os.open(path, flags | os.O_CREAT, mode & ~umask)
        return entry(path) + opened(fd)
    if code == 15:
        fh, offset, size = struct.unpack_from("<QQI", data)
        return os.pread(files[fh], size, offset)
    if code == 16:
        fh, offset, size = struct.unpack_from("<QQI", data)
        return struct.pack("<II", os.pwrite(files[fh], data[40:40 + size], offset), 0)
    if code == 17:
        s = os.statvfs(root)
        return struct.pack("<5Q10I", s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree, s.f_bsize, 255, s.f_frsize, *[0] * 7)
    if code in (18, 29):
        fd = files.pop(struct.unpack_from("<Q", data)[0])
        if isinstance(fd, int):
            os.close(fd)
        return b""
    if code in (20, 30):
        log.write(f"fsync {os.path.relpath(paths[at], root)}\n")
        if code == 20:
            os.fsync(files[struct.unpack_from("<Q", data)[0]])
        return b""
    if code in (25, 34):
        return b""
    if code == 27:
        return opened([".", ".."] + sorted(os.listdir(paths[at])))
    if code == 28:
        fh, offset, size = struct.unpack_from("<QQI", data)
        out = b""
        for number, name in enumerate(files[fh][offset:], offset + 1):
            raw = name.encode()
            one = struct.pack("<QQII", 1, number, len(raw), 0) + raw
            one += b"\0" * (-len(one) % 8)
            if len(out) + len(one) > size:
                break
            out += one
        return out
    raise OSError(errno.ENOSYS, "not here")


print("ready", flush=True)
while True:
    try:
        request = os.read(device, 1 << 18)
    except OSError as error:
        if error.errno == errno.ENODEV:
            break
        continue
    _, code, unique, at = struct.unpack_from("<IIQQ", request)
    if code in (2, 36, 42):
        continue
    try:
        error, out = 0, answer(code, at, request[40:])
    except OSError as failure:
        error, out = -failure.errno, b""
    except KeyError:
        error, out = -errno.ESTALE, b""
    os.write(device, struct.pack("<IiQ", 16 + len(out), error, unique) + out)
