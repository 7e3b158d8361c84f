"""nginx before a server that speaks no TLS: it can be reached as the real ones are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.nginx import CERTIFICATE, nginx

_CONFIG = """
daemon off;
worker_processes 2;
pid nginx.pid;
error_log errors.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_max_body_size 0;
  keepalive_requests 100000000;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  proxy_buffers 8 64k;
  proxy_buffer_size 64k;
  upstream behind { server %(behind)s; keepalive 256; }
  server {
    listen 127.0.0.1:%(port)d ssl backlog=4096;
%(certificate)s
    location / {
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }
}
"""


@contextmanager
def tls_front(folder: Path, url: str, certificate: Path) -> Iterator[str]:
    """Yields the URL of what passes everything on to ``url``; ``certificate`` is a PEM file with key."""
    values = {"behind": urlsplit(url).netloc, "certificate": CERTIFICATE % {"file": certificate}}
    with nginx(folder, _CONFIG, values) as port:
        yield f"https://127.0.0.1:{port}"
