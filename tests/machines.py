"""A machine with systemd that is asked through ``docker exec``, and pushes from within it."""

import contextlib
import json
import subprocess
import time

DEADLINE = 60.0
PUSHER = """\
import hashlib, hmac, http.client, json, os, sys, threading, time
secret = open("/etc/hookrunner/gitea.secret", "rb").read().strip()

def push(body):
    data = json.dumps(body).encode()
    door = http.client.HTTPConnection("127.0.0.1", 4665, timeout=30)
    door.request("POST", "/hooks/gitea", data, {
        "Content-Type": "application/json", "X-Gitea-Event": "push",
        "X-Gitea-Signature": hmac.new(secret, data, hashlib.sha256).hexdigest()})
    answer = door.getresponse()
    return answer.status, json.loads(answer.read())

def load(number):
    body = json.loads(os.environ["BODY"])
    while not os.path.exists("/root/load.stop"):
        body["after"] = hashlib.sha1(os.urandom(9)).hexdigest()
        body["ref"] = "refs/heads/nobody"
        try:
            status = push(body)[0]
        except Exception as error:
            status = type(error).__name__
        with lock:
            found[str(status)] = found.get(str(status), 0) + 1
        time.sleep(0.02)

if sys.argv[1:] == ["load"]:
    lock, found = threading.Lock(), {}
    threads = [threading.Thread(target=load, args=(n,)) for n in range(4)]
    [one.start() for one in threads], [one.join() for one in threads]
    print(json.dumps(found))
else:
    print(json.dumps(push(json.loads(os.environ["BODY"]))))
"""


class Machine:
    """A container with systemd, asked through ``docker exec``."""

    def __init__(self, url, container):
        self.container = container
        self.began = time.monotonic()
        self._docker = ["docker", "--host", url]

    def run(self, *words, check=True, env=None):
        """Run a command, and give what it printed, stderr too."""
        told = [f"--env={name}={value}" for name, value in (env or {}).items()]
        done = subprocess.run(
            [*self._docker, "exec", *told, self.container, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + self.log()
        return done.stdout.strip() if check else (done.returncode, done.stdout)

    def log(self):
        words = ["journalctl", "-u", "hookrunner*", "--no-pager", "-n", "40", "-o", "cat"]
        return "\n-- the journal\n" + self.run(*words, check=False)[1]

    def write(self, path, text):
        self.run("sh", "-c", 'printf %s "$TEXT" >"$0"', path, env={"TEXT": text})

    def until(self, *words, wanted):
        """Run a command again and again until it prints this."""
        deadline = time.monotonic() + DEADLINE
        while wanted not in (found := self.run(*words, check=False)[1]):
            assert time.monotonic() < deadline, found + self.log()

    def show(self, name, unit="hookrunner.service"):
        return self.run("systemctl", "show", unit, "--property", name, "--value")

    def push(self, body):
        status, answer = json.loads(
            self.run("python3", "/root/push", env={"BODY": json.dumps(body)})
        )
        assert status == 202, answer
        return answer

    def ready(self):
        self.until("hookrunner", "check", wanted="✓ server  it runs")

    @contextlib.contextmanager
    def load(self, body):
        """Push from several sides, each time by a new connection; what came of it."""
        self.run("rm", "-f", "/root/load.stop")
        found = {}
        with subprocess.Popen(
            [
                *(*self._docker, "exec", "--env", f"BODY={json.dumps(body)}"),
                *(self.container, "python3", "/root/push", "load"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        ) as pusher:
            try:
                yield found
            finally:
                self.run("touch", "/root/load.stop")
            found.update(json.loads(pusher.communicate(timeout=DEADLINE)[0]))
