# The Lambda function's image: Debian's Python, the locked dependencies, the function. Each stage's
# result goes into the last one as one layer, the most stable first, so that a change of the
# function's own code pushes and caches a layer of some hundred kilobytes.
ARG BASE=debian:trixie-slim


FROM ${BASE} AS python
# The interpreter and the standard library, without pip, documentation or tests.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libpython3-stdlib python3-minimal >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* \
        /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log /var/log/alternatives.log


FROM python AS dependencies
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils python3-pip >/dev/null
# Root is the only user of a build.
ENV PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/build.lock requirements/image.lock ./
# Debian's interpreter finds this folder by itself. pyvips is published as source: it is built with
# the locked setuptools, outside isolation, which would fetch build tools that no lock names.
ARG SITE=/usr/local/lib/python3.13/dist-packages
RUN pip install --quiet --no-cache-dir --no-compile --require-hashes \
        --requirement build.lock --target /build/tools \
    && PYTHONPATH=/build/tools pip install --quiet --no-cache-dir --no-compile --require-hashes \
        --no-build-isolation --requirement image.lock --target ${SITE}
# The operations that the function calls, of botocore's 400 services: all that is left of its data.
COPY handler/__init__.py /build/handler/
COPY handler/aws /build/handler/aws
RUN python3 -B -m handler.aws.trim models
# Tests, type stubs, headers and commands are for development. botocore's documentation generator and
# urllib3's HTTP/2 are replaced by as much as their importers need. Of c2pa-python the library is
# called and no more: what its Python imports goes, and the library a second time, for Rust's linker.
RUN rm -r ${SITE}/botocore/data ${SITE}/bin ${SITE}/urllib3/contrib/pyopenssl.py \
    && for unused in certifi charset_normalizer idna requests toml; do \
        rm -r ${SITE}/${unused} ${SITE}/${unused}-*.dist-info; \
    done \
    && find ${SITE} -maxdepth 1 -name '*__mypyc*.so' -delete \
    && find ${SITE}/c2pa -type f ! -name __init__.py ! -name libc2pa_c.so -delete \
    && : >${SITE}/c2pa/__init__.py \
    && find ${SITE}/botocore/docs -type f ! -name utils.py -delete \
    && find ${SITE} -name '*.so*' -exec strip --strip-unneeded {} + \
    && find ${SITE} -type d \( -name tests -o -name test \) -prune -exec rm -r {} + \
    && find ${SITE} -type f \( -name '*.pyi' -o -name '*.h' -o -name '*.c' -o -name '*.pyx' \) -delete
COPY image/replaced ${SITE}
# Unchecked: nothing changes in an image, so that the interpreter need not even look at the source.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash ${SITE} \
    && chmod -R a+rX,go-w ${SITE}


FROM python AS function
COPY handler /var/task/handler
COPY imaging /var/task/imaging
COPY renditions.toml /var/task/
COPY image/start.sh image/start.py image/bundle.py /var/runtime/
COPY --from=dependencies /build/models /var/task/handler/aws/
# Lambda runs the function as a user of its own, who may read only what the world may; a checkout
# made under a strict umask would otherwise break it.
RUN --mount=type=bind,from=dependencies,source=/usr/local/lib/python3.13,target=/usr/local/lib/python3.13 \
    cd /var/runtime \
    && python3 -ISB -X no_debug_ranges bundle.py shared function zygote blocks \
    && python3 -c 'import py_compile; py_compile.compile("start.py", "start.pyc", doraise=True)' \
    && rm bundle.py start.py \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /var/task \
    && chmod -R a+rX,go-w /var/task /var/runtime


FROM python
# HEIC and AVIF: libheif with what decodes HEVC and AV1, with Debian's security updates; no encoder.
# HEVC=0 leaves out HEIC, for a function that must not touch what HEVC's patents cover: libheif works
# without the plug-in that its package depends on.
ARG HEVC=1
# libde265 alone is that of the next Debian, which takes a tenth less CPU (ADR 25); LIBDE265=stable
# takes the base's own. The check after it is against a mirror that hands out an older day.
ARG LIBDE265=forky
RUN --mount=type=bind,source=image/forky,target=/tmp/forky \
    if [ "${HEVC}" != 0 ] && [ "${LIBDE265}" != stable ]; then \
        cp /tmp/forky/forky.sources /etc/apt/sources.list.d/ \
        && cp /tmp/forky/forky.pref /etc/apt/preferences.d/; \
    fi \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends \
        libheif1 libheif-plugin-dav1d libheif-plugin-libde265 >/dev/null \
    && if [ "${HEVC}" = 0 ]; then \
        dpkg --force-depends --purge libheif-plugin-libde265 libde265-0 >/dev/null; \
    fi \
    && if [ -e /etc/apt/sources.list.d/forky.sources ]; then \
        dpkg --compare-versions "$(dpkg-query -Wf '${Version}' libde265-0)" ge 1.1.3 \
        && rm /etc/apt/sources.list.d/forky.sources /etc/apt/preferences.d/forky.pref; \
    fi \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* \
        /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
# Lambda takes snapshots of an initialised function only of images that say that this is safe:
# awslambdaric has the restore flow, and the function opens no connection before an event.
LABEL com.amazonaws.lambda.feature.snapstart="Allow"
LABEL org.opencontainers.image.title="renditions"
LABEL org.opencontainers.image.licenses="Apache-2.0"
# glibc makes an arena for each thread that allocates, up to eight a core, and libvips has many
# threads: in a long-lived execution environment the freed pixels of one photo lie in arenas that
# the next one does not use. Peak after five photos of 24 and one of 200 megapixels: 146 MB without
# a limit, 119 with two arenas, 107 with one; no difference in time.
ENV MALLOC_ARENA_MAX=2
# UTF-8 all the same (PEP 540), without a third of a megabyte of locale to read at start.
ENV LC_ALL=C
WORKDIR /var/task
COPY --from=dependencies /usr/local/lib/python3.13/dist-packages /usr/local/lib/python3.13/dist-packages
COPY --from=function /var/runtime /var/runtime
COPY --from=function /var/task /var/task
# Lambda runs it as a user of its own; where anything else runs it, that is not root either.
USER 65532:65532
ENTRYPOINT ["/bin/sh", "/var/runtime/start.sh"]
CMD ["handler.app.lambda_handler"]
