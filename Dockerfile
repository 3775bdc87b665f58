# One image for every process; docker-compose.yml gives the command.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY requirements.txt /tmp/requirements.txt
RUN /venv/bin/pip install --require-hashes -r /tmp/requirements.txt

FROM python:3.11-slim
RUN groupadd --gid 10001 causeway \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin causeway \
    && install -d -m 0700 -o 10001 -g 10001 \
        /data /data/drops /data/files /data/spool /data/keys
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py ./
COPY portal ./portal
COPY imports ./imports
COPY exports ./exports
COPY templates ./templates
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data STATIC_ROOT=/app/static
RUN python manage.py collectstatic --noinput
USER 10001:10001
EXPOSE 8000 2222
CMD ["gunicorn", "portal.wsgi", "--bind", "0.0.0.0:8000", "--threads", "8"]
