"""`verify` and `serve`, over files."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from shell import Cli, is_one_line, start

import facade
from facade.server import write_sample


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The sample, as an archive."""
    path = tmp_path / "sample.db"
    write_sample(path)
    return path


class TestVerify:
    """Whether an archive is what was put in."""

    def test_consistent(self, cli: Cli, archive: Path) -> None:
        """A consistent one is 0, and what is in it and missing is said."""
        code, out, err = cli("verify", str(archive))
        assert (code, err) == (0, "")
        assert "14 runs, 20 steps" in out
        assert "run_bakery_10" in out
        assert "not complete" in out

    @pytest.mark.parametrize("said", [None, b"", b"no database", b"SQLite format 3\0" + b"x" * 4096])
    def test_no_archive(self, cli: Cli, tmp_path: Path, said: bytes | None) -> None:
        """What is no archive, or is not there, is 16, in one line."""
        path = tmp_path / "odd.db"
        if said is not None:
            path.write_bytes(said)
        code, out, err = cli("verify", str(path))
        assert (code, out) == (16, "")
        assert is_one_line(err)

    def test_changed(self, cli: Cli, archive: Path) -> None:
        """A changed byte of an object is 16, and it is named."""
        content = archive.read_bytes()
        at = content.index(b'"run_bakery_03","object":"thread.run"')
        archive.write_bytes(content[: at + 20] + b"X" + content[at + 21 :])
        code, _, err = cli("verify", str(archive))
        assert code == 16
        assert "damaged" in err


class TestServe:
    """An archive over HTTP."""

    def test_until_ctrl_c(self, archive: Path, environment: dict[str, str]) -> None:
        """It says where it serves, answers as the archive has it, and ends by Ctrl-C."""
        with start("serve", str(archive), "--port", "0") as process:
            line = process.stdout.readline().decode()
            base = line.split(" at ")[1].split(" ")[0]
            assert line.startswith(f"Serving {archive} at http://127.0.0.1:")
            with facade.Client("any", api_base=base) as client:
                assert len(list(client.runs.all("thread_bakery"))) == 12
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130

    def test_elsewhere_wants_a_key(self, cli: Cli, archive: Path) -> None:
        """Elsewhere than on loopback it refuses to serve without a key, and names the variable."""
        os.environ.pop("THREAD_RUNS_SERVER_KEY", None)
        code, _, err = cli("serve", str(archive), "--host", "0.0.0.0")
        assert code == 2
        assert "THREAD_RUNS_SERVER_KEY" in err

    def test_a_taken_port(self, cli: Cli, archive: Path) -> None:
        """A port that another program has is said in one line, with what to do."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            code, _, err = cli("serve", str(archive), "--port", str(port))
        assert (code, err) == (1, f"thread-runs: port {port} is taken: give another with --port (0 takes a free one)\n")

    def test_no_archive(self, cli: Cli, tmp_path: Path) -> None:
        """A file that is not there is 16."""
        assert cli("serve", str(tmp_path / "nope.db"))[0] == 16


class TestPlaces:
    """Where things are written to."""

    @pytest.mark.parametrize("command", ["to-parquet", "to-jsonl", "to-conversations"])
    def test_a_file_in_the_place_of_a_folder(self, cli: Cli, archive: Path, tmp_path: Path, command: str) -> None:
        """It is named, and left as it is."""
        (tmp_path / "notes").write_text("mine")
        code, out, err = cli(command, str(archive), "--to", str(tmp_path / "notes"))
        assert (code, out, err) == (2, "", f"thread-runs: {str(tmp_path / 'notes')!r} is no folder: name one\n")
        assert (tmp_path / "notes").read_text() == "mine"
