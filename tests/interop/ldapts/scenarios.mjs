// What a Node.js program does with ldapts. Each scenario is one test: test_ldapts.py runs it by its name,
// `node scenarios.mjs NAME`, and says on standard input where the server is. A scenario fails by throwing.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const place = JSON.parse(await text(process.stdin));
// The package is installed beside the virtual environment's other contents, not beside this file.
const ldapts = createRequire(`${place.installed}/`)("ldapts");
const { Attribute, Change, Client } = ldapts;

const people = "(objectClass=person)";
// New ones each time: startTLS keeps its socket in them.
const tls = (authority = place.authority) => ({ ca: [readFileSync(authority)] });
const own = { cert: readFileSync(place.certificate), key: readFileSync(place.key) };
const opened = [];

function connect(tlsOptions = tls(), url = place.ldaps) {
  const client = new Client({ url, tlsOptions, timeout: 30000 });
  opened.push(client);
  return client;
}

async function asAdministrator() {
  const client = connect();
  await client.bind(place.administrator, place.password);
  return client;
}

async function whoAmI(client) {
  return (await client.exop("1.3.6.1.4.1.4203.1.11.3")).value;
}

async function addPerson(client, name, base = place.east) {
  const dn = `cn=${name},${base}`;
  await client.add(dn, { objectClass: "inetOrgPerson", sn: name });
  return dn;
}

function change(operation, type, ...values) {
  return new Change({ operation, modification: new Attribute({ type, values }) });
}

async function refused(error, call) {
  await assert.rejects(call, (thrown) => {
    assert.ok(thrown instanceof ldapts[error], `${thrown.name}, not ${error}: ${thrown.message}`);
    return true;
  });
}

