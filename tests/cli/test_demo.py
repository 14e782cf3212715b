"""`provserver demo`: shows what it promises, with a real OpenLDAP server and without, and can be used."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from plugins.served_instance import COMMAND, Ran, command

from provserver.testing.slapd import require_slapd

PROMISED = (
    "eTTestPassword: ********",
    "eTSyncPassword: ********",
    "← 19 :ETA_E_9010<MAC>",
    "✓ result 19, and nothing was changed",
    "(accounts updated: 2, unchanged: 1, failures: 0)",
    "originating account",
    "propagation disabled on the endpoint",
    "holds the new password",
    "✓ Ada's global user has the new password",
    "✓ and the old one no longer works",
    "✓ success, as it must be for the host",
    "✓ and no new round of deliveries",
    "✓ result 53, Another password change is in progress.",
    "✓ result 53, with the reason",
    "Everything was delivered, and every refusal was the documented one.",
)


def shows_everything(done: Ran) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for text in PROMISED:
        assert text in done.stdout
    assert "✗" not in done.stdout
    for password in ("Quay-Lantern-41", "Sluice-Compass-86", "Another-Compass-87", "Gull-Ferry-Agent-11"):
        assert password not in done.stdout


def table(shown: str) -> list[list[str]]:
    """The accounts, what happened to each, and what its endpoint was asked."""
    rows: list[list[str]] = []
    for line in shown.splitlines():
        cells = [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]
        if len(cells) == 3 and cells[0].startswith("'") and rows:
            rows[-1] = [f"{before} {more}".strip() for before, more in zip(rows[-1], cells, strict=True)]
        elif len(cells) == 3:
            rows.append(cells)
    return rows[1:]


@pytest.mark.slapd
def test_once_shows_every_act_and_verifies_it_at_a_real_endpoint(tmp_path: Path) -> None:
    require_slapd()
    done = command("demo", "--once", environment={"TMPDIR": str(tmp_path)})
    shows_everything(done)
    assert "ldap-hq is a real OpenLDAP server on ldaps://" in done.stdout
    assert table(done.stdout) == [
        ["Active Directory Account 'Okafor, Ada' on 'AD-Corp'", "originating account", "nothing was sent"],
        [
            "CA-ACF2 Account 'OKAFOR1' on 'MVSPROD'",
            "propagation disabled on the endpoint",
            "nothing was sent",
        ],
        ["OpenLDAP Account 'aokafor' on 'ldap-hq'", "updated", "holds the new password"],
        ["UNIX - etc Account 'aokafor' on 'hpdev01'", "updated", "holds the new password"],
    ]
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_without_openldap_it_works_and_says_what_is_not_real(tmp_path: Path) -> None:
    """slapd is looked for on the PATH and where distributions put it; here it is nowhere."""
    program = (
        "import provserver.testing.slapd as s, sys; s._PROGRAMS = ()\n"
        "from provserver.cli.main import main; sys.exit(main(['demo', '--once']))"
    )
    environment = {**os.environ, "PATH": str(tmp_path), "TMPDIR": tempfile.gettempdir()}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    shows_everything(done)
    assert "OpenLDAP is not installed, so ldap-hq is emulated like the others" in done.stdout
    assert "apt-get install -y slapd" in done.stdout


def test_on_a_terminal_it_goes_on_serving_and_its_lines_can_be_pasted(
    tmp_path: Path, stock_clients: None
) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shown = _read_until(ours, lambda text: text.count("\nEND\n") == 2, 120)
        _, _, lines = shown.partition("(Ctrl-C here ends it):")
        lines = lines[lines.index("export ") :]
        assert lines.count("ldapsearch ") == 1
        assert lines.count("ldapmodify ") == 2
        pasted = subprocess.run(
            [shutil.which("bash") or "sh", "-e"],
            input=lines,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert pasted.returncode == 0, pasted.stderr
        assert "dn: eTADSAccountName=Boris Novak," in pasted.stdout
        assert pasted.stdout.count("modifying entry ") == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_until(terminal: int, enough: object, seconds: float) -> str:
    assert callable(enough)
    os.set_blocking(terminal, False)
    shown = b""
    deadline = time.monotonic() + seconds
    while not enough(shown.decode(errors="replace").replace("\r\n", "\n")):
        assert time.monotonic() < deadline, shown.decode(errors="replace")
        try:
            piece = os.read(terminal, 65536)
            assert piece, shown.decode(errors="replace")
            shown += piece
        except BlockingIOError:
            time.sleep(0.02)
    return shown.decode().replace("\r\n", "\n")
