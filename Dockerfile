# fitcli without PyTorch, from the versions that requirements/ pins:
#
#     docker build --tag fitcli .
#     docker run --rm -v "$PWD:/v" fitcli analyze /v/set.mp4
#
# Sessions go to the volume /sessions; name it to keep them: -v fitcli-sessions:/sessions

FROM python:3.13-slim AS build
WORKDIR /fitcli
COPY requirements/ requirements/
RUN python -m venv /opt/fitcli \
    && /opt/fitcli/bin/pip install --no-cache-dir --require-hashes --requirement requirements/build.txt \
    && /opt/fitcli/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements/run.txt
COPY pyproject.toml setup.py README.md LICENSE NOTICE ./
COPY checkpoints/ checkpoints/
COPY fitcli/ fitcli/
RUN /opt/fitcli/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/fitcli /opt/fitcli
# Writable for everybody, so that `docker run --user` stores sessions too.
RUN useradd --uid 10001 --create-home fitcli && install --directory --mode 1777 /sessions
USER 10001
ENV PATH=/opt/fitcli/bin:$PATH FITCLI_SESSIONS=/sessions
VOLUME /sessions
WORKDIR /v
ENTRYPOINT ["fitcli"]
CMD ["--help"]
