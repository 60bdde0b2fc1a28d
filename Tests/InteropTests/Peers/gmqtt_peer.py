"""A peer on gmqtt: see peer.py for its arguments. gmqtt supports MQTT 3.1.1 and 5.0."""

import asyncio

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.storage import PersistentStorage

import peer

VERSIONS = {"3.1.1": MQTTv311, "5.0": MQTTv50}

# gmqtt's names for properties with the same value.
PROPERTIES = {
    "contentType": "content_type",
    "responseTopic": "response_topic",
    "correlationData": "correlation_data",
    "messageExpiryInterval": "message_expiry_interval",
}


def properties(message):
    """A message's properties in gmqtt's form."""
    result = {its_name: message[name] for name, its_name in PROPERTIES.items() if name in message}
    if "payloadIsText" in message:
        result["payload_format_id"] = int(message["payloadIsText"])
    if "userProperties" in message:
        result["user_property"] = [tuple(pair) for pair in message["userProperties"]]
    return result


def received(topic, payload, qos, found):
    """A gmqtt message as a dictionary. gmqtt has a list of values for each property, and the retain flag among the properties."""
    result = {"topic": topic, "payload": payload, "qos": qos, "retain": bool(found["retain"])}
    result |= {name: found[its_name][0] for name, its_name in PROPERTIES.items() if its_name in found}
    if "payload_format_id" in found:
        result["payloadIsText"] = bool(found["payload_format_id"][0])
    if "user_property" in found:
        result["userProperties"] = found["user_property"]
    return result


class Gmqtt:
    def __init__(self, arguments):
        self.server = arguments.host, arguments.port
        self.version = VERSIONS[arguments.version]
        self.subscribed, self.inbox = asyncio.Queue(), asyncio.Queue()
        # Messages published at QoS 1 and 2 that are not yet acknowledged.
        self.unacknowledged = PersistentStorage()
        options = {}
        if arguments.identifier:
            topic, payload = peer.will(arguments)
            options = {"clean_session": False, "will_message": gmqtt.Message(topic, payload, qos=1)}
            if arguments.version == "5.0":
                options["session_expiry_interval"] = peer.SESSION_EXPIRY
        self.client = gmqtt.Client(arguments.identifier, persistent_storage=self.unacknowledged, **options)
        self.client.on_subscribe = lambda client, mid, codes, properties: self.subscribed.put_nowait(codes[0])
        self.client.on_message = lambda client, *message: self.inbox.put_nowait(received(*message))

    async def __aenter__(self):
        await self.client.connect(*self.server, version=self.version)
        return self

    async def __aexit__(self, *error):
        await self.client.disconnect()

    async def subscribe(self, filter, qos):
        self.client.subscribe(filter, qos)
        code = await self.subscribed.get()
        assert code < 0x80, f"the broker refused the subscription: {code}"

    async def publish(self, message):
        self.client.publish(
            message["topic"], message["payload"], message["qos"], message["retain"], **properties(message))
        await self.unacknowledged.wait_empty()

    async def receive(self):
        return await self.inbox.get()


if __name__ == "__main__":
    peer.main(Gmqtt)
