"""A neighbour of the sandbox, run by the same user: whoever reaches it is written down in `touched`.

usage: victim.py FOLDER TOKEN
Prints what there is to reach, one JSON line, and stays until its standard input ends.
"""
import ctypes, json, os, signal, socket, sys, threading

folder, token = sys.argv[1], sys.argv[2]
touched = open(os.path.join(folder, "touched"), "ab", buffering=0)


def touch(what):
    touched.write(f"{what}\n".encode())


def accept(what, listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        touch(what)
        connection.close()


def receive(what, listener):
    while True:
        listener.recv(64)
        touch(what)


def serve(what, family, kind, address):
    listener = socket.socket(family, kind)
    listener.bind(address)
    if kind == socket.SOCK_STREAM:
        listener.listen()
    work = accept if kind == socket.SOCK_STREAM else receive
    threading.Thread(target=work, args=(what, listener), daemon=True).start()
    return listener


there = {"pid": os.getpid(), "tcp6": 0}
there["tcp"] = serve("tcp", socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0)).getsockname()[1]
there["udp"] = serve("udp", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)).getsockname()[1]
try:
    there["tcp6"] = serve("tcp6", socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)).getsockname()[1]
except OSError:
    pass
serve("unix", socket.AF_UNIX, socket.SOCK_STREAM, os.path.join(folder, "stream.sock"))
serve("unix-datagram", socket.AF_UNIX, socket.SOCK_DGRAM, os.path.join(folder, "datagram.sock"))
serve("abstract", socket.AF_UNIX, socket.SOCK_STREAM, "\0" + token)
serve("abstract-datagram", socket.AF_UNIX, socket.SOCK_DGRAM, "\0" + token + "-datagram")

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(0, 4096, 0o1600)
attached = libc.shmat(segment, None, 0)
ctypes.memmove(attached, token.encode(), len(token))
libc.shmctl(segment, 0, None)  # It goes when nobody is attached any more.
there["shm"] = segment
queue_name = f"/faos-{os.getpid()}"
queue = libc.mq_open(queue_name.encode(), os.O_RDWR | os.O_CREAT, 0o600, None)
there["mq"] = queue_name
there["posix"] = f"/dev/shm/faos-{os.getpid()}"
with open(there["posix"], "w") as shared:
    shared.write(token)
secret = ctypes.create_string_buffer(token.encode())
there["at"] = hex(ctypes.addressof(secret))
kept = open(os.path.join(folder, "secret.txt"))
there["fd"] = kept.fileno()

signal.signal(signal.SIGUSR1, lambda *_: touch("signal"))
print(json.dumps(there), flush=True)
try:
    sys.stdin.read()
finally:
    os.unlink(there["posix"])
    libc.mq_unlink(queue_name.encode())
