"""What the peers have in common: their arguments, the form in which a message is given and shown, and what each role does.

A script brings its library as a class whose instances connect in `async with` and have the coroutines `subscribe(filter, qos)`,
`publish(message)` and `receive()`. A message is a dictionary, on the command line and on standard output a JSON object in one line:
topic, payload (base64), qos, retain, and with MQTT 5.0, each only where the message has it, contentType, responseTopic,
correlationData (base64), userProperties (pairs), messageExpiryInterval and payloadIsText."""

import argparse
import asyncio
import base64
import json

BYTES = ("payload", "correlationData")


def main(library):
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["publish", "subscribe", "respond", "request"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", choices=["3.1", "3.1.1", "5.0"], required=True)
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
        if arguments.role == "publish":
            for message in arguments.message:
                await client.publish(message)
        elif arguments.role == "subscribe":
            for _ in range(arguments.count):
                show(await client.receive())
        elif arguments.role == "respond":
            for _ in range(arguments.count):
                request = await client.receive()
                show(request)
                await client.publish(reply(request, arguments.reply_topic))
        elif arguments.role == "request":
            for message in arguments.message:
                await client.publish(message)
                show(await client.receive())


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
