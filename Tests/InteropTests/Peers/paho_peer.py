"""A peer on paho-mqtt: see peer.py for its arguments."""

import asyncio

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import peer

VERSIONS = {"3.1": paho.MQTTv31, "3.1.1": paho.MQTTv311, "5.0": paho.MQTTv5}

# paho's names for properties with the same value.
PROPERTIES = {
    "contentType": "ContentType",
    "responseTopic": "ResponseTopic",
    "correlationData": "CorrelationData",
    "messageExpiryInterval": "MessageExpiryInterval",
}


def properties(message):
    """A message's properties in paho's form; None if there are none, as before MQTT 5.0."""
    result = Properties(PacketTypes.PUBLISH)
    for name, its_name in PROPERTIES.items():
        if name in message:
            setattr(result, its_name, message[name])
    if "payloadIsText" in message:
        result.PayloadFormatIndicator = int(message["payloadIsText"])
    for pair in message.get("userProperties", []):
        result.UserProperty = tuple(pair)
    return None if result.isEmpty() else result


def received(message):
    """A paho message as a dictionary."""
    result = {"topic": str(message.topic), "payload": message.payload, "qos": message.qos, "retain": bool(message.retain)}
    found = getattr(message, "properties", None)
    for name, its_name in PROPERTIES.items():
        if hasattr(found, its_name):
            result[name] = getattr(found, its_name)
    if hasattr(found, "PayloadFormatIndicator"):
        result["payloadIsText"] = bool(found.PayloadFormatIndicator)
    if hasattr(found, "UserProperty"):
        result["userProperties"] = found.UserProperty
    return result


class Paho:
    """paho has its own thread; its callbacks pass values to the event loop."""

    def __init__(self, arguments):
        self.server = arguments.host, arguments.port
        self.loop = asyncio.get_running_loop()
        self.connected, self.subscribed, self.inbox = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        protocol, identifier = VERSIONS[arguments.version], arguments.identifier
        # For 5.0, paho takes this when it connects instead.
        is_clean = None if protocol == paho.MQTTv5 else not identifier
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, identifier or "", clean_session=is_clean, protocol=protocol,
            transport=arguments.transport)
        self.options = {}
        if identifier:
            self.client.will_set(*peer.will(arguments), qos=1)
            if protocol == paho.MQTTv5:
                session = Properties(PacketTypes.CONNECT)
                session.SessionExpiryInterval = peer.SESSION_EXPIRY
                self.options = {"clean_start": False, "properties": session}
        self.client.on_connect = lambda client, data, flags, code, properties: self.hand(self.connected, code)
        self.client.on_subscribe = lambda client, data, mid, codes, properties: self.hand(self.subscribed, codes[0])
        self.client.on_message = lambda client, data, message: self.hand(self.inbox, received(message))

    def hand(self, queue, value):
        self.loop.call_soon_threadsafe(queue.put_nowait, value)

    async def __aenter__(self):
        self.client.connect(*self.server, **self.options)
        self.client.loop_start()
        code = await self.connected.get()
        assert not code.is_failure, f"the broker refused the connection: {code}"
        return self

    async def __aexit__(self, *error):
        self.client.disconnect()
        self.client.loop_stop()

    async def subscribe(self, filter, qos):
        self.client.subscribe(filter, qos)
        code = await self.subscribed.get()
        assert not code.is_failure, f"the broker refused the subscription: {code}"

    async def publish(self, message):
        sent = self.client.publish(
            message["topic"], message["payload"], message["qos"], message["retain"], properties(message))
        await asyncio.to_thread(sent.wait_for_publish)

    async def receive(self):
        return await self.inbox.get()


if __name__ == "__main__":
    peer.main(Paho)
