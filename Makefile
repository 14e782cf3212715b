# Two commands: `make demo` shows the main job, `make test` runs everything. Both need only Python 3.11, make and a C compiler.

PYTHON ?= $(shell tools/pick-python)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint servers docs fast test-fast clean

demo: $(VENV)/.installed
	@$(BIN)/provserver demo

test: $(VENV)/.installed-test servers $(VENV)/.installed-clients
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The pages under docs/reference are made from the code; a test fails when they are not what the code says.
docs: $(VENV)/.installed
	$(BIN)/python tools/reference.py

# The real servers and clients that tests speak to, and what python-ldap is built with. Without the right to install
# them those tests are skipped, and say so.
header = $(filter /usr/include/%,$(shell $(1) -c 'import sysconfig as s; print(s.get_config_var("INCLUDEPY") + "/Python.h:python" + s.get_python_version() + "-dev")'))
servers: $(VENV)/bin/python
	@tools/install-servers slapd:slapd ldapsearch:ldap-utils ns-slapd:389-ds-base certutil:libnss3-tools '/usr/lib/*/sasl2/libplain.so:libsasl2-modules' \
	    '/usr/lib/postgresql/*/bin/postgres:postgresql' mariadbd:mariadb-server sshd:openssh-server redis-server:redis-server \
	    samba:samba /usr/share/samba/setup/provision.ldif:samba-ad-provision '/usr/lib/*/samba/ldb/password_hash.so:samba-dsdb-modules' \
	    '/usr/lib/*/samba/vfs/xattr_tdb.so:samba-vfs-modules' kpasswd:krb5-user gpg:gnupg /usr/lib/python3/dist-packages/gpg:python3-gpg \
	    pamtester:pamtester '/usr/lib/*/libpam_wrapper.so:libpam-wrapper' '/usr/lib/*/security/pam_script.so:libpam-script' \
	    /usr/include/ldap.h:libldap-dev /usr/include/sasl/sasl.h:libsasl2-dev $(call header,$(BIN)/python)

# Fails for nobody: what is not installed is tried again the next time.
$(VENV)/.installed-clients: $(VENV)/.installed-test tools/install-clients tests/interop/ldapts/package-lock.json | servers
	@tools/install-clients $(VENV) && touch $@ || true

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { tools/pick-python; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }  # half a venv would look like one the next time

$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml constraints.txt
	@echo "installing provserver into $(VENV) ..."
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(PIP) install -c constraints.txt -e '.[test]'
	@touch $@

$(VENV)/.installed-lint: $(VENV)/.installed-test
	@$(PIP) install -c constraints.txt -e '.[test,lint]'
	@touch $@

# The fast form: the same sources compiled to C, as a wheel and in a venv of its own (docs/decisions/0009). FAST_TESTS
# takes less than all tests; they are run from here, but neither they nor what they start find the sources beside them.
FAST := .venv-fast
FAST_SOURCES := $(shell find provserver schema ldif tools/fast -type f ! -name '*.pyc')
FAST_TESTS ?= tests

fast: $(FAST)/.installed
	@echo "the fast form is in $(FAST); to install it elsewhere, on the same kind of machine: pip install $$(ls dist/*.whl)"

test-fast: $(FAST)/.installed servers $(FAST)/.installed-clients
	@PROVSERVER_FORM=compiled $(FAST)/bin/pytest -m 'not sources' $(FAST_TESTS) $(PYTEST_ARGS)

$(FAST)/.installed-tools: setup.cfg pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { tools/pick-python; exit 1; }
	@tools/install-servers $(call header,$(PYTHON))
	@$(PYTHON) tools/fast/ready.py
	@test -x $(FAST)/bin/python || $(PYTHON) -m venv $(FAST) || { rm -rf $(FAST); exit 1; }
	@echo "installing what compiles into $(FAST) ..."
	@$(FAST)/bin/python -m pip --disable-pip-version-check --quiet install -c constraints.txt -e '.[test,fast]'
	@touch $@

$(FAST)/.installed-clients: $(FAST)/.installed-tools tools/install-clients tests/interop/ldapts/package-lock.json | servers
	@tools/install-clients $(FAST) && touch $@ || true

$(FAST)/.installed: $(FAST)/.installed-tools $(FAST_SOURCES)
	@echo "compiling, which takes a minute or two ..."
	@$(FAST)/bin/python tools/fast/make_tree.py build/fast
	@rm -rf dist && $(FAST)/bin/python -m pip --disable-pip-version-check --quiet wheel --no-build-isolation --no-deps -w dist build/fast
	@$(FAST)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --force-reinstall dist/*.whl
	@touch $@

clean:
	rm -rf $(VENV) $(FAST) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
