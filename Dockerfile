# SketchZoo in a container:
#   docker build -t sketchzoo . && docker run -p 7860:7860 sketchzoo
# Behind a proxy, name the address whose X-Forwarded-For is trusted: -e FORWARDED_ALLOW_IPS=172.17.0.1

FROM python:3.11.14-slim-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /
# Annoy's setup would compile for this machine's processor only. These flags are for any.
ENV ANNOY_COMPILER_ARGS=-O3,-ffast-math,-fno-associative-math,-fpermissive,-std=c++14,-DANNOYLIB_MULTITHREADED_BUILD
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r /requirements.lock

FROM python:3.11.14-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcompris-qt-data tuxpaint-data \
        tuxpaint-stamps-default \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 zoo
COPY --from=build /venv /venv
WORKDIR /home/zoo/sketchzoo
RUN chown zoo:zoo .
COPY --chown=zoo:zoo app.py ./
COPY --chown=zoo:zoo assets assets
COPY --chown=zoo:zoo checkpoints checkpoints
COPY --chown=zoo:zoo model model
COPY --chown=zoo:zoo server server
USER 1000
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
# The gallery is indexed now, so that every start is a warm one.
RUN python -c "from server import startup as s; s.open_galleries(s.SHIPPED, None, s.ROOT / 'galleries')"
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/healthz', timeout=4)"]
CMD ["python", "app.py"]
