"""What the peers have in common: their arguments, the form in which a message is given and shown, and what each role does.

A script brings its library as a class whose instances connect in `async with` and have the coroutines `subscribe(filter, qos)`,
`publish(message)` and `receive()`. A message is a dictionary, on the command line and on standard output a JSON object in one line:
topic, payload (base64), qos, retain, and with MQTT 5.0, each only where the message has it, contentType, responseTopic,
correlationData (base64), userProperties (pairs), messageExpiryInterval and payloadIsText.

With an identifier a client has a session that lasts from one run to the next, and a will on `will/<identifier>`, which nobody sees
as long as it ends with a goodbye."""

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
    parser.add_argument("--version", choices=["3.1", "3.1.1", "5.0"], required=True)
    parser.add_argument("--identifier", help="of the client; its session is kept")
    parser.add_argument("--authority", help="file of the authority that the broker's certificate is from; without it, no TLS")
    parser.add_argument("--certificate", help="file of the client's own certificate")
    parser.add_argument("--key", help="file of the key of that certificate")
    parser.add_argument("--topic", help="the filter to subscribe to; of a requester, where the replies come")
    parser.add_argument("--reply-topic", help="where a responder replies to a request that does not say so itself")
    parser.add_argument("--qos", type=int, default=0, help="of the subscription")
    parser.add_argument("--count", type=int, default=0, help="how many messages to receive before the end")
    parser.add_argument("--message", type=decode, action="append", default=[], help="what to publish, in this order")
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
            # Some libraries acknowledge a message after they have handed it over, and the goodbye may overtake that: the message
            # would come again in the next run. What is answered now was sent after the acknowledgement.
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


# How long a session is kept that lasts from one run to the next, in seconds. Before MQTT 5.0 there is no such time.
SESSION_EXPIRY = 300


def will(arguments):
    """The topic and the payload of a client's will."""
    return f"will/{arguments.identifier}", b"gone"


def reply(request, topic):
    """The answer to a request: its payload after "re: ", and what tells the requester which request it belongs to."""
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
