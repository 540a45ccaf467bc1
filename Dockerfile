# A server process. It runs as a plain user, keeps uploads in /data and needs, from
# its environment: SECRET_KEY, PUBLIC_URL, DATABASE_URL, REDIS_URL (docs/operations.md).

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /venv
COPY requirements.txt /src/requirements.txt
RUN /venv/bin/python -m pip install -qq -r /src/requirements.txt
COPY . /srv/helpdesk
WORKDIR /srv/helpdesk
# Only names and contents of files matter here; no secret gets into the image.
RUN DEBUG=off DATA=/tmp/data STATIC_ROOT=/srv/static /venv/bin/python manage.py collectstatic --noinput \
    && /venv/bin/python -m compileall -q /srv/helpdesk

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home helpdesk \
    && install -d -o helpdesk -g helpdesk /data
COPY --from=build /venv /venv
COPY --from=build /srv/static /srv/static
COPY --from=build /srv/helpdesk /srv/helpdesk
WORKDIR /srv/helpdesk
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DEBUG=off \
    DATA=/data \
    STATIC_ROOT=/srv/static \
    HOST=0.0.0.0 \
    PORT=8000
USER helpdesk
VOLUME /data
EXPOSE 8000
# SIGTERM says goodbye to every socket first, which takes up to fifteen seconds.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["python", "-m", "helpdesk", "start"]
