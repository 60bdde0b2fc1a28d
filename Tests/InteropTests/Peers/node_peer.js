// A peer on node's mqtt: see peer.py for its arguments, of which it supports those that it needs.
"use strict";

const fs = require("fs");
const { parseArgs } = require("util");
// Where Debian installs node's packages; other builds of node do not look there.
process.env.NODE_PATH = [process.env.NODE_PATH, "/usr/share/nodejs"].filter(Boolean).join(":");
require("module").Module._initPaths();
const mqtt = require("mqtt");

const text = { type: "string" };
const { values: options, positionals: [role] } = parseArgs({
    allowPositionals: true,
    options: {
        host: { ...text, default: "127.0.0.1" }, port: text, version: text, identifier: text, topic: text, authority: text,
        certificate: text, key: text, qos: { ...text, default: "0" }, count: { ...text, default: "0" },
        transport: { ...text, default: "tcp" }, message: { ...text, multiple: true, default: [] }, deadline: { ...text, default: "90" },
    },
});
if (!["publish", "subscribe", "converse"].includes(role)) throw new Error(`unknown role ${role}`);

const version = { "3.1": 3, "3.1.1": 4, "5.0": 5 }[options.version];
const settings = {
    host: options.host, port: Number(options.port), path: "/mqtt", protocolVersion: version,
    protocolId: version === 3 ? "MQIsdp" : "MQTT", reconnectPeriod: 0, resubscribe: false, clean: !options.identifier,
};
settings.protocol = (options.transport === "websockets" ? "ws" : "mqtt") + (options.authority ? "s" : "");
if (options.authority) {
    settings.ca = fs.readFileSync(options.authority);
    settings.cert = fs.readFileSync(options.certificate);
    settings.key = fs.readFileSync(options.key);
}
if (options.identifier) {
    settings.clientId = options.identifier;
    settings.will = { topic: `will/${options.identifier}`, payload: "gone", qos: 1, retain: false };
    // As long as in the Python peers.
    if (version === 5) settings.properties = { sessionExpiryInterval: 300 };
}

const inbox = [];
let wake = () => {};

function receive() {
    return new Promise((resolve) => {
        wake = () => {
            if (inbox.length > 0) {
                wake = () => {};
                resolve(inbox.shift());
            }
        };
        wake();
    });
}

/** A promise of the result of a function that takes a callback. */
function done(start) {
    return new Promise((resolve, reject) => start((error, result) => (error ? reject(error) : resolve(result))));
}

async function run() {
    const client = mqtt.connect(settings);
    client.on("message", (topic, payload, packet) => {
        inbox.push({ topic, payload: payload.toString("base64"), qos: packet.qos, retain: packet.retain });
        wake();
    });
    await new Promise((resolve, reject) => {
        client.once("connect", resolve);
        client.once("error", reject);
        client.once("close", () => reject(new Error("the broker closed the connection")));
    });
    if (options.topic) {
        for (const { qos } of await done((end) => client.subscribe(options.topic, { qos: Number(options.qos) }, end))) {
            if (qos >= 0x80) throw new Error(`the broker refused the subscription: ${qos}`);
        }
        console.log("ready");
    }
    if (role !== "subscribe") {
        for (const { topic, payload, qos, retain } of options.message.map((message) => JSON.parse(message))) {
            await done((end) => client.publish(topic, Buffer.from(payload, "base64"), { qos, retain }, end));
        }
    }
    if (role !== "publish") {
        for (let count = 0; count < Number(options.count); count += 1) console.log(JSON.stringify(await receive()));
    }
    await done((end) => client.end(false, {}, end));
}

function fail(error) {
    console.error(error);
    process.exit(1);
}

setTimeout(() => fail(new Error("the deadline has passed")), Number(options.deadline) * 1000).unref();
run().catch(fail);
