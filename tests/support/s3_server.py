"""A real S3 server on this machine's loopback, for tests: SeaweedFS from its wheel.

It checks signatures, so that wrong credentials are refused as on AWS. Everything that
it writes lies in one folder, and it ends with its context. This module knows nothing
of what tests put there.

    python tests/support/s3_server.py FOLDER IP

serves another address, in a network namespace say: prints the variables that lead
there and a new bucket's URI as JSON, and ends with its input.
"""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyarrow import fs

REGION = "us-east-1"
ACCESS_KEY = "galaxy-tests"
START_TIMEOUT_S = 240  # 6 s on an idle core
MAX_STARTS = 3  # a port may be taken between its choice and its use

UNSET_VARIABLES = (
    "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3",
)  # fmt: skip


class NotReadyError(Exception):
    """The server ended, or did not take an object in time."""


@dataclass(frozen=True)
class S3Server:
    """A running server and the key that opens it."""

    endpoint_url: str
    access_key: str = ACCESS_KEY
    secret_key: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead pyarrow, s3fs and the jobs to this server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",  # else who has no keys asks 169.254…
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def filesystem(self) -> fs.S3FileSystem:
        """Open the server directly, whatever the environment says."""
        return fs.S3FileSystem(
            access_key=self.access_key,
            secret_key=self.secret_key,
            region=REGION,
            endpoint_override=self.endpoint_url,
            allow_bucket_creation=True,
            allow_bucket_deletion=True,
            connect_timeout=2,
            request_timeout=10,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
        )

    def make_bucket(self) -> str:
        """Make a bucket that nobody else uses; returns its URI."""
        name = f"test-{secrets.token_hex(6)}"
        self.filesystem().create_dir(name)
        return f"s3://{name}"


@contextlib.contextmanager
def running_s3_server(folder: Path, ip: str = "127.0.0.1") -> Iterator[S3Server]:
    """Start a server whose data and log lie in a folder, and end it afterwards."""
    for attempt in range(1, MAX_STARTS + 1):
        home = folder / f"start-{attempt}"
        home.mkdir(parents=True)
        ports = _free_ports(8)
        server = S3Server(f"http://{ip}:{ports[0]}")
        with (home / "weed.log").open("wb") as log:
            process = subprocess.Popen(
                _command(home, server, ip, ports),
                stdout=log,
                stderr=log,
                cwd=home,
                env={**os.environ, "TMPDIR": str(home), "HOME": str(home)},
            )
        try:
            _wait_until_writable(server, process)
            yield server
            return
        except NotReadyError as error:
            if attempt == MAX_STARTS:
                log_tail = (home / "weed.log").read_text()[-3000:]
                raise NotReadyError(f"{error}\n{log_tail}") from error
        finally:
            process.kill()  # nothing in it is worth the 25 s of an orderly end
            process.wait()
            for port in ports:  # what it leaves behind, wherever TMPDIR points
                for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    path.unlink()


def _command(home: Path, server: S3Server, ip: str, ports: list[int]) -> list[str]:
    s3, s3_grpc, filer, filer_grpc, master, master_grpc, volume, volume_grpc = ports
    key = {"accessKey": server.access_key, "secretKey": server.secret_key}
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    identity = {"name": "tests", "credentials": [key], "actions": actions}
    identities = home / "s3.json"
    identities.write_text(json.dumps({"identities": [identity]}))
    (home / "data").mkdir()
    weed = Path(sys.executable).parent / "weed"
    return [
        *(str(weed), "-logtostderr=true", "server", f"-dir={home / 'data'}"),
        *(f"-ip={ip}", f"-ip.bind={ip}"),
        *("-s3", f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={identities}"),
        "-s3.autoCreateBucket=false",  # a missing bucket is an error, as on AWS
        *("-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}"),
        *(f"-master.port={master}", f"-master.port.grpc={master_grpc}"),
        *(f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}"),
        # Each bucket takes 7 volumes of its own.
        *("-volume.max=2000", "-master.volumeSizeLimitMB=64"),
    ]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


def _wait_until_writable(server: S3Server, process: subprocess.Popen[bytes]) -> None:
    """Wait for the first object: ports answer seconds before it can be written."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    problem = "no try yet"
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise NotReadyError(f"weed ended with {process.returncode}")
        try:
            filesystem = server.filesystem()
            filesystem.create_dir("ready")
            with filesystem.open_output_stream("ready/probe") as stream:
                stream.write(b"x")
        except OSError as error:
            problem = str(error)
            time.sleep(0.3)
        else:
            return
    raise NotReadyError(f"no object written in {START_TIMEOUT_S} s: {problem}")


def main() -> None:
    """Serve until standard input ends."""
    folder, ip = sys.argv[1:]
    with running_s3_server(Path(folder), ip) as server:
        told = {"environment": server.environment, "bucket": server.make_bucket()}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
