"""An S3 endpoint that takes every upload and keeps nothing: what is measured against it is the client alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.nginx import CERTIFICATE, nginx

_LOG = "puts.log"

_DOCUMENTS = {
    "^POST uploads": "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    "^POST .*uploadId=": '<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>',
    "^GET location": "<LocationConstraint/>",
    "^GET uploads": "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>",
    "^GET ": "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>",
}
"""What is answered to a method and query; the first that matches."""

# A body is read and dropped after the answer; the long lingering times let that happen on a connection that stays open.
# HEAD finds every bucket and no object.
_CONFIG = """
%(modules)s
daemon off;
master_process off;
pid nginx.pid;
error_log errors.log warn;
events { worker_connections 8192; }
http {
  client_body_temp_path bodies;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  keepalive_requests 100000000;
  keepalive_timeout 300s;
  lingering_time 900s;
  lingering_timeout 90s;
  default_type application/xml;
  log_format puts '$msec $request_method $status';
  access_log %(log)s;
  map "$request_method $args" $document {
%(documents)s
  }
  server {
    listen 127.0.0.1:%(port)d%(tls)s backlog=8192;
%(certificate)s
    add_header ETag '"00000000000000000000000000000000"' always;
    location ~ ^/[^/]+/?$ { return 200 $document; }
    location / {
      if ($request_method = HEAD) { return 404; }
%(answer)s
    }
  }
}
"""


_MODULES = "load_module %(folder)s/ndk_http_module.so;\nload_module %(folder)s/ngx_http_lua_module.so;"
_AT_ONCE = "return 200 $document;"
_LATER = "content_by_lua_block { ngx.sleep(%g); ngx.print(ngx.var.document) }"


class NullS3:
    """A running endpoint. ``first_put_at`` is when it had the first object, if it was started with a log."""

    def __init__(self, endpoint_url: str, folder: Path) -> None:
        self.endpoint_url = endpoint_url
        self._log = folder / _LOG

    def first_put_at(self) -> float:
        """Seconds since the epoch at which the first PUT was answered; ValueError if there was none."""
        with self._log.open() as lines:
            return min(float(line.split()[0]) for line in lines if " PUT 200" in line)


@contextmanager
def null_s3(
    folder: Path, *, log: bool = False, delay_seconds: float = 0.0, certificate: Path | None = None
) -> Iterator[NullS3]:
    """Run it on a free port of loopback with its files in ``folder``; raise SystemExit if there is no nginx.

    ``certificate``: a PEM file with key and certificate, to speak TLS with. ``delay_seconds`` pass before each answer
    about an object, as on a long line; that takes nginx's Lua module.
    """
    documents = "\n".join(f"    \"~{pattern}\" '{document}';" for pattern, document in _DOCUMENTS.items())
    values = {
        "tls": " ssl" if certificate else "",
        "certificate": CERTIFICATE % {"file": certificate} if certificate else "",
        "log": f"{_LOG} puts" if log else "off",
        "documents": documents,
        "modules": _MODULES % {"folder": _module_folder()} if delay_seconds else "",
        "answer": _LATER % delay_seconds if delay_seconds else _AT_ONCE,
    }
    with nginx(folder, _CONFIG, values) as port:
        yield NullS3(f"{'https' if certificate else 'http'}://127.0.0.1:{port}", folder)


def _module_folder() -> Path:
    """Where nginx keeps its modules; SystemExit if the Lua module is not there."""
    for folder in map(Path, ("/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules")):
        if (folder / "ngx_http_lua_module.so").exists():
            return folder
    raise SystemExit("Answers that take time need nginx's Lua module: apt-get install libnginx-mod-http-lua")
