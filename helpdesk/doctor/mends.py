"""The lines of a proxy's configuration (docs/operations.md has all of it) and what each
of them is for."""

from __future__ import annotations

UPSTREAM = (
    "nginx: proxy_pass http://127.0.0.1:8000;  (where the server listens: HOST, PORT)",
    "Caddy: reverse_proxy 127.0.0.1:8000",
)
LISTENING = (
    "nginx: listen 443 ssl;  and in the same block  server_name <the public host>;",
    "Caddy: <the public host> { reverse_proxy 127.0.0.1:8000 }",
)
CERTIFICATE = (
    "nginx: ssl_certificate <the chain, not the certificate alone>;",
    "Caddy: fetches one by itself when ports 80 and 443 of this host reach it",
)
HOST = (
    "nginx: proxy_set_header Host $http_host;",
    "Caddy: passes it on; remove `header_up Host …`",
)
FORWARDED_PROTO = (
    "nginx: proxy_set_header X-Forwarded-Proto $scheme;",
    "Caddy: sends it; remove `header_up -X-Forwarded-Proto`",
)
FORWARDED_FOR = (
    "nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "Caddy: sends it; remove `header_up -X-Forwarded-For`",
)
REDIRECTS = (
    "nginx: proxy_redirect off;  and  proxy_set_header Host $http_host;",
    "Caddy: remove `header_down Location …`",
)
TO_HTTPS = (
    "nginx: server { listen 80; return 301 https://$host$request_uri; }",
    "Caddy: redirects by itself; remove `auto_https disable_redirects`",
)
UPGRADE = (
    "nginx: proxy_http_version 1.1;"
    "  proxy_set_header Upgrade $http_upgrade;"
    "  proxy_set_header Connection $connection_upgrade;",
    "Caddy: reverse_proxy passes WebSockets on; remove `header_up -Upgrade` and"
    " `header_up -Connection`, and see that no other `handle` takes /ws/*",
)
ORIGIN = (
    "nginx: remove `proxy_set_header Origin …`; keep proxy_set_header Host $http_host;",
    "Caddy: remove `header_up Origin …` and `header_up Host …`",
)
UNBUFFERED = (
    "nginx: proxy_buffering off;",
    "Caddy: reverse_proxy { flush_interval -1 }",
)
SILENCE = (
    "nginx: proxy_read_timeout 120s;  (and proxy_send_timeout 120s;)",
    "Caddy: reverse_proxy { transport http { read_timeout 120s  write_timeout 120s } }"
    ", or none of these lines, and no `stream_timeout`",
)
BODY = (
    "nginx: client_max_body_size 11m;",
    "Caddy: request_body { max_size 11MB }",
)
WHOLE_BODY = (
    "nginx: client_body_timeout 60s;  proxy_request_buffering on;",
    "Caddy: remove what rewrites bodies (`request_body`, plugins) before reverse_proxy",
)
STATIC = (
    "the server: python manage.py collectstatic --noinput, with the server's DATA and"
    " STATIC_ROOT",
    "nginx: remove `location /static/ { … }`, or let its root be STATIC_ROOT",
    "Caddy: remove `handle /static/*` and `file_server`",
)
HEADERS = (
    "nginx: remove `proxy_hide_header …` and `add_header …` of that name",
    "Caddy: remove `header …` and `header_down …` of that name",
)
CACHED = (
    "nginx: remove `proxy_cache …`, `proxy_ignore_headers …` and `expires …`",
    "Caddy: remove the cache before reverse_proxy",
)
