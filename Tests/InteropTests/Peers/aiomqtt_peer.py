"""A peer on aiomqtt: see peer.py for its arguments. aiomqtt is built on paho-mqtt and uses its messages and properties."""

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import peer
from paho_peer import properties, received

VERSIONS = {"3.1": aiomqtt.ProtocolVersion.V31, "3.1.1": aiomqtt.ProtocolVersion.V311, "5.0": aiomqtt.ProtocolVersion.V5}


class Aiomqtt:
    def __init__(self, arguments):
        options = {}
        if arguments.identifier:
            topic, payload = peer.will(arguments)
            options = {"identifier": arguments.identifier, "will": aiomqtt.Will(topic, payload, qos=1)}
            if arguments.version == "5.0":
                options |= {"clean_start": False, "properties": Properties(PacketTypes.CONNECT)}
                options["properties"].SessionExpiryInterval = peer.SESSION_EXPIRY
            else:
                options["clean_session"] = False
        self.client = aiomqtt.Client(
            arguments.host, arguments.port, protocol=VERSIONS[arguments.version], timeout=arguments.deadline,
            transport=arguments.transport, **options)

    async def __aenter__(self):
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self.client.__aexit__(*error)

    async def subscribe(self, filter, qos):
        for code in await self.client.subscribe(filter, qos):
            assert getattr(code, "value", code) < 0x80, f"the broker refused the subscription: {code}"

    async def publish(self, message):
        await self.client.publish(
            message["topic"], message["payload"], message["qos"], message["retain"], properties(message))

    async def receive(self):
        return received(await anext(self.client.messages))


if __name__ == "__main__":
    peer.main(Aiomqtt)
