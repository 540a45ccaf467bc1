"""Run inside the image: does it serve, as the user and from the folders it has? Brings
a Valkey of its own; the database is SQLite, unless DATABASE_URL says otherwise."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, os.getcwd())
from helpdesk.embedded import Valkey

URL = f"http://127.0.0.1:{os.environ['PORT']}"
SECONDS = 60


def main() -> None:
    if os.getuid() == 0:
        sys.exit("The image runs as root.")
    if list(Path().glob("**/*secret_key*")):
        sys.exit("There is a secret in the image.")
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(60)
    os.environ["PUBLIC_URL"] = URL
    valkey = Valkey()
    os.environ["REDIS_URL"] = valkey.url
    try:
        subprocess.run(["python", "manage.py", "migrate", "-v", "0"], check=True)
        serve()
    finally:
        valkey.stop()


def serve() -> None:
    server = subprocess.Popen(["python", "-m", "helpdesk", "start"])
    try:
        wait_for(server)
        look()
        server.send_signal(signal.SIGTERM)
        if status := server.wait(SECONDS):
            sys.exit(f"The server ended with {status}.")
    finally:
        server.kill()
    sys.stdout.write("docker-check: the image serves\n")


def wait_for(server: subprocess.Popen[bytes]) -> None:
    for _ in range(SECONDS * 10):
        if server.poll() is not None:
            sys.exit(f"The server ended with {server.returncode}.")
        try:
            get("/healthz")
            return
        except urllib.error.URLError:
            threading.Event().wait(0.1)
    sys.exit("The server does not listen.")


def look() -> None:
    """A page, and what it needs."""
    expect("/readyz", "ready")
    page = expect("/accounts/login/", "csrfmiddlewaretoken")
    sheets = re.findall(r'href="(/static/[^"]+\.css)"', page)
    expect(sheets[0], "{")
    expect("/widget.js", "Helpdesk")
    expect("/agents/", "csrfmiddlewaretoken")  # by way of the log-in
    doctor = subprocess.run(
        ["python", "manage.py", "doctor", "--inside"],
        capture_output=True,
        text=True,
        check=False,
    )
    # Its first visitor has come just now; the clock has not been looked at yet.
    failed = [each for each in doctor.stdout.splitlines() if each.startswith("FAILED")]
    if [each for each in failed if "clock" not in each]:
        sys.exit(doctor.stdout)


def expect(path: str, words: str) -> str:
    text = get(path)
    if words not in text:
        sys.exit(f"{path} does not say {words!r}: {text[:500]}")
    return text


def get(path: str) -> str:
    with urllib.request.urlopen(URL + path, timeout=20) as answer:
        return str(answer.read().decode())


main()
