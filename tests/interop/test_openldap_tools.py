"""ldapadd, ldapmodify, ldapwhoami and their like, over LDAPS, StartTLS and SASL. The exit code is the result
code, but for extended operations. (ldapsearch: test_openldap_searches; ldappasswd: test_stock_extensions.)
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path

import pytest
from openldap_tools import add_person, ldif_text, modify, names, read, search
from plugins.served_instance import ADMINISTRATOR_PASSWORD, GLOBAL_USERS, Ran, user_dn
from quay import ADMINISTRATOR, BINARY, CERTIFIED, EAST, SASL_PLAIN, UNICODE, WEST, Quay, require_client

pytestmark = pytest.mark.usefixtures("stock_clients")

OTHER_USER = "aokafor"
NO_MECHANISM = "no mechanism available"


def whoami(quay: Quay, *arguments: str, url: str = "", **environment: str) -> Ran:
    """ldapwhoami with nothing but these arguments: the kind of bind is theirs to say."""
    return subprocess.run(
        ["ldapwhoami", "-H", url or quay.ldaps, *arguments],
        env={
            **os.environ,
            "LDAPTLS_CACERT": quay.authority,
            "LDAPTLS_REQCERT": "demand",
            "HOME": "/nonexistent",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def is_dn(dn: str) -> str:
    return f"dn:{dn}\n"


# Changes


def test_values_of_any_script_and_any_octets_come_back_as_they_went(quay: Quay, tmp_path: Path) -> None:
    dn = f"cn={UNICODE},{EAST}"
    photo = base64.b64encode(BINARY).decode()
    added = quay.served.client(
        "ldapadd",
        stdin=f"dn:: {base64.b64encode(dn.encode()).decode()}\nobjectClass: inetOrgPerson\nsn: {UNICODE}\n"
        f"jpegPhoto:: {photo}\n",
    )
    assert added.returncode == 0, added.stderr
    [(found, values)] = ldif_text(search(quay, EAST, f"(cn={UNICODE.upper()})"))
    assert found == dn
    assert values["cn"] == values["sn"] == [UNICODE.encode()]
    assert values["jpegPhoto"] == [BINARY]
    assert quay.served.client("ldapcompare", dn, f"jpegPhoto::{photo}").returncode in (6, 18)
    assert search(quay, dn, "-t", "-T", str(tmp_path), "(sn=zoë*⚓)").returncode == 0
    assert [file.read_bytes() for file in tmp_path.glob("*jpegPhoto*")] == [BINARY]


def test_a_value_keeps_the_options_of_its_type(quay: Quay) -> None:
    dn = add_person(quay, "optional")
    tagged = "add: description;lang-de\ndescription;lang-de: Schiff\n-\n"
    binary = "add: userCertificate;binary\nuserCertificate;binary:: AAEC\n-\n"
    assert modify(quay, f"dn: {dn}\nchangetype: modify\n{tagged}{binary}").returncode == 0
    [(_, values)] = ldif_text(
        search(quay, dn, "(description=SCHIFF)", "description", "userCertificate;binary")
    )
    assert values == {"description;lang-de": [b"Schiff"], "userCertificate;binary": [b"\0\1\2"]}
    assert read(quay, dn, "description;lang-fr") == {}


def test_one_file_of_changes_does_everything_that_changes_can(quay: Quay) -> None:
    dn = f"cn=changing,{EAST}"
    changed = modify(
        quay,
        f"""\
dn: {dn}
changetype: add
objectClass: inetOrgPerson
objectClass: extensibleObject
sn: first
provRetryLimit: 3
title: mate
title: cook

dn: {dn}
changetype: modify
replace: sn
sn: second
-
add: description
description: a
description: b
-
delete: title
title: COOK
-
increment: provRetryLimit
provRetryLimit: 4
-

