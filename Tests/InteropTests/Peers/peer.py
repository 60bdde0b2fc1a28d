"""What the peers have in common: arguments, the format of messages, and the roles.

Each script wraps its library in a class whose instances connect in `async with` and have the coroutines
`subscribe(filter, qos)`, `publish(message)` and `receive()`. A message is a dictionary; on the command line and on standard
output, it is a JSON object on one line: topic, payload (base64), qos, retain, and, with MQTT 5.0 and only if present,
contentType, responseTopic, correlationData (base64), userProperties (pairs), messageExpiryInterval and payloadIsText.

With an identifier, a client has a session that is kept from one run to the next, and a will on `will/<identifier>`, which is
published only if the client does not send DISCONNECT."""

import argparse
import asyncio
import base64
import json

BYTES = ("payload", "correlationData")


def main(library):
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["publish", "subscribe", "converse", "respond", "request"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transport", choices=["tcp", "websockets", "unix"], default="tcp")
    parser.add_argument("--version", choices=["3.1", "3.1.1", "5.0"], required=True)
    parser.add_argument("--identifier", help="client identifier; its session is kept")
    parser.add_argument("--authority", help="file with the CA of the broker's certificate; without it, no TLS")
    parser.add_argument("--certificate", help="file with the client certificate")
    parser.add_argument("--key", help="file with the client certificate's key")
    parser.add_argument("--topic", help="filter to subscribe to; for a requester, the topic of the replies")
    parser.add_argument("--reply-topic", help="topic for a responder's replies to requests without a response topic")
    parser.add_argument("--qos", type=int, default=0, help="QoS of the subscription")
    parser.add_argument("--count", type=int, default=0, help="number of messages to receive before exiting")
    parser.add_argument("--message", type=decode, action="append", default=[], help="message to publish; may be repeated")
    parser.add_argument("--deadline", type=float, default=90, help="seconds after which to give up")
    arguments = parser.parse_args()
    asyncio.run(asyncio.wait_for(run(library, arguments), arguments.deadline))


async def run(library, arguments):
    async with library(arguments) as client:
        if arguments.topic:
            await client.subscribe(arguments.topic, arguments.qos)
            print("ready", flush=True)
        if arguments.role in ("publish", "converse"):
            for message in arguments.message:
                await client.publish(message)
        if arguments.role in ("subscribe", "converse"):
            for _ in range(arguments.count):
                show(await client.receive())
        if arguments.identifier:
            # Some libraries deliver a message before they acknowledge it, and DISCONNECT may overtake the PUBACK, so
            # that the next run would get the message again. The answer to this PUBLISH comes after the acknowledgement.
            await client.publish({"topic": "settled", "payload": b"", "qos": 1, "retain": False})
        if arguments.role == "respond":
            for _ in range(arguments.count):
                request = await client.receive()
                show(request)
                await client.publish(reply(request, arguments.reply_topic))
        elif arguments.role == "request":
            for message in arguments.message:
                await client.publish(message)
                show(await client.receive())


# How long the session is kept from one run to the next, in seconds. Before MQTT 5.0 there is no such interval.
SESSION_EXPIRY = 300


def will(arguments):
    """The topic and the payload of a client's will."""
    return f"will/{arguments.identifier}", b"gone"


def reply(request, topic):
    """The reply to a request: "re: " and the request's payload, with its correlation data."""
    answer = {"topic": request.get("responseTopic", topic), "payload": b"re: " + request["payload"], "qos": request["qos"], "retain": False}
    if "correlationData" in request:
        answer["correlationData"] = request["correlationData"]
    return answer


def decode(text):
    message = json.loads(text)
    return {name: base64.b64decode(value) if name in BYTES else value for name, value in message.items()}


def show(message):
    encoded = {name: base64.b64encode(value).decode() if name in BYTES else value for name, value in message.items()}
    print(json.dumps(encoded), flush=True)