const scenarios = {
  async values_of_any_script_and_any_octets_come_back_as_they_went() {
    const client = await asAdministrator();
    const dn = new ldapts.DN({ cn: `ldapts ${place.unicode}` }).toString() + `,${place.east}`;
    const photo = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet));
    await client.add(dn, [
      new Attribute({ type: "objectClass", values: ["inetOrgPerson"] }),
      new Attribute({ type: "sn", values: [place.unicode] }),
      new Attribute({ type: "jpegPhoto", values: [photo] }),
    ]);
    const { searchEntries } = await client.search(place.east, {
      filter: ldapts.escapeFilter`(cn=${`LDAPTS ${place.unicode.toUpperCase()}`})`,
      explicitBufferAttributes: ["jpegPhoto"],
    });
    assert.equal(searchEntries.length, 1);
    assert.equal(searchEntries[0].dn, dn);
    assert.equal(searchEntries[0].sn, place.unicode);
    assert.deepEqual(searchEntries[0].jpegPhoto, photo);
  },

  async an_entry_is_changed_renamed_moved_compared_and_deleted() {
    const client = await asAdministrator();
    const dn = await addPerson(client, "ldapts changed");
    await client.modify(dn, [
      change("replace", "sn", "after"),
      change("add", "title", "mate", "cook"),
      change("delete", "title", "COOK"),
    ]);
    await client.modifyDN(dn, `cn=ldapts moved,${place.west}`);
    const moved = `cn=ldapts moved,${place.west}`;
    const { searchEntries } = await client.search(moved, { scope: "base", attributes: ["cn", "sn", "title"] });
    assert.deepEqual(searchEntries, [{ dn: moved, cn: "ldapts moved", sn: "after", title: "mate" }]);
    assert.equal(await client.compare(moved, "sn", "AFTER"), true);
    assert.equal(await client.compare(moved, "sn", "before"), false);
    await client.del(moved);
    await refused("NoSuchObjectError", () => client.search(moved, { scope: "base" }));
  },

  async refusals_are_the_clients_own_errors() {
    const client = await asAdministrator();
    const dn = await addPerson(client, "ldapts faulty");
    await client.modify(dn, change("add", "title", "mate"));
    const modify = (...what) => () => client.modify(dn, change(...what));
    for (const [error, call] of [
      ["AlreadyExistsError", () => addPerson(client, "ldapts faulty")],
      ["TypeOrValueExistsError", modify("add", "title", "MATE")],
      ["NoSuchAttributeError", modify("delete", "description")],
      ["UndefinedTypeError", modify("add", "noSuchType", "x")],
      ["ObjectClassViolationError", modify("delete", "sn")],
      ["InvalidSyntaxError", modify("add", "seeAlso", "no name")],
      ["NotAllowedOnRDNError", modify("replace", "cn", "another")],
      ["NotAllowedOnNonLeafError", () => client.del(place.east)],
      ["NoSuchObjectError", () => client.del(`cn=nobody,${place.east}`)],
      ["InvalidDNSyntaxError", () => client.del("no name")],
      ["NoSuchAttributeError", () => client.compare(dn, "description", "x")],
      ["ProtocolError", () => client.exop("1.2.3.4", "data")],
      ["UnavailableCriticalExtensionError", () => client.del(dn, new ldapts.Control("1.2.3.4", { critical: true }))],
      ["InvalidCredentialsError", () => connect().bind(place.administrator, "wrong")],
      ["InsufficientAccessError", () => connect().search(place.east)],
    ]) {
      await refused(error, call);
    }
  },

  async a_thousand_entries_come_at_once_by_pages_and_up_to_a_limit() {
    const client = await asAdministrator();
    const wanted = { scope: "one", filter: people, attributes: ["sn"] };
    const names = ({ searchEntries }) => searchEntries.map((entry) => entry.dn);
    const all = names(await client.search(place.fleet, wanted));
    assert.equal(all.length, place.ships);
    assert.deepEqual(names(await client.search(place.fleet, { ...wanted, paged: true })), all);
    const pages = [];
    for await (const page of client.searchPaginated(place.fleet, { ...wanted, paged: { pageSize: 500 } })) {
      pages.push(names(page));
    }
    assert.deepEqual(pages.map((page) => page.length), [500, 500, 200]);
    assert.deepEqual(pages.flat(), all);
    const limited = await client.search(place.fleet, { ...wanted, sizeLimit: 10 });
    assert.deepEqual(names(limited), all.slice(0, 10));
  },

  async the_server_sorts_as_it_is_asked() {
    const client = await asAdministrator();
    const weights = async (reverseOrder) => {
      const order = new ldapts.ServerSideSortingRequestControl({
        critical: true,
        value: { attributeType: "sn", reverseOrder },
      });
      const wanted = { filter: people, attributes: ["sn"] };
      return (await client.search(place.fleet, wanted, order)).searchEntries.map((entry) => entry.sn);
    };
    const rising = await weights(false);
    assert.equal(rising.length, place.ships);
    assert.deepEqual(rising, rising.toSorted());
    assert.deepEqual(await weights(true), rising.toReversed());
  },

  async requests_that_were_sent_together_are_all_answered() {
    const client = await asAdministrator();
    const numbers = Array.from({ length: 100 }, (_, number) => `ship ${String(number).padStart(4, "0")}`);
    const found = await Promise.all(
      numbers.map((name) => client.search(place.fleet, { filter: `(cn=${name})`, attributes: ["cn"] })),
    );
    assert.deepEqual(found.map(({ searchEntries: [entry] }) => entry.cn), numbers);
  },

  async aliases_are_entries_and_referrals_lead_elsewhere() {
    const client = await asAdministrator();
    const { searchEntries, searchReferences } = await client.search(place.signs, { attributes: ["1.1"] });
    assert.ok(searchEntries.some((entry) => entry.dn === `cn=flagship,${place.signs}`));
    assert.deepEqual(searchReferences, [`${place.elsewhere}??sub`]);
    await assert.rejects(() => client.search(`ou=abroad,${place.signs}`), { code: 10 });
    const manage = new ldapts.Control("2.16.840.1.113730.3.4.2", { critical: true });
    const managed = await client.search(`ou=abroad,${place.signs}`, { attributes: ["ref"] }, manage);
    assert.equal(managed.searchEntries[0].ref, place.elsewhere);
  },

  async the_schema_and_the_root_are_there_for_everybody() {
    const client = connect();
    const read = async (dn, attributes) => (await client.search(dn, { scope: "base", attributes })).searchEntries[0];
    const root = await read("", ["*", "+"]);
    assert.deepEqual(root.namingContexts, ["dc=im,dc=eta", "dc=im,dc=etadb"]);
    const schema = await read(root.subschemaSubentry, ["attributeTypes", "objectClasses"]);
    assert.ok(schema.attributeTypes.some((definition) => definition.includes("'eTSyncPassword'")));
    assert.ok(schema.objectClasses.some((definition) => definition.includes("'eTGlobalUser'")));
  },

  async sasl_plain_and_external_say_who_one_is() {
    const byPassword = connect();
    await byPassword.bindSASL("PLAIN", `\0etaadmin\0${place.password}`);
    assert.equal(await whoAmI(byPassword), `dn:${place.administrator}`);
    const byCertificate = connect({ ...tls(), ...own });
    await byCertificate.bindSASL("EXTERNAL");
    assert.equal(await whoAmI(byCertificate), `dn:${place.certified}`);
    await refused("InappropriateAuthError", () => connect().bindSASL("EXTERNAL"));
    assert.equal(await whoAmI(connect()), "");
  },

  async passwords_are_changed_by_modify_and_by_the_extended_operation() {
    const administrator = await asAdministrator();
    const dn = place.newcomer;
    await administrator.add(dn, { objectClass: "eTGlobalUser", eTPassword: "Copper-Bollard-27" });
    await administrator.modify(dn, change("replace", "eTPassword", "Sluice-Compass-86"));
    const me = connect();
    await me.bind(dn, "Sluice-Compass-86");
    const writer = new ldapts.BerWriter();
    writer.startSequence();
    writer.writeString("Sluice-Compass-86", 0x81);
    writer.writeString("Brass-Lantern-77", 0x82);
    writer.endSequence();
    await me.exop("1.3.6.1.4.1.4203.1.11.1", writer.buffer);
    await connect().bind(dn, "Brass-Lantern-77");
    await refused("InvalidCredentialsError", () => connect().bind(dn, "Sluice-Compass-86"));
    const policy = new ldapts.PasswordPolicyControl();
    await refused("ConstraintViolationError", () =>
      administrator.modify(dn, change("replace", "eTPassword", "Sh0rt"), policy),
    );
  },

  async start_tls_protects_the_clear_text_port_and_verifies_the_certificate() {
    const inTheClear = () => connect(null, place.ldap);
    const client = inTheClear();
    await client.startTLS(tls());
    await client.bind(place.administrator, place.password);
    assert.equal(await whoAmI(client), `dn:${place.administrator}`);
    const untrusted = { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" };
    await assert.rejects(() => inTheClear().startTLS(tls(place.stranger)), untrusted);
    await assert.rejects(() => connect(tls(place.stranger)).bind(place.administrator, place.password), untrusted);
  },
};

try {
  await scenarios[process.argv[2]]();
} finally {
  await Promise.all(opened.map((client) => client.unbind().catch(() => {})));
}