dn: {dn}
changetype: modrdn
newrdn: cn=changed
deleteoldrdn: 1
newsuperior: {WEST}
""",
    )
    assert changed.returncode == 0, changed.stderr
    values = read(quay, f"cn=changed,{WEST}", "*")
    assert values["cn"] == [b"changed"]
    assert values["sn"] == [b"second"]
    assert values["description"] == [b"a", b"b"]
    assert values["title"] == [b"mate"]
    assert values["provRetryLimit"] == [b"7"]
    gone = modify(quay, f"dn: cn=changed,{WEST}\nchangetype: delete\n")
    assert gone.returncode == 0, gone.stderr
    assert search(quay, f"cn=changed,{WEST}").returncode == 32


def test_a_rename_keeps_or_drops_the_old_name(quay: Quay) -> None:
    dn = add_person(quay, "Old Name")
    assert quay.served.client("ldapmodrdn", dn, "cn=New Name").returncode == 0
    assert read(quay, f"cn=New Name,{EAST}", "cn")["cn"] == [b"Old Name", b"New Name"]
    moved = quay.served.client("ldapmodrdn", "-r", "-s", WEST, f"cn=New Name,{EAST}", "cn=Newest")
    assert moved.returncode == 0, moved.stderr
    assert read(quay, f"cn=Newest,{WEST}", "cn")["cn"] == [b"Old Name", b"Newest"]
    assert search(quay, f"cn=New Name,{EAST}").returncode == 32


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ("changetype: add\nobjectClass: inetOrgPerson\nsn: x\n", 68, "Already exists"),
        ("changetype: modify\nadd: title\ntitle: mate\n", 20, "Type or value exists"),
        ("changetype: modify\ndelete: description\n", 16, "No such attribute"),
        ("changetype: modify\nadd: noSuchType\nnoSuchType: x\n", 17, "Undefined attribute type"),
        (
            "changetype: modify\nadd: eTPropagatePassword\neTPropagatePassword: 1\n",
            65,
            "Object class violation",
        ),
        ("changetype: modify\nadd: seeAlso\nseeAlso: no name\n", 21, "Invalid syntax"),
        ("changetype: modify\ndelete: cn\ncn: faulty\n", 67, "not allowed on RDN"),
        ("changetype: modrdn\nnewrdn: cn=taken\ndeleteoldrdn: 1\n", 68, "Already exists"),
        ("changetype: modrdn\nnewrdn: no name\ndeleteoldrdn: 1\n", 34, "Invalid DN syntax"),
    ],
)
def test_a_refusal_is_reported_with_its_code_and_a_reason(
    quay: Quay, change: str, code: int, said: str
) -> None:
    faulty = f"cn=faulty,{EAST}"
    if search(quay, faulty, "-s", "base").returncode == 32:
        add_person(quay, "taken")
        add_person(quay, "faulty")
        assert modify(quay, f"dn: {faulty}\nchangetype: modify\nadd: title\ntitle: Mate\n").returncode == 0
    refused = modify(quay, f"dn: {faulty}\n{change}")
    assert refused.returncode == code
    assert f"{said} ({code})" in refused.stderr
    assert re.search(r"additional info: \S", refused.stderr)


def test_what_is_missing_is_named_with_the_last_name_that_was_found(quay: Quay) -> None:
    missing = quay.served.client("ldapdelete", f"cn=nobody,cn=nowhere,{EAST}")
    assert missing.returncode == 32
    assert f"matched DN: {EAST}\n" in missing.stderr


def test_work_goes_on_after_a_refusal_if_the_client_wants(quay: Quay) -> None:
    dn = add_person(quay, "carrying on")
    ldif = f"dn: cn=nobody,{EAST}\nchangetype: delete\n\ndn: {dn}\nchangetype: delete\n"
    assert modify(quay, ldif).returncode == 32
    assert names(search(quay, dn)) == [dn]
    assert modify(quay, ldif, "-c").returncode == 32
    assert search(quay, dn).returncode == 32


def test_a_subtree_is_deleted_from_its_leaves(quay: Quay) -> None:
    top = f"ou=felled,{EAST}"
    entries = [
        f"dn: {dn}\nobjectClass: organizationalUnit\n" for dn in (top, f"ou=a,{top}", f"ou=b,ou=a,{top}")
    ]
    assert quay.served.client("ldapadd", stdin="\n".join(entries)).returncode == 0
    assert quay.served.client("ldapdelete", top).returncode == 66
    assert quay.served.client("ldapdelete", "-r", top).returncode == 0
    assert search(quay, top).returncode == 32


def test_compare_says_yes_no_or_why_not(quay: Quay) -> None:
    dn = add_person(quay, "Compared")
    results = {
        question: quay.served.client("ldapcompare", dn, question).returncode
        for question in ("cn:COMPARED", "cn:another", "title:x", "noSuchType:x")
    }
    assert results == {"cn:COMPARED": 6, "cn:another": 5, "title:x": 16, "noSuchType:x": 17}


def test_what_is_asserted_is_asserted_of_every_operation(quay: Quay) -> None:
    dn = add_person(quay, "asserted")
    for tool, *words in (("ldapdelete", dn), ("ldapcompare", dn, "cn:asserted"), ("ldapmodrdn", dn, "cn=x")):
        refused = quay.served.client(tool, "-e", "!assert=(sn=another)", *words)
        assert "Assertion Failed (122)" in refused.stdout + refused.stderr
    holds = ("-e", "!assert=(sn=ASSERTED)")
    assert quay.served.client("ldapcompare", *holds, dn, "cn:asserted").returncode == 6
    deleted = quay.served.client("ldapdelete", *holds, "-e", "!preread=sn", dn)
    assert f"# ==> preread\ndn: {dn}\nsn: asserted\n# <== preread\n" in deleted.stdout


@pytest.mark.parametrize("control", ["noop", "relax", "chaining=chainingRequired"])
def test_a_change_with_a_critical_control_that_we_do_not_have_is_not_made(quay: Quay, control: str) -> None:
    dn = f"cn=never {control.partition('=')[0]},{EAST}"
    refused = quay.served.client(
        "ldapadd", "-e", f"!{control}", stdin=f"dn: {dn}\nobjectClass: inetOrgPerson\nsn: x\n"
    )
    assert refused.returncode == 12
    assert search(quay, dn).returncode == 32


# Identities


def test_an_administrator_sees_what_the_one_it_acts_as_sees(quay: Quay) -> None:
    told = quay.served.client("ldapexop", "-e", f"!authzid=dn:{user_dn(OTHER_USER)}", "whoami")
    assert told.stdout.rstrip("\n") == is_dn(user_dn(OTHER_USER)).rstrip("\n")
    seen = search(quay, GLOBAL_USERS, "-e", f"!authzid=u:{OTHER_USER}", "1.1")
    assert names(seen) == [user_dn(OTHER_USER)]
    refused = quay.served.client("ldapdelete", "-e", f"!authzid=u:{OTHER_USER}", user_dn("fgreco"))
    assert refused.returncode == 50


def test_sasl_plain_is_offered_under_tls_only(quay: Quay, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text(ADMINISTRATOR_PASSWORD)
    plain = ("-Y", "PLAIN", "-U", "etaadmin", "-y", str(file))
    told = whoami(quay, *plain)
    require_client(SASL_PLAIN, is_here=NO_MECHANISM not in told.stderr)
    assert told.stdout == is_dn(ADMINISTRATOR)
    assert whoami(quay, *plain, "-ZZ", url=quay.ldap).stdout == is_dn(ADMINISTRATOR)
    assert NO_MECHANISM in whoami(quay, *plain, url=quay.ldap).stderr


def test_sasl_external_is_offered_to_who_shows_a_certificate(quay: Quay) -> None:
    with_certificate = {"LDAPTLS_CERT": str(quay.certificate), "LDAPTLS_KEY": str(quay.key)}
    mine = is_dn(user_dn(CERTIFIED))
    assert whoami(quay, "-Y", "EXTERNAL", **with_certificate).stdout == mine
    assert whoami(quay, "-Y", "EXTERNAL", "-ZZ", url=quay.ldap, **with_certificate).stdout == mine
    assert NO_MECHANISM in whoami(quay, "-Y", "EXTERNAL").stderr


# Extended operations and connections


def test_an_extended_operation_that_we_do_not_have_is_a_protocol_error(quay: Quay) -> None:
    for operation in (("1.2.3.4:data",), ("refresh", EAST, "60")):
        assert "Protocol error (2)" in quay.served.client("ldapexop", *operation).stderr


def test_to_cancel_what_is_not_there_says_so(quay: Quay) -> None:
    assert "No Operation to Cancel (119)" in quay.served.client("ldapexop", "cancel", "99").stderr


def test_start_tls_protects_the_clear_text_port(quay: Quay) -> None:
    for option in ("-Z", "-ZZ"):
        assert quay.served.client("ldapwhoami", option, url=quay.ldap).stdout == is_dn(ADMINISTRATOR)
    again = quay.served.client("ldapwhoami", "-ZZ")
    assert again.returncode == 1, "it is under TLS already"
    assert "ldap_start_tls: Operations error (1)" in again.stderr


@pytest.mark.parametrize("port", ["ldap", "ldaps"])
def test_a_client_that_trusts_another_authority_does_not_go_on(quay: Quay, port: str) -> None:
    url = quay.served.url(port)
    words = ("-x", "-ZZ") if port == "ldap" else ("-x",)
    refused = whoami(quay, *words, url=url, LDAPTLS_CACERT=str(quay.stranger))
    assert refused.stdout == ""
    told = "Connect error (-11)" if port == "ldap" else "Can't contact LDAP server (-1)"
    assert told in refused.stderr
    assert whoami(quay, *words, url=url).stdout == "anonymous\n"
