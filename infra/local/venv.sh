#!/bin/sh
# Makes .venv from requirements.txt with the first Python that is new enough. $1: the one to use instead.
set -eu

fits='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
python=''
for candidate in ${1:-python3 python3.13 python3.14 python3.12 python3.11 python}; do
    if "$candidate" -c "$fits" >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    found=$("${1:-python3}" --version 2>&1 | head -n 1)
    echo "Python 3.11 or later with its venv module is needed; ${1:-python3} is: ${found:-missing}." >&2
    echo "Install one (Debian, Ubuntu: apt install python3.12-venv; macOS: brew install python@3.13) or name it: make PYTHON=/path/to/python3.12" >&2
    exit 2
fi

version=$("$python" -c 'import platform; print(platform.python_version())')
echo "Making the environment in .venv (Python $version, about a minute, once) ..."
rm -rf .venv
"$python" -m venv .venv
# Most of what is installed is never imported here, so it is not compiled.
if ! .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --require-hashes --only-binary :all: \
        --requirement requirements.txt; then
    echo "The packages could not be installed (see above). Check the network or the package registry and run the same command again." >&2
    exit 2
fi
# What every function imports is compiled now: each of the engine's cold starts would pay for it where bytecode may not be written.
for package in boto3 botocore urllib3 jmespath dateutil pydantic aws_lambda_powertools ministack; do
    .venv/bin/python -m compileall -q .venv/lib/python3*/site-packages/$package
done
